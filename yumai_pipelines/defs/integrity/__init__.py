"""Referential integrity in Dagster: the checks of every table, and the job that repairs what they find."""
