"""The materialized views in Dagster: assets that refresh them, and checks that they are fresh and complete."""
