"""Rows of solved operating points, networks trained on them with Ray Train, and how good they are."""
