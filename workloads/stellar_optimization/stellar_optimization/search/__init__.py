"""The search: the driver's loop, its decisions and checkpoint, one worker's search, the model it uses."""
