"""The daily maintenance of the sessions in Dagster."""
