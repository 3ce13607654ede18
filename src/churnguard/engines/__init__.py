"""Where the work by partition of customers runs, if not in this process: Spark."""
