"""The only part that knows Git."""
