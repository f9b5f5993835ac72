"""Calendar months of the business. This module reads neither a clock nor a database.

A month begins and ends at midnight in the business's time zone (Asia/Seoul), whatever the client's time zone is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

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
        return cls(local.year, local.month)

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
        """Return the first instant of the month."""
        return datetime(self.year, self.number, 1, tzinfo=zone)

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
