"""The workload contract: what the job is asked by its environment, and what it writes below JOB_DIR."""
