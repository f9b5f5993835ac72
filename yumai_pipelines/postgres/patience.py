"""Waiting for others: the pauses grow, until a limit ends them, and the error names who was in the way."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import SystemRandom
from typing import TYPE_CHECKING

from yumai_pipelines.postgres.errors import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from yumai_pipelines.model.lock_policy import LockPolicy

LONGEST_PAUSE = timedelta(seconds=2)


@dataclass(frozen=True)
class Blocker:
    """A session in the way. Fields that the server hides from this role are None or a question mark.

    Attributes:
        stranger: its login, when it holds a lock of the pipeline without being one of its logins.
    """

    pid: int
    application_name: str
    state: str
    transaction_age: timedelta | None
    query_start: datetime | None
    query: str
    relation: str
    mode: str
    stranger: str | None = None

    def __str__(self) -> str:
        """One line for people."""
        age = "of unknown age" if self.transaction_age is None else f"open for {self.transaction_age}"
        start = "at an unknown time" if self.query_start is None else f"at {self.query_start:%Y-%m-%d %H:%M:%S%z}"
        line = (
            f"pid {self.pid} ({self.application_name}, {self.state}), transaction {age}, holds {self.mode} on "
            f"{self.relation}; its last query began {start}: {self.query or '?'}"
        )
        if self.stranger is None:
            return line
        return (
            f'{line}\n    Its login "{self.stranger}" is no member of yumai_pipeline, and has no business with this '
            "lock, which every run needs. Ask whose it is; as a superuser, "
            f'ALTER ROLE "{self.stranger}" NOLOGIN and SELECT pg_terminate_backend({self.pid}) end it.'
        )


class LockNotObtainedError(DatabaseError):
    """Patience ended before the locks of a step were free. `blockers` are the sessions that held them."""

    def __init__(self, step: str, patience: timedelta, attempts: int, blockers: Sequence[Blocker]) -> None:
        """Name the step, and who was in the way."""
        self.step = step
        self.blockers = tuple(blockers)
        who = "\n".join(f"  - {blocker}" for blocker in self.blockers) or "  - nobody who is still there"
        super().__init__(
            f"Step '{step}' gave way to others for {patience.total_seconds():g} s ({attempts} attempts). In the way:"
            f"\n{who}\nWait for them, or end them with pg_terminate_backend(pid), and run again: what is done stays "
            "done, and the next run goes on from there."
        )


@dataclass
class Patience:
    """The pauses of one step: longer each time, with jitter, until the total is used up."""

    policy: LockPolicy
    step: str
    first: timedelta | None = None
    longest: timedelta = LONGEST_PAUSE
    attempts: int = 0
    blockers: Sequence[Blocker] = ()
    _started: float = field(default_factory=time.monotonic)
    _random: SystemRandom = field(default_factory=SystemRandom)

    def pause(self, blockers: Sequence[Blocker]) -> None:
        """Sleep before the next attempt.

        Raises:
            LockNotObtainedError: the next attempt would come after the policy's patience has ended.
        """
        self.attempts += 1
        self.blockers = blockers or self.blockers
        base = (self.first or self.policy.lock_timeout) * 2 ** min(self.attempts - 1, 10)
        seconds = min(base, self.longest).total_seconds() * self._random.uniform(0.5, 1.5)
        if time.monotonic() + seconds > self._started + self.policy.patience.total_seconds():
            raise LockNotObtainedError(self.step, self.policy.patience, self.attempts, self.blockers)
        time.sleep(seconds)
