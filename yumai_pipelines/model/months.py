"""Calendar months of the business. This module reads neither a clock nor a database.

A month begins and ends at midnight in the business's time zone (Asia/Seoul), whatever the client's is. Where clocks are
turned at that midnight, it begins at the first instant from which on the date is in the month; this is 01:00 by the
clock if there is no midnight (Asunción, October 2023).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)
_SHORTEST = 28
"""Days of the shortest month."""

_MONTH = re.compile(r"(\d{4})-(\d{2})(?:-01)?")


@dataclass(frozen=True, order=True)
class Month:
    """One calendar month."""

    year: int
    number: int

    def __post_init__(self) -> None:
        """Refuse a month that does not exist.

        Raises:
            ValueError: the year or the number of the month is out of range.
        """
        if not (1 <= self.number <= 12 and 1 <= self.year <= 9998):
            raise ValueError(f"{self.year}-{self.number} is no month; write YYYY-MM, as in 2024-08")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a month from text such as `2024-08`, or from Dagster's partition key, such as `2024-08-01`.

        Raises:
            ValueError: the text has neither form.
        """
        match = _MONTH.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is no month; write YYYY-MM, as in 2024-08")
        return cls(int(match[1]), int(match[2]))

    @classmethod
    def of(cls, instant: datetime, zone: ZoneInfo) -> Self:
        """Return the month in which an instant falls.

        Raises:
            ValueError: the instant has no time zone.
        """
        if instant.tzinfo is None:
            raise ValueError(f"{instant} has no time zone")
        local = instant.astimezone(zone)
        month = cls(local.year, local.month)
        # Only where clocks are turned back over midnight is an instant outside the month that the calendar shows.
        if local.day == 1 and fixed(instant, zone) < month.start(zone):
            return month - 1
        if local.day >= _SHORTEST and fixed(instant, zone) >= month.end(zone):
            return month + 1
        return month

    @classmethod
    def of_day(cls, day: date) -> Self:
        """The month of a calendar day, such as the first days by which the tables name months."""
        return cls(day.year, day.month)

    @property
    def first_day(self) -> date:
        """The month as the tables name it, by its first day."""
        return date(self.year, self.number, 1)

    @property
    def key(self) -> str:
        """The month as text, such as `2024-08`."""
        return f"{self.year:04}-{self.number:02}"

    @property
    def partition_key(self) -> str:
        """Dagster's partition key of the month, such as `2024-08-01`."""
        return f"{self.key}-01"

    @property
    def suffix(self) -> str:
        """The end of the partition's name, such as `2024_08`."""
        return f"{self.year:04}_{self.number:02}"

    def start(self, zone: ZoneInfo) -> datetime:
        """The first instant of the month, which has a fixed offset from UTC: two of them compare as instants do."""
        midnight = datetime(self.year, self.number, 1, tzinfo=zone)
        return fixed(_first_instant(midnight, zone), zone)

    def end(self, zone: ZoneInfo) -> datetime:
        """Return the first instant after the month."""
        return (self + 1).start(zone)

    def __add__(self, months: int) -> Self:
        """Return the month that is so many months later."""
        year, month = divmod(self.year * 12 + self.number - 1 + months, 12)
        return type(self)(year, month + 1)

    def __sub__(self, months: int) -> Self:
        """Return the month that is so many months earlier."""
        return self + -months

    def through(self, last: Month) -> Iterator[Self]:
        """Yield every month from this one to the last, both included."""
        month = self
        while month <= last:
            yield month
            month += 1

    def __str__(self) -> str:
        """Return the month as text, such as `2024-08`."""
        return self.key


def fixed(instant: datetime, zone: ZoneInfo) -> datetime:
    """The same instant, with the offset that the zone has then, and no other.

    Python compares two times of one zone by their wall clocks, and finds times unequal about which zones disagree.
    """
    local = instant.astimezone(zone)
    offset = local.utcoffset()
    return instant.astimezone(UTC if offset is None else timezone(offset))


def _first_instant(midnight: datetime, zone: ZoneInfo) -> datetime:
    """The first instant from which on the date is that of a midnight which may not exist, or twice."""
    instant = midnight.astimezone(UTC)
    if instant.astimezone(zone).replace(fold=0, tzinfo=None) == midnight.replace(tzinfo=None):
        return instant
    # There is no such midnight. Between these two the clocks were put forward, by a day at most.
    before, after = instant - 2 * _DAY, instant + 2 * _DAY
    while after - before > timedelta.resolution:
        middle = before + (after - before) / 2
        if middle.astimezone(zone).date() >= midnight.date():
            after = middle
        else:
            before = middle
    return after
