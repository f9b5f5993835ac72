"""Retention in Dagster: an asset that deletes old sessions, by month."""
