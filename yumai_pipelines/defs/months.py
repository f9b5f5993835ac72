"""The months as Dagster's partitions, the months of a run, and when days and months are expected."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import dagster as dg

from yumai_pipelines.model.months import Month
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator


def monthly(settings: Settings, last: int) -> dg.MonthlyPartitionsDefinition:
    """Define the months from the first of the history to `last`: 0 is the last closed month, 1 the current month."""
    return dg.MonthlyPartitionsDefinition(
        start_date=settings.first.partition_key,
        timezone=settings.timezone,
        fmt="%Y-%m-%d",
        end_offset=last,
    )


_SETTINGS = Settings()
KEPT_MONTHS = monthly(_SETTINGS, last=_SETTINGS.months_ahead + 1)
"""The months of the conversations: those up to the current month, and those that are kept ready ahead of it."""

CLOSED_MONTHS = monthly(_SETTINGS, last=0)
"""The months of the extracts: those that are over."""

PAST_MONTHS = monthly(_SETTINGS, last=-_SETTINGS.months_kept)
"""The months that may be archived: those that are over, except the last ones, which are kept (YUMAI_MONTHS_KEPT)."""


def _since_midnight(deadline: str) -> dg.FreshnessPolicy:
    """Return the policy that an asset is materialized between the business's midnight and a deadline at six."""
    return dg.FreshnessPolicy.cron(deadline, timedelta(hours=6), _SETTINGS.timezone)


DAILY = _since_midnight("0 6 * * *")
"""Freshness of what daily_upkeep materializes. It is only shown: checks and their messages say what to do."""

MONTHLY = _since_midnight("0 6 1 * *")
"""Freshness of what gets a new month on the first day of each month."""


def months_of(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> list[Month] | None:
    """Return the months of a run, in order; None if the run names no months."""
    if not (context.has_partition_key or context.has_partition_key_range):
        return None
    return [Month.parse(key) for key in context.partition_keys]


@contextmanager
def accepting(*categories: type[Warning]) -> Iterator[None]:
    """Allow the `with` block to use a feature that Dagster still calls beta or preview.

    Each use is allowed separately, because a filter for the whole process would also hide later warnings.
    """
    with warnings.catch_warnings():
        for category in categories:
            warnings.simplefilter("ignore", category)
        yield
