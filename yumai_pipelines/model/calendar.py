"""Which months are due: what is kept, what may be archived, what may be purged, and their first days and bounds.

Nothing here reads a clock: callers pass the instant.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from yumai_pipelines.model.months import Month

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from zoneinfo import ZoneInfo

LATEST = 2
"""Months before the current one of which the latest is purged: the extracts of the later ones are still built anew."""


def first_day(month: Month) -> date:
    """The month as the ledger has it."""
    return date(month.year, month.number, 1)


def first_days(months: Iterable[Month]) -> list[date]:
    """The months as the tables name them, by their first days."""
    return [first_day(month) for month in months]


def bounds_of(months: Sequence[Month], zone: ZoneInfo) -> list[datetime]:
    """The instants at which adjoining months begin, and the one at which the last of them ends."""
    return [month.start(zone) for month in months] + [month.end(zone) for month in months[-1:]]


def oldest_kept(as_of: datetime, zone: ZoneInfo, kept: int) -> Month:
    """The oldest month that is not archived: `kept` whole months before the one of the instant."""
    return Month.of(as_of, zone) - kept


def latest_month(as_of: datetime, zone: ZoneInfo, days: int) -> Month:
    """The latest month that may be purged: its sessions are all past their age, and its extracts are final."""
    over = Month.of(as_of - timedelta(days=days), zone) - 1
    return min(over, Month.of(as_of, zone) - LATEST)
