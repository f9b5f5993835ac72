"""Clocks that can be set, for whole programs: libfaketime tells them the time that stands in a file.

Only the time of day is another. What programs measure or wait for (the monotonic clock) passes as it does for all
others, and the dates of files are the real ones.

These clocks must be ahead of the machine's: the years of the tests are in the future. A signal handler that interrupts
a wait is told the real time, and PostgreSQL's compares timeouts with it. A server that is ahead finds none over, and
waits on, also for a lock; one that is behind would find all of them over, and end any transaction that is idle.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.support import MEMORY

if TYPE_CHECKING:
    from collections.abc import Iterator

LIBRARY = "libfaketimeMT.so.1"
_PLACES = ("usr/lib/*/faketime", "usr/lib/faketime", "usr/lib64/faketime", "usr/local/lib/faketime")


def library() -> Path:
    """Return the path of libfaketime, or fail and say how to get it."""
    found = next((path for place in _PLACES for path in Path("/").glob(f"{place}/{LIBRARY}")), None)
    if found is None:
        pytest.fail(f"These tests need {LIBRARY}, which sets programs' clocks. On Debian: apt-get install faketime")
    return found


def clear_remains() -> None:
    """Remove what libfaketime keeps in memory of killed processes: a new one with the pid of such could not start."""
    for name in ("faketime_shm_*", "sem.faketime_sem_*"):
        for remains in MEMORY.glob(name):
            if not psutil.pid_exists(int(remains.name.rpartition("_")[2])):
                remains.unlink(missing_ok=True)


class Clock:
    """A clock in a file, which any account may read. It goes on by itself, at the pace of the machine's."""

    def __init__(self, path: Path, instant: datetime) -> None:
        """Make a clock that shows an instant."""
        self._path = path
        self._library = library()
        clear_remains()
        self.set(instant)

    @property
    def now(self) -> datetime:
        """The time that the programs see, in UTC."""
        return datetime.now(UTC) + self._ahead

    def set(self, instant: datetime) -> None:
        """Set the clock. Programs that run see the new time from their next look at it on."""
        self._ahead = instant - datetime.now(UTC)
        assert self._ahead >= timedelta(0), "libfaketime does not work for servers that are behind the time"
        # Replaced, since a program that finds the file empty would see the real time.
        draft = self._path.with_suffix(".draft")
        draft.write_text(f"{self._ahead.total_seconds():+.6f}\n")
        draft.chmod(0o644)
        draft.replace(self._path)

    def put(self, by: timedelta) -> None:
        """Put the clock forward, or backward if the time is negative."""
        self.set(self.now + by)

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which a program starts that is to have this clock. Its children have it, too."""
        return {
            "LD_PRELOAD": str(self._library),
            "FAKETIME_TIMESTAMP_FILE": str(self._path),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    @contextmanager
    def inherited(self) -> Iterator[None]:
        """Give this clock to the programs that the block starts with the environment of this process."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environment.items():
                patch.setenv(name, value)
            yield
