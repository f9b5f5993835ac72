"""Refreshes materialized views, and checks whether they are complete."""
