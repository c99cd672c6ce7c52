"""The benchmark: its problems, boundaries and designs in its format, its official evaluator."""
