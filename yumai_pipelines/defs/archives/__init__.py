"""The archived months in Dagster: an asset by month, and the check of its files."""
