"""The Dagster project that owns the YUMAI database."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from yumai_pipelines.extracts.reading import read_extract

__all__ = ["read_extract"]


def __getattr__(name: str) -> object:
    """Import what is asked for: every command and every run imports this package, and few of them read extracts."""
    if name == "read_extract":
        from yumai_pipelines.extracts.reading import read_extract

        return read_extract
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
