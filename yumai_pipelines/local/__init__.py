"""What runs on one's own machine: the embedded PostgreSQL server, and the Dagster UI."""
