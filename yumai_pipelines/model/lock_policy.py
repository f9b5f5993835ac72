"""How long a transaction may make others wait, and how long it goes on trying."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class LockPolicy:
    """How long DDL may stop others, and how long it goes on trying.

    Attributes:
        lock_timeout: longest time that one attempt waits for all its locks together, so the longest stall of a writer.
        patience: total time after which it gives up.
    """

    lock_timeout: timedelta = timedelta(milliseconds=100)
    patience: timedelta = timedelta(seconds=300)
