"""Which months a schedule asks for, at the time of its tick. When it ticks, and what then runs, is in `schedules`.

Each function is told the time of the tick, the settings, and of which months an asset has been materialized. It answers
with the first and the last month of one run, or with the reason why nothing needs to run.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import dagster as dg

from yumai_pipelines.defs.extracts.assets import extracts
from yumai_pipelines.defs.partitions.assets import conversations
from yumai_pipelines.defs.retention.assets import expired_sessions
from yumai_pipelines.model.calendar import latest_month, oldest_kept
from yumai_pipelines.model.months import Month
from yumai_pipelines.settings import Settings

Made = Callable[[dg.AssetKey], set[str]]
"""The partition keys of an asset that were ever materialized."""

Due = Callable[[datetime, Settings, Made], tuple[Month, Month] | dg.SkipReason]


def partitions(at: datetime, settings: Settings, made: Made) -> tuple[Month, Month] | dg.SkipReason:
    """The current month and those to be kept ahead of it; from an earlier month on, when one was never made."""
    month = Month.of(at, settings.zone)
    last = month + settings.months_ahead
    ready = made(conversations.key)
    if ready.issuperset(each.partition_key for each in settings.first.through(last)):
        return dg.SkipReason(f"Every month to {last} has its partition.")
    return _first_missing(ready, settings.first, month), last


def closed_months(at: datetime, settings: Settings, made: Made) -> tuple[Month, Month] | dg.SkipReason:
    """The month that has just closed, and the one before for its late feedback; from an earlier one, if never built."""
    closed = Month.of(at, settings.zone) - 1
    if closed < settings.first:
        return dg.SkipReason(f"{closed} is before the first month of the history, {settings.first}.")
    built = set.intersection(*map(made, extracts.keys))
    return _first_missing(built, settings.first, max(closed - 1, settings.first)), closed


def past_months(at: datetime, settings: Settings, _made: Made) -> tuple[Month, Month] | dg.SkipReason:
    """Every month that is past, also those that earlier runs missed."""
    last = oldest_kept(at, settings.zone, settings.months_kept) - 1
    if last < settings.first:
        return dg.SkipReason(f"No month is past yet: the history begins with {settings.first}.")
    return settings.first, last


def months_of_age(at: datetime, settings: Settings, made: Made) -> tuple[Month, Month] | dg.SkipReason:
    """The months that have come of age, from the first that was never purged."""
    last = latest_month(at, settings.zone, settings.session_days)
    if settings.archives_before_purge:
        last = min(last, oldest_kept(at, settings.zone, settings.months_kept) - 1)
    if last < settings.first:
        return dg.SkipReason(f"No month has come of age: the history begins with {settings.first}.")
    return _first_missing(made(expired_sessions.key), settings.first, last), last


def _first_missing(made: set[str], first: Month, latest: Month) -> Month:
    """The first month from `first` on that was never materialized, but `latest` at the latest."""
    return next((month for month in first.through(latest) if month.partition_key not in made), latest)
