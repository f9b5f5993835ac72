"""The monthly tables for analysts: built, kept account of, purged behind, read and reported on.

What an extract holds stands in `sql/extracts/<name>/`. Nothing of Dagster stands here.
"""
