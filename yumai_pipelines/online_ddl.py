"""DDL on tables in use: short attempts under a lock timeout, retried until patience ends.

A lock that is waited for stops everybody who comes after, so the wait is what must be short. An attempt is one
transaction that takes its locks first, in one order (referenced tables, then the parent, then its partitions), gives up
when the whole of its time is over, and then does what touches the catalogue alone.

What is altered, and why, stands elsewhere: no table is named here.
"""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from random import SystemRandom
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from yumai_pipelines.database import DatabaseError
from yumai_pipelines.sql_files import read_sql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from yumai_pipelines.relations import Relation

T = TypeVar("T")
Connection = psycopg.Connection[Any]

STEP_EVENT = "yumai_pipelines.step"
"""Audit event raised before every transaction, with the step's name; tests end the process there."""

LONGEST_PAUSE = timedelta(seconds=2)
GLANCE = timedelta(milliseconds=2)
_UPGRADES_NOWAIT = 170000

_GIVE_WAY = (
    psycopg.errors.LockNotAvailable,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
    psycopg.errors.QueryCanceled,
)


class LockMode(Enum):
    """A table lock's mode, with the held modes that it goes along with."""

    ACCESS_SHARE = (
        "ACCESS SHARE",
        "AccessShareLock RowShareLock RowExclusiveLock ShareUpdateExclusiveLock ShareLock ShareRowExclusiveLock "
        "ExclusiveLock",
    )
    SHARE_ROW_EXCLUSIVE = ("SHARE ROW EXCLUSIVE", "AccessShareLock RowShareLock")
    ACCESS_EXCLUSIVE = ("ACCESS EXCLUSIVE", "")

    def __init__(self, statement: str, compatible: str) -> None:
        """Keep the mode's spelling in `LOCK TABLE` and, as `pg_locks` spells them, the modes it tolerates."""
        self.statement = sql.SQL(statement)
        self.compatible = frozenset(compatible.split())

    @property
    def stops_writers(self) -> bool:
        """Whether writers have to wait for it."""
        return "RowExclusiveLock" not in self.compatible


@dataclass(frozen=True)
class TableLock:
    """A lock that an attempt takes.

    Attributes:
        relation: the table.
        mode: how it is locked.
        strengthens: the attempt holds a weaker lock on the table already. It then asks again and again instead of
            waiting: whoever else wants to strengthen a lock behind one that waits for the same is cancelled at once,
            whatever `deadlock_timeout` says.
    """

    relation: Relation
    mode: LockMode
    strengthens: bool = False


@dataclass(frozen=True)
class LockPolicy:
    """How long DDL may stop others, and how long it goes on trying.

    Attributes:
        lock_timeout: longest time that one attempt waits for all its locks together, so the longest stall of a writer.
        patience: total time after which it gives up.
    """

    lock_timeout: timedelta = timedelta(milliseconds=100)
    patience: timedelta = timedelta(seconds=300)


@dataclass(frozen=True)
class LockStatistics:
    """What DDL has cost others so far.

    Attributes:
        attempts: transactions begun.
        retries: attempts that gave way to somebody.
        held: time between an attempt's first lock that stops writers and its end, summed.
        longest: the longest such time.
    """

    attempts: int = 0
    retries: int = 0
    held: timedelta = timedelta()
    longest: timedelta = timedelta()

    def __add__(self, other: LockStatistics) -> LockStatistics:
        """Both together."""
        return LockStatistics(
            self.attempts + other.attempts,
            self.retries + other.retries,
            self.held + other.held,
            max(self.longest, other.longest),
        )


@dataclass(frozen=True)
class Blocker:
    """A session in the way. Fields that the server hides from this role are None or a question mark."""

    pid: int
    application_name: str
    state: str
    transaction_age: timedelta | None
    query_start: datetime | None
    query: str
    relation: str
    mode: str

    def __str__(self) -> str:
        """One line for people."""
        age = "of unknown age" if self.transaction_age is None else f"open for {self.transaction_age}"
        start = "at an unknown time" if self.query_start is None else f"at {self.query_start:%Y-%m-%d %H:%M:%S%z}"
        return (
            f"pid {self.pid} ({self.application_name}, {self.state}), transaction {age}, holds {self.mode} on "
            f"{self.relation}; its last query began {start}: {self.query or '?'}"
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


class OnlineDDL:
    """Runs DDL under a lock policy, on a connection in autocommit mode, and keeps count of what that cost."""

    def __init__(self, connection: Connection, policy: LockPolicy) -> None:
        """Keep the lock timeout below the server's `deadlock_timeout`, so that no deadlock ever cancels another."""
        self.connection = connection
        self.statistics = LockStatistics()
        row = connection.execute("SELECT current_setting('deadlock_timeout')::interval").fetchone()
        longest = (row[0] if row else timedelta(seconds=1)) * 0.9
        self.policy = LockPolicy(min(policy.lock_timeout, longest), policy.patience)

    def run(
        self,
        step: str,
        locks: Sequence[TableLock],
        work: Callable[[], T],
        *,
        transient: tuple[type[psycopg.Error], ...] = (),
    ) -> T:
        """Take the locks and do the work, in one transaction, again and again until nobody is in the way.

        Args:
            step: name for people and for the audit event.
            locks: in the canonical order; the attempt as a whole waits no longer than the policy's lock timeout.
            work: statements on `self.connection`; repeatable, since an attempt that gives way is rolled back.
            transient: further errors that the next attempt may be spared.

        Raises:
            LockNotObtainedError: patience ended.
        """
        patience = Patience(self.policy, step)
        give_way: tuple[type[psycopg.Error], ...] = (*_GIVE_WAY, *transient)
        while True:
            sys.audit(STEP_EVENT, step)
            try:
                return self._attempt(locks, work)
            except give_way as error:
                self.statistics += LockStatistics(retries=1)
                try:
                    patience.pause(self._blockers(locks))
                except LockNotObtainedError as final:
                    raise final from error

    def run_outside(self, step: str, tables: Sequence[Relation], statement: Callable[[], sql.Composed | None]) -> None:
        """Run statements that allow no transaction around them, until there is none left.

        Args:
            step: name for people and for the audit event.
            tables: what they lock; whoever holds a lock there is named when patience ends.
            statement: the next one; it is asked again after each, and after each that gave way.

        Raises:
            LockNotObtainedError: patience ended.
        """
        patience = Patience(self.policy, step)
        locks = [TableLock(table, LockMode.ACCESS_EXCLUSIVE) for table in tables]
        timeout = f"{round(self.policy.lock_timeout.total_seconds() * 1000)}ms"
        while (text := statement()) is not None:
            sys.audit(STEP_EVENT, step)
            self.statistics += LockStatistics(attempts=1)
            self.connection.execute("SELECT set_config('lock_timeout', %s, false)", (timeout,))
            try:
                self.connection.execute(text)
            except _GIVE_WAY as error:
                self.statistics += LockStatistics(retries=1)
                try:
                    patience.pause(self._blockers(locks))
                except LockNotObtainedError as final:
                    raise final from error
            finally:
                if not self.connection.closed:
                    self.connection.execute("RESET lock_timeout")

    def _attempt(self, locks: Sequence[TableLock], work: Callable[[], T]) -> T:
        deadline = time.monotonic() + self.policy.lock_timeout.total_seconds()
        first_lock = None
        try:
            with self.connection.transaction():
                self.connection.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
                for lock in locks:
                    self._take(lock, deadline)
                    if lock.mode.stops_writers:
                        first_lock = first_lock or time.monotonic()
                self._wait_until(deadline)
                return work()
        finally:
            held = timedelta(seconds=time.monotonic() - first_lock) if first_lock else timedelta()
            self.statistics += LockStatistics(attempts=1, held=held, longest=held)

    def _take(self, lock: TableLock, deadline: float) -> None:
        statement = sql.SQL("LOCK TABLE ONLY {} IN {} MODE").format(lock.relation.identifier, lock.mode.statement)
        # PostgreSQL 16 refuses NOWAIT, too, when others only queue for what is held already: there it waits for 1 ms.
        nowait = sql.SQL(" NOWAIT" if self.connection.info.server_version >= _UPGRADES_NOWAIT else "")
        while lock.strengthens:
            try:
                with self.connection.transaction():
                    self._wait_until(time.monotonic())
                    self.connection.execute(statement + nowait)
            except psycopg.errors.LockNotAvailable:
                if time.monotonic() > deadline:
                    raise
                time.sleep(GLANCE.total_seconds())
            else:
                return
        self._wait_until(deadline)
        self.connection.execute(statement)

    def _wait_until(self, deadline: float) -> None:
        """Let the next lock wait for what remains of the attempt (PostgreSQL reads 0 as for ever)."""
        remaining = max(1, round((deadline - time.monotonic()) * 1000))
        self.connection.execute("SELECT set_config('lock_timeout', %s, true)", (f"{remaining}ms",))

    def _blockers(self, locks: Sequence[TableLock]) -> list[Blocker]:
        """Who holds what these locks conflict with; when nobody does, it was a row: who holds any lock there."""
        wanted = {lock.relation: lock.mode for lock in locks}
        with self.connection.cursor(row_factory=class_row(Blocker)) as cursor:
            holders = cursor.execute(
                read_sql("partitions", "list_lock_holders.sql"),
                {"names": [table.quoted for table in wanted], "labels": [str(table) for table in wanted]},
            ).fetchall()
        compatible = {str(table): mode.compatible for table, mode in wanted.items()}
        return [h for h in holders if h.mode not in compatible.get(h.relation, ())] or holders


@contextmanager
def advisory_lock(connection: Connection, name: str, policy: LockPolicy) -> Iterator[None]:
    """Keep other runs of the same name in this database out, for as long as the session lives.

    Raises:
        LockNotObtainedError: another run holds the lock, and patience ended.
    """
    patience = Patience(policy, name)
    key = {"key": name}
    while connection.execute("SELECT pg_try_advisory_lock(hashtextextended(%(key)s, 0))", key).fetchone() != (True,):
        with connection.cursor(row_factory=class_row(Blocker)) as cursor:
            patience.pause(cursor.execute(read_sql("partitions", "list_advisory_lock_holders.sql"), key).fetchall())
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute("SELECT pg_advisory_unlock(hashtextextended(%(key)s, 0))", key)
