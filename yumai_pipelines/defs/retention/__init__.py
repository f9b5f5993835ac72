"""Retention in Dagster: an asset by month that deletes sessions past their age."""
