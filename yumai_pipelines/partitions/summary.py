"""The summary of a set of archived rows: their number, their first and last time, and their checksum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True)
class Summary:
    """The summary of a set of rows.

    Attributes:
        rows: the number of rows.
        first: the earliest `conversation_time`; None if there are no rows.
        last: the latest `conversation_time`; None if there are no rows.
        checksum: 64 hexadecimal digits.
    """

    rows: int
    first: datetime | None
    last: datetime | None
    checksum: str

    def __str__(self) -> str:
        """Return one line of text for people."""
        return f"{self.rows:,} rows from {self.first} to {self.last}, checksum {self.checksum}"
