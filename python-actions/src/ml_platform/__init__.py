"""ML Platform: what scripts and notebooks may import. Whatever is not named here is private."""

__all__: list[str] = []
