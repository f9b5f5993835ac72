"""The Dagster project that owns the YUMAI database."""

from yumai_pipelines.extracts.reading import read_extract

__all__ = ["read_extract"]
