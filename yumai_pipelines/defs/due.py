"""The months that a schedule asks for when it ticks. When it ticks and what it runs is defined in `schedules`.

Each function takes the time of the tick, the settings, and a function that says of which months an asset has been
materialized. It returns the first and the last month of one run, or the reason why nothing needs to run.
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
"""A function that returns the partition keys of an asset that were ever materialized."""

Due = Callable[[datetime, Settings, Made], tuple[Month, Month] | dg.SkipReason]


def partitions(at: datetime, settings: Settings, made: Made) -> tuple[Month, Month] | dg.SkipReason:
    """Ask for the current month and the months to be kept ahead of it.

    The range begins at an earlier month if that one was never materialized.
    """
    month = Month.of(at, settings.zone)
    last = month + settings.months_ahead
    ready = made(conversations.key)
    if ready.issuperset(each.partition_key for each in settings.first.through(last)):
        return dg.SkipReason(f"Every month to {last} has its partition.")
    return _first_missing(ready, settings.first, month), last


def closed_months(at: datetime, settings: Settings, made: Made) -> tuple[Month, Month] | dg.SkipReason:
    """Ask for the month that has just closed, and for the month before it because of late feedback.

    The range begins at an earlier month if that one was never built.
    """
    closed = Month.of(at, settings.zone) - 1
    if closed < settings.first:
        return dg.SkipReason(f"{closed} is before the first month of the history, {settings.first}.")
    built = set.intersection(*map(made, extracts.keys))
    return _first_missing(built, settings.first, max(closed - 1, settings.first)), closed


def past_months(at: datetime, settings: Settings, _made: Made) -> tuple[Month, Month] | dg.SkipReason:
    """Ask for every month that may be archived, also those that earlier runs missed."""
    last = oldest_kept(at, settings.zone, settings.months_kept) - 1
    if last < settings.first:
        return dg.SkipReason(f"No month is past yet: the history begins with {settings.first}.")
    return settings.first, last


def months_of_age(at: datetime, settings: Settings, made: Made) -> tuple[Month, Month] | dg.SkipReason:
    """Ask for the months whose sessions are old enough to be deleted, from the first month that was never purged."""
    last = latest_month(at, settings.zone, settings.session_days)
    if settings.archives_before_purge:
        last = min(last, oldest_kept(at, settings.zone, settings.months_kept) - 1)
    if last < settings.first:
        return dg.SkipReason(f"No month has come of age: the history begins with {settings.first}.")
    return _first_missing(made(expired_sessions.key), settings.first, last), last


def _first_missing(made: set[str], first: Month, latest: Month) -> Month:
    """Return the first month from `first` on that was never materialized; `latest` if there is none before it."""
    return next((month for month in first.through(latest) if month.partition_key not in made), latest)
