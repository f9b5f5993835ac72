"""What a set of archived rows comes to: how many, from when to when, and their checksum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True)
class Summary:
    """What a set of rows comes to.

    Attributes:
        rows: how many.
        first: the earliest `conversation_time`; None of no rows.
        last: the latest.
        checksum: 64 hexadecimal digits.
    """

    rows: int
    first: datetime | None
    last: datetime | None
    checksum: str

    def __str__(self) -> str:
        """One line for people."""
        return f"{self.rows:,} rows from {self.first} to {self.last}, checksum {self.checksum}"
