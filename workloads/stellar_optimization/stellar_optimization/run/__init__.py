"""One attempt of a job: its parameters, its run directory, its results."""
