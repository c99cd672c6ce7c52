"""Steady tokamak temperature profiles by QLKNN fluxes, and networks that learn to predict them."""
