"""What runs on your own machine: the embedded PostgreSQL server, and the Dagster UI."""
