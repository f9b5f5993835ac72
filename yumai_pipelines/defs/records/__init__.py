"""The job that keeps Dagster's own records within bounds."""
