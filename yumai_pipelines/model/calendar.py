"""Which months are kept, may be archived, or may be purged, and the first days and bounds of months.

These functions do not read a clock: callers pass the instant.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from yumai_pipelines.model.months import Month

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from zoneinfo import ZoneInfo

MONTHS_UNTIL_FINAL = 2
"""The extracts of a month are final when it is at least so many months before the current one. Those of later months
are still built again, so these months are not purged."""


def first_days(months: Iterable[Month]) -> list[date]:
    """Return the first days of months, by which tables name them."""
    return [month.first_day for month in months]


def bounds_of(months: Sequence[Month], zone: ZoneInfo) -> list[datetime]:
    """Return the instants at which consecutive months begin, and the one at which the last of them ends."""
    return [month.start(zone) for month in months] + [month.end(zone) for month in months[-1:]]


def oldest_kept(as_of: datetime, zone: ZoneInfo, kept: int) -> Month:
    """Return the oldest month that is not archived: `kept` whole months before the month of the instant."""
    return Month.of(as_of, zone) - kept


def latest_month(as_of: datetime, zone: ZoneInfo, days: int) -> Month:
    """Return the latest month that may be purged: its sessions are all older than `days`, its extracts final."""
    over = Month.of(as_of - timedelta(days=days), zone) - 1
    return min(over, Month.of(as_of, zone) - MONTHS_UNTIL_FINAL)


def spans(months: Iterable[Month]) -> list[tuple[Month, Month]]:
    """Return the first and the last of each stretch of adjoining months, in order."""
    found: list[tuple[Month, Month]] = []
    for month in sorted(set(months)):
        if found and found[-1][1] + 1 == month:
            found[-1] = found[-1][0], month
        else:
            found.append((month, month))
    return found


def stretches(months: Iterable[Month]) -> list[list[Month]]:
    """Return the months in stretches of adjoining ones, in order."""
    return [list(first.through(last)) for first, last in spans(months)]


def in_ranges(months: Iterable[Month]) -> str:
    """Return months as people write them, such as `2024-08 to 2025-01, 2025-03`."""
    return ", ".join(str(first) if first == last else f"{first} to {last}" for first, last in spans(months))
