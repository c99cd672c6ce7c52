"""Learning from forward solves: rows, a surrogate trained on them, starts that it proposes."""
