"""Waiting for other sessions: the pauses grow up to a limit, after which an error names the sessions in the way."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import SystemRandom
from typing import TYPE_CHECKING

from psycopg import sql

from yumai_pipelines.postgres.errors import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from yumai_pipelines.model.lock_policy import LockPolicy

LONGEST_PAUSE = timedelta(seconds=2)


@dataclass(frozen=True)
class Blocker:
    """A session in the way, or a prepared transaction, which has no session any more.

    Fields that the server hides from this role are None or a question mark.

    Attributes:
        pid: the session's; None for a prepared transaction.
        application_name: what the session calls itself; the owner of a prepared transaction.
        gid: the name of a prepared transaction.
    """

    pid: int | None
    application_name: str
    state: str
    transaction_age: timedelta | None
    query_start: datetime | None
    query: str
    relation: str
    mode: str
    gid: str | None = None

    def __str__(self) -> str:
        """Return one line of text for people."""
        age = "of unknown age" if self.transaction_age is None else f"open for {self.transaction_age}"
        if self.gid is not None:
            gid = sql.quote(self.gid)
            return (
                f"the prepared transaction {gid} of {self.application_name}, {age}, holds {self.mode} on "
                f"{self.relation}; no session has it, so end it with ROLLBACK PREPARED {gid}, or COMMIT PREPARED {gid}"
            )
        start = "at an unknown time" if self.query_start is None else f"at {self.query_start:%Y-%m-%d %H:%M:%S%z}"
        return (
            f"pid {self.pid} ({self.application_name}, {self.state}), transaction {age}, holds {self.mode} on "
            f"{self.relation}; its last query began {start}: {self.query or '?'}"
        )


class LockNotObtainedError(DatabaseError):
    """The policy's patience ended before the locks of a step were free. `blockers` are the sessions that held them."""

    def __init__(
        self, step: str, patience: timedelta, attempts: int, blockers: Sequence[Blocker], cancelled: int = 0
    ) -> None:
        """Name the step, who was in the way, and how many attempts were cancelled instead."""
        self.step = step
        self.blockers = tuple(blockers)
        if cancelled and not blockers:
            super().__init__(
                f"Step '{step}' was cancelled: {cancelled} of its {attempts} attempts in {patience.total_seconds():g} "
                "s. Nobody held its locks: somebody cancels our statements with pg_cancel_backend() (a superuser, a "
                "member of pg_signal_backend or of our role, or a program of theirs), or sets a statement_timeout "
                "on the way. The server's log says when. Have that stopped, and run again: what is done stays done, "
                "and the next run goes on from there."
            )
            return
        who = "\n".join(f"  - {blocker}" for blocker in self.blockers) or "  - nobody who is still there"
        super().__init__(
            f"Step '{step}' gave way to others for {patience.total_seconds():g} s ({attempts} attempts"
            f"{f', {cancelled} of them cancelled by somebody' if cancelled else ''}). In the way:"
            f"\n{who}\nWait for them, or end them with pg_terminate_backend(pid), and run again: what is done stays "
            "done, and the next run goes on from there."
        )


@dataclass
class Patience:
    """The pauses of one step: longer each time, with jitter, until the policy's patience is used up."""

    policy: LockPolicy
    step: str
    first: timedelta | None = None
    longest: timedelta = LONGEST_PAUSE
    attempts: int = 0
    cancelled: int = 0
    blockers: Sequence[Blocker] = ()
    _started: float = field(default_factory=time.monotonic)
    _random: SystemRandom = field(default_factory=SystemRandom)

    def pause(self, blockers: Sequence[Blocker], *, cancelled: bool = False) -> None:
        """Sleep before the next attempt.

        Args:
            blockers: who was in the way of this one.
            cancelled: somebody cancelled this one.

        Raises:
            LockNotObtainedError: the next attempt would come after the policy's patience has ended.
        """
        self.attempts += 1
        self.cancelled += cancelled
        self.blockers = blockers or self.blockers
        base = (self.first or self.policy.lock_timeout) * 2 ** min(self.attempts - 1, 10)
        seconds = min(base, self.longest).total_seconds() * self._random.uniform(0.5, 1.5)
        if time.monotonic() + seconds > self._started + self.policy.patience.total_seconds():
            raise LockNotObtainedError(self.step, self.policy.patience, self.attempts, self.blockers, self.cancelled)
        time.sleep(seconds)
