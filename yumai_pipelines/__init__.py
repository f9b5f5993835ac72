"""The Dagster project that owns the YUMAI database."""
