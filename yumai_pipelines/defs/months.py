"""The months as Dagster's partitions, the months of a run, and when days and months are expected."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from yumai_pipelines.model.months import Month
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


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

ARCHIVED_MONTHS = dg.DynamicPartitionsDefinition(name="archived_months")
"""The months whose conversations are in files. A month that is restored leaves."""

PURGED_MONTHS = dg.DynamicPartitionsDefinition(name="purged_months")
"""The months from which retention has deleted sessions."""


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


class LeavingConfig(dg.Config):
    """The options of a job that takes months out of the database. Launched as it stands, it changes nothing."""

    dry_run: bool = Field(default=True, description="Only look: say what would go, and change nothing.")
    first: str | None = Field(
        default=None, description="The first month, as in 2024-08; without it, the first of the history."
    )
    last: str | None = Field(default=None, description="The last month; without it, the last one that may go.")

    def months(self, first: Month, last: Month) -> list[Month]:
        """Return the months that somebody asks for, or else those between the first and the last that may go."""
        begin = Month.parse(self.first) if self.first else first
        end = Month.parse(self.last) if self.last else last
        return list(begin.through(end)) if begin <= end else []


def show_months(instance: dg.DagsterInstance, shown: dg.DynamicPartitionsDefinition, months: Iterable[Month]) -> None:
    """Have Dagster list these months, and no others."""
    name, wanted = str(shown.name), {month.partition_key for month in months}
    listed = set(instance.get_dynamic_partitions(name))
    instance.add_dynamic_partitions(name, sorted(wanted - listed))
    for key in listed - wanted:
        instance.delete_dynamic_partition(name, key)


@contextmanager
def accepting(*categories: type[Warning]) -> Iterator[None]:
    """Allow the `with` block to use a feature that Dagster still calls beta or preview.

    Each use is allowed separately, because a filter for the whole process would also hide later warnings.
    """
    with warnings.catch_warnings():
        for category in categories:
            warnings.simplefilter("ignore", category)
        yield
