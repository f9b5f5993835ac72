"""Keeps Dagster's own records within bounds: its database, not YUMAI's."""
