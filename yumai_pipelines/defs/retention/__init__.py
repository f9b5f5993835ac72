"""Retention in Dagster: the job that deletes old sessions, and what is shown of it."""
