"""The HTTP service: actions and job API. The only way in."""
