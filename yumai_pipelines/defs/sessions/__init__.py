"""The daily upkeep of the sessions in Dagster."""
