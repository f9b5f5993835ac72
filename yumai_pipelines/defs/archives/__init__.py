"""The archived months in Dagster: an asset with one partition per month, and the check of its files."""
