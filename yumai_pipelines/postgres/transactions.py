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
from yumai_pipelines.postgres import session
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
"""How long a run may do nothing in a transaction that stops writers, beside its lock timeout.

A machine that is very busy pauses a sound run for longer, so `carry_on` runs it again.
"""

STOPPING_WRITERS_STATEMENT = timedelta(seconds=5)
"""How long each statement of such a transaction may take: it changes the catalogue, and scans nothing."""

STOPPING_WRITERS = timedelta(seconds=10)
"""How long such a transaction may take as a whole, where the server counts it: from PostgreSQL 17 on."""

IDLE = timedelta(minutes=1)
"""How long a run may do nothing in a transaction that stops nobody, but may hold rows."""

PAUSES_OF_FROZEN = (timedelta(seconds=1), timedelta(seconds=5), timedelta(seconds=15))
"""How long writers have to themselves before a run that was frozen is run again, once for each."""

PAUSE_BETWEEN_ASKING = timedelta(milliseconds=2)
"""How long an attempt that strengthens a lock waits before it asks for it again."""

IDLE_TIMEOUT = "idle_in_transaction_session_timeout"

_FROZEN = ("25P03", "25P04")
"""The states of errors by which the server says that it ended an idle, or a long, transaction."""

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
    """The server ended a transaction that others would have waited for too long: its run, or the server, was too slow.

    The run was stopped or cut off, or the machine was too busy. The transaction was undone.
    """


def refuse_frozen(step: str, error: psycopg.Error) -> None:
    """Say that the server has ended a transaction in which its run was too slow, if that is what an error says.

    Raises:
        FrozenError: it is.
    """
    if error.sqlstate in _FROZEN:
        raise FrozenError(f"Step '{step}' was undone. {explain(error)} Run again: what is done stays done.") from error


def limit_transaction(connection: Connection, limits: dict[str, timedelta]) -> None:
    """Set timeouts for the rest of a transaction; those that this version of the server does not know are left out."""
    values = [f"{round(limit.total_seconds() * 1000)}ms" for limit in limits.values()]
    connection.execute(session.SET_LOCALLY, (list(limits), values))


def carry_on(run: Callable[[], T]) -> T:
    """Run something that opens its own connections, and can be run again; again, if a transaction of it was frozen.

    Raises:
        FrozenError: it was frozen each time.
    """
    for pause in PAUSES_OF_FROZEN:
        try:
            return run()
        except FrozenError:
            time.sleep(pause.total_seconds())
    return run()


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
            FrozenError: the server ended the transaction, so that others need not wait any longer.
            EndedError: somebody ended the connection.
        """
        patience = Patience(self.policy, step)
        give_way: tuple[type[psycopg.Error], ...] = (*_GIVE_WAY, *transient)
        while True:
            sys.audit(STEP_EVENT, step)
            begun = time.monotonic()
            try:
                return self._attempt(locks, work)
            except give_way as error:
                self._refuse_long(step, locks, begun, error)
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

    def _refuse_long(self, step: str, locks: Sequence[TableLock], begun: float, error: psycopg.Error) -> None:
        """Tell a statement that took too long from one that somebody cancelled."""
        limit = self._limits(locks).get("statement_timeout")
        took = timedelta(seconds=time.monotonic() - begun)
        if limit is not None and took >= limit and isinstance(error, psycopg.errors.QueryCanceled):
            raise FrozenError(
                f"Step '{step}' was ended, since a statement of it took {limit.total_seconds():g} s, and writers may "
                "have waited for it: the server is too busy. The step was undone. Run again when the server is less "
                "busy: what is done stays done."
            ) from error

    def _explain(self, step: str, error: psycopg.DatabaseError) -> None:
        """Say who ended the connection, where it is gone."""
        refuse_frozen(step, error)
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
                limit_transaction(self.connection, self._limits(locks))
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

    def _limits(self, locks: Sequence[TableLock]) -> dict[str, timedelta]:
        """After how long the server is to end an attempt whose run is stopped, cut off or slow, while others wait."""
        wait = self.policy.lock_timeout
        if not any(lock.mode.stops_writers for lock in locks):
            return {IDLE_TIMEOUT: max(IDLE, wait)}
        return {
            IDLE_TIMEOUT: max(STOPPING_WRITERS_IDLE, wait),
            "statement_timeout": STOPPING_WRITERS_STATEMENT + wait,
            "transaction_timeout": STOPPING_WRITERS + wait,
        }

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
