"""The transport model: machine, heat sources, turbulent fluxes, and the solver that balances them."""
