"""The adoption of an older database in Dagster."""
