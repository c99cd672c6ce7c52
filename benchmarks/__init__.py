"""Measurements of the platform: ratios of two sides of one run, since machines are shared and noisy."""
