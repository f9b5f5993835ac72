"""The monthly report in Dagster."""
