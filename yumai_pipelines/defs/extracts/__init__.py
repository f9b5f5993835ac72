"""The extracts in Dagster: assets by month, and the checks that prove them."""
