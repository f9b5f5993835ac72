"""How long a transaction may make other sessions wait, and how long it is retried."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class LockPolicy:
    """How long DDL may make other sessions wait, and how long it is retried.

    Attributes:
        lock_timeout: the longest time that one attempt waits for all its locks together, and makes a writer wait.
        patience: the total time after which no further attempt is made.
    """

    lock_timeout: timedelta = timedelta(milliseconds=100)
    patience: timedelta = timedelta(seconds=300)
