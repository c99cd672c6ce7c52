"""Pictures and the interactive page of a finished job."""
