"""The extracts in Dagster: assets with one partition per month, and their checks."""
