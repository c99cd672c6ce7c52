"""Shape measures, equilibria with exact derivatives, and the field of a finished design."""
