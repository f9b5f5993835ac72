"""Months as Dagster's partitions, and the months that a run is about."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

import dagster as dg

from yumai_pipelines.model.months import Month
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator


def monthly(settings: Settings, last: int) -> dg.MonthlyPartitionsDefinition:
    """The months from the first of the history on; `last` is 0 for the last closed one, 1 for the next."""
    return dg.MonthlyPartitionsDefinition(
        start_date=settings.first.partition_key,
        timezone=settings.timezone,
        fmt="%Y-%m-%d",
        end_offset=last,
    )


_SETTINGS = Settings()
KEPT_MONTHS = monthly(_SETTINGS, last=_SETTINGS.months_ahead + 1)
"""The months of the conversations: up to the current one, and those that are kept ready ahead of it."""

CLOSED_MONTHS = monthly(_SETTINGS, last=0)
"""The months of the extracts: those that are over."""

PAST_MONTHS = monthly(_SETTINGS, last=-_SETTINGS.months_kept)
"""The months that may be archived: those that are over for longer than they are kept."""


def months_of(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> list[Month] | None:
    """The months of a run, one after the other; None for a run that names none."""
    if not (context.has_partition_key or context.has_partition_key_range):
        return None
    return [Month.parse(key) for key in context.partition_keys]


@contextmanager
def accepting(*categories: type[Warning]) -> Iterator[None]:
    """Define something by a feature of Dagster that it still calls beta or preview.

    Each place says so for itself: a filter for the whole process would hide the next such feature too.
    """
    with warnings.catch_warnings():
        for category in categories:
            warnings.simplefilter("ignore", category)
        yield
