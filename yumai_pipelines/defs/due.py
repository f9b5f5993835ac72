"""The months that a schedule asks for when it ticks. When it ticks and what it runs is defined in `schedules`.

Each function takes the time of the tick, the settings, and what is known so far. It returns spans of months, each of
them one run, by their first and last month; or the reason why nothing needs to run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg

from yumai_pipelines.defs.archives.assets import archived_conversations
from yumai_pipelines.defs.extracts.assets import extracts
from yumai_pipelines.defs.partitions.assets import conversations
from yumai_pipelines.defs.retention.assets import expired_sessions
from yumai_pipelines.defs.retention.jobs import last_of_age
from yumai_pipelines.extracts.changes import look, reasons
from yumai_pipelines.model.calendar import oldest_kept, spans
from yumai_pipelines.model.months import Month
from yumai_pipelines.postgres.values import read_value
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from yumai_pipelines.postgres.connections import Connection


WAIT_FOR_ARCHIVES = timedelta(days=60)
"""So long the sessions of a month wait for its archive. Then they are asked for, and the run says what is missing."""


@dataclass(frozen=True)
class Known:
    """What a schedule can ask before it decides.

    Attributes:
        made: returns the partition keys of an asset that were ever materialized.
        connect: opens a connection to the database.
    """

    made: Callable[[dg.AssetKey], set[str]]
    connect: Callable[[], AbstractContextManager[Connection]]


Spans = list[tuple[Month, Month]]

Due = Callable[[datetime, Settings, Known], Spans | dg.SkipReason]


def partitions(at: datetime, settings: Settings, known: Known) -> Spans | dg.SkipReason:
    """Ask for the current month and the months to be kept ahead of it.

    The range begins at an earlier month if that one was never materialized.
    """
    month = Month.of(at, settings.zone)
    last = month + settings.months_ahead
    missing = _missing(known.made(conversations.key), settings.first, last)
    if not missing:
        return dg.SkipReason(f"Every month to {last} has its partition.")
    return [(min(missing[0], month), last)]


def stale_months(at: datetime, settings: Settings, known: Known) -> Spans | dg.SkipReason:
    """Ask for the months that are over and were never built, or are not of the logs as they are.

    Months of which retention has deleted rows are left out: they are not built again.
    """
    closed = Month.of(at, settings.zone) - 1
    if closed < settings.first:
        return dg.SkipReason(f"{closed} is before the first month of the history, {settings.first}.")
    with known.connect() as connection:
        months = look(connection, list(settings.first.through(closed)))
    frozen = {Month.of_day(each.month) for each in months if each.purged_at}
    unknown = _missing(set.intersection(*map(known.made, extracts.keys)), settings.first, closed)
    stale = {month for _, month in reasons(months, settings.min_group_users)}
    wanted = spans([*stale, *(month for month in unknown if month not in frozen)])
    return wanted or dg.SkipReason(f"Every month to {closed} is of the logs as they are.")


def past_months(at: datetime, settings: Settings, known: Known) -> Spans | dg.SkipReason:
    """Ask for the months that may be archived and never were; on the first day of a month, for all that may be."""
    last = oldest_kept(at, settings.zone, settings.months_kept) - 1
    if last < settings.first:
        return dg.SkipReason(f"No month is past yet: the history begins with {settings.first}.")
    if at.astimezone(settings.zone).day == 1:
        return [(settings.first, last)]
    missing = _missing(known.made(archived_conversations.key), settings.first, last)
    return [(missing[0], last)] if missing else dg.SkipReason(f"Every month to {last} is archived.")


def months_of_age(at: datetime, settings: Settings, known: Known) -> Spans | dg.SkipReason:
    """Ask for the months whose sessions are old enough to be deleted, when one of them was never purged.

    The range begins at an earlier month that still has sessions: they were kept when it was purged. It ends before a
    month that is still to be archived: after an outage, the archive's run is due at the same time, and may come second.
    """
    last = last_of_age(at, settings)
    if last < settings.first:
        return dg.SkipReason(f"No month has come of age: the history begins with {settings.first}.")
    waits = _first_to_be_archived(at, settings, known, last)
    last = last if waits is None else waits - 1
    missing = _missing(known.made(expired_sessions.key), settings.first, last)
    if not missing and waits:
        return dg.SkipReason(f"{waits} waits until its conversations are archived, by the job monthly_archive.")
    if not missing:
        return dg.SkipReason(f"The sessions of every month to {last} are deleted.")
    with known.connect() as connection:
        oldest = read_value(
            connection,
            "SELECT min(session_end) FROM chatbot.session_master WHERE session_end >= %s AND session_end < %s",
            (settings.first.start(settings.zone), missing[0].start(settings.zone)),
        )
    return [(Month.of(oldest, settings.zone) if oldest else missing[0], last)]


def _first_to_be_archived(at: datetime, settings: Settings, known: Known, last: Month) -> Month | None:
    """Return the first month to `last` that waits for its archive; None if there is none, or none is needed."""
    if not settings.archives_before_purge:
        return None
    missing = _missing(known.made(archived_conversations.key), settings.first, last)
    overdue = last_of_age(at - WAIT_FOR_ARCHIVES, settings)
    return next((month for month in missing if month > overdue), None)


def _missing(made: set[str], first: Month, last: Month) -> list[Month]:
    """Return the months from the first to the last that were never materialized."""
    return [month for month in first.through(last) if month.partition_key not in made]
