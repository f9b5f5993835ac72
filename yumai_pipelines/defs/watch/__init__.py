"""What went wrong by Dagster's records, and the sensors that tell people of it."""
