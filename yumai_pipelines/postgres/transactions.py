"""Transactions on tables that are in use: short attempts under a lock timeout, retried until patience ends.

Every session that asks for a lock after one that waits has to wait too, so the wait must be short. An attempt is one
transaction. It first takes its locks, in the canonical order (referenced tables, then the parent, then its partitions),
and gives up if the lock timeout passes before it has all of them. Then it does its work, which is quick if writers have
to wait for it.

The callers decide which tables are changed, and why.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import psycopg
from psycopg import sql

from yumai_pipelines.model.lock_policy import LockPolicy
from yumai_pipelines.postgres.endings import UNWANTED, EndedError, explain
from yumai_pipelines.postgres.errors import DatabaseError
from yumai_pipelines.postgres.locks import LockMode, TableLock, list_holders
from yumai_pipelines.postgres.patience import LockNotObtainedError, Patience
from yumai_pipelines.postgres.values import read_value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from yumai_pipelines.model.relations import Relation
    from yumai_pipelines.postgres.connections import Connection
    from yumai_pipelines.postgres.patience import Blocker

T = TypeVar("T")

STEP_EVENT = "yumai_pipelines.step"
"""The audit event that is raised before every transaction, with the step's name. Tests end the process there."""

STOPPING_WRITERS_IDLE = timedelta(seconds=1)
"""How long a run may do nothing in a transaction that stops writers.

A busy machine pauses a sound run for less. One was ended on two cores at a load of 17, with its own priority lowered.
"""

IDLE = timedelta(minutes=1)
"""The same of a transaction that stops nobody, but may hold rows."""

PAUSE_BETWEEN_ASKING = timedelta(milliseconds=2)
"""How long an attempt that strengthens a lock waits before it asks for it again."""

_UPGRADES_NOWAIT = 170000

_GIVE_WAY = (
    psycopg.errors.LockNotAvailable,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
    psycopg.errors.QueryCanceled,
)


@dataclass(frozen=True)
class LockStatistics:
    """How long transactions may have made other sessions wait so far.

    Attributes:
        attempts: transactions that were begun.
        retries: attempts that gave way to other sessions.
        held: the time from an attempt's first lock that stops writers to the attempt's end, added up for all attempts.
        longest: the longest such time of one attempt.
    """

    attempts: int = 0
    retries: int = 0
    held: timedelta = timedelta()
    longest: timedelta = timedelta()

    def __add__(self, other: LockStatistics) -> LockStatistics:
        """Add up two statistics."""
        return LockStatistics(
            self.attempts + other.attempts,
            self.retries + other.retries,
            self.held + other.held,
            max(self.longest, other.longest),
        )


class FrozenError(DatabaseError):
    """The server ended a transaction since its run did nothing in it for too long: it was stopped, or cut off."""


class PatientTransactions:
    """Runs DDL under a lock policy, on a connection in autocommit mode, and measures how long others had to wait."""

    def __init__(self, connection: Connection, policy: LockPolicy) -> None:
        """Keep the lock timeout below the server's `deadlock_timeout`, so that no other session is cancelled."""
        self.connection = connection
        self.statistics = LockStatistics()
        longest = read_value(connection, "SELECT current_setting('deadlock_timeout')::interval") * 0.9
        self.policy = LockPolicy(min(policy.lock_timeout, longest), policy.patience)

    def run(
        self,
        step: str,
        locks: Sequence[TableLock],
        work: Callable[[], T],
        *,
        transient: tuple[type[psycopg.Error], ...] = (),
    ) -> T:
        """Take the locks and do the work in one transaction, and retry that until no other session is in the way.

        Args:
            step: the name of the step, for people and for the audit event.
            locks: in the canonical order; the attempt as a whole waits no longer than the policy's lock timeout.
            work: runs statements on `self.connection`. It may be called again, after its transaction was rolled back.
            transient: further errors after which the next attempt may succeed.

        Raises:
            LockNotObtainedError: patience ended.
            EndedError: somebody ended the connection.
        """
        patience = Patience(self.policy, step)
        give_way: tuple[type[psycopg.Error], ...] = (*_GIVE_WAY, *transient)
        while True:
            sys.audit(STEP_EVENT, step)
            try:
                return self._attempt(locks, work)
            except give_way as error:
                self._pause(patience, locks, error)
            except psycopg.DatabaseError as error:
                self._explain(step, error)
                raise

    def run_outside(self, step: str, tables: Sequence[Relation], statement: Callable[[], sql.Composed | None]) -> None:
        """Run statements that cannot run in a transaction block, until there are no more.

        Args:
            step: the name of the step, for people and for the audit event.
            tables: the tables that the statements lock. The error names the sessions that hold locks on them.
            statement: returns the next statement, or None. It is called again after each statement, also after one that
                gave way.

        Raises:
            LockNotObtainedError: patience ended.
            EndedError: somebody ended the connection.
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
                self._pause(patience, locks, error)
            except psycopg.DatabaseError as error:
                self._explain(step, error)
                raise
            finally:
                if not self.connection.closed:
                    self.connection.execute("RESET lock_timeout")

    def _pause(self, patience: Patience, locks: Sequence[TableLock], error: psycopg.Error) -> None:
        """Wait before the next attempt; whoever cancelled this one held no lock."""
        cancelled = isinstance(error, psycopg.errors.QueryCanceled)
        if cancelled and self.connection in UNWANTED:
            raise error
        self.statistics += LockStatistics(retries=1)
        try:
            patience.pause([] if cancelled else self._blockers(locks), cancelled=cancelled)
        except LockNotObtainedError as final:
            raise final from error

    def _explain(self, step: str, error: psycopg.DatabaseError) -> None:
        """Say who ended the connection, where it is gone."""
        if isinstance(error, psycopg.errors.IdleInTransactionSessionTimeout):
            raise FrozenError(
                f"Step '{step}' did nothing in its transaction for so long that the server ended it: the run was "
                "stopped, or its machine was too busy. The step was undone. Run again: what is done stays done."
            ) from error
        if self.connection.closed:
            raise EndedError(
                f"Step '{step}' lost its connection. {explain(error) or str(error).strip()} The step was undone, "
                "unless it was already committed. Run again: what is done stays done."
            ) from error

    def _attempt(self, locks: Sequence[TableLock], work: Callable[[], T]) -> T:
        deadline = time.monotonic() + self.policy.lock_timeout.total_seconds()
        first_lock = None
        try:
            with self.connection.transaction():
                self.connection.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
                self._limit_idleness(locks)
                for lock in locks:
                    self._take(lock, deadline)
                    if lock.mode.stops_writers:
                        first_lock = first_lock or time.monotonic()
                self._limit_lock_wait(deadline)
                return work()
        finally:
            held = timedelta(seconds=time.monotonic() - first_lock) if first_lock else timedelta()
            self.statistics += LockStatistics(attempts=1, held=held, longest=held)

    def _take(self, lock: TableLock, deadline: float) -> None:
        statement = sql.SQL("LOCK TABLE ONLY {} IN {} MODE").format(lock.relation.identifier, lock.mode.statement)
        # PostgreSQL 16 refuses NOWAIT even if other sessions only wait for a lock that this one holds. There, the
        # statement waits for 1 ms instead.
        nowait = sql.SQL(" NOWAIT" if self.connection.info.server_version >= _UPGRADES_NOWAIT else "")
        while lock.strengthens:
            try:
                with self.connection.transaction():
                    self._limit_lock_wait(time.monotonic())
                    self.connection.execute(statement + nowait)
            except psycopg.errors.LockNotAvailable:
                if time.monotonic() > deadline:
                    raise
                time.sleep(PAUSE_BETWEEN_ASKING.total_seconds())
            else:
                return
        self._limit_lock_wait(deadline)
        self.connection.execute(statement)

    def _limit_idleness(self, locks: Sequence[TableLock]) -> None:
        """Have the server end the transaction of a run that is stopped, or cut off, while others wait for its locks."""
        limit = STOPPING_WRITERS_IDLE if any(lock.mode.stops_writers for lock in locks) else IDLE
        limit = max(limit, self.policy.lock_timeout)
        milliseconds = f"{round(limit.total_seconds() * 1000)}ms"
        self.connection.execute("SELECT set_config('idle_in_transaction_session_timeout', %s, true)", (milliseconds,))

    def _limit_lock_wait(self, deadline: float) -> None:
        """Let the next lock wait only for the rest of the attempt's time, at least 1 ms because 0 means no limit."""
        remaining = max(1, round((deadline - time.monotonic()) * 1000))
        self.connection.execute("SELECT set_config('lock_timeout', %s, true)", (f"{remaining}ms",))

    def _blockers(self, locks: Sequence[TableLock]) -> list[Blocker]:
        """List the sessions that hold locks which conflict with these.

        If there are none, the attempt waited for a row, and all sessions with a lock on the tables are listed.
        """
        wanted = {lock.relation: lock.mode for lock in locks}
        holders = list_holders(self.connection, wanted)
        compatible = {str(table): mode.compatible for table, mode in wanted.items()}
        return [h for h in holders if h.mode not in compatible.get(h.relation, ())] or holders
