"""How adoption alters a database in use: briefly under a lock timeout, or gently without stopping a writer.

Each step announces itself by the audit event of `online_ddl`, so that tests can end the process there, and is timed.
What is altered stands elsewhere.
"""

from __future__ import annotations

import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import cycle
from typing import TYPE_CHECKING, TypeVar

import psycopg
from psycopg import sql

from yumai_pipelines.adoption.target import differences
from yumai_pipelines.model.lock_policy import LockPolicy
from yumai_pipelines.model.relations import Relation
from yumai_pipelines.postgres.locks import LockMode, TableLock
from yumai_pipelines.postgres.patience import LockNotObtainedError, Patience
from yumai_pipelines.postgres.side_by_side import side_by_side
from yumai_pipelines.postgres.sql_files import read_sql
from yumai_pipelines.postgres.transactions import STEP_EVENT, PatientTransactions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from yumai_pipelines.postgres.connections import Connection
    from yumai_pipelines.schema.snapshot import Difference

T = TypeVar("T")

LANES = 2
"""How many connections share what can be done at once: the server's other cores are its application's."""

ONE_ORDER = timedelta(seconds=1)
"""How long locks are tried for in one order, where there are two."""

Statement = sql.SQL | sql.Composed


@dataclass(frozen=True)
class StepRecord:
    """One step that was taken.

    Attributes:
        step: what was done.
        took: from its beginning to its end, with the attempts that gave way to others.
        stopped_writers: for how long at most a writer was held up by it.
    """

    step: str
    took: timedelta
    stopped_writers: timedelta

    def __str__(self) -> str:
        """One line for people."""
        stopped = self.stopped_writers.total_seconds() * 1000
        took = self.took.total_seconds() * 1000
        return f"{self.step} ({took:.0f} ms" + (f", writers held up for {stopped:.0f} ms)" if stopped else ")")


class Steps:
    """Takes the steps of an adoption, on a connection in autocommit mode, and tells of each."""

    def __init__(
        self,
        connect: Callable[[], Connection],
        policy: LockPolicy,
        tell: Callable[[StepRecord], None],
        *,
        alone: threading.RLock | None = None,
    ) -> None:
        """Connect.

        Args:
            connect: gives a connection, and another one for what is done at once.
            policy: of the locks.
            tell: called after each step.
            alone: held by whoever stops writers, or tells, among those that take steps at once.
        """
        self.connection = connect()
        self.policy = policy
        self._connect = connect
        self._tell_others = tell
        self._alone = alone or threading.RLock()
        self._differences: list[Difference] | None = None

    def __enter__(self) -> Steps:
        """Keep the connection until the end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.connection.close()

    def at_once(self, tasks: Sequence[Callable[[Steps], T]]) -> list[T]:
        """Do what concerns different tables side by side, each on a connection that no other task uses meanwhile.

        Two tasks must not lock the same table for a scan: whoever builds an index waits for the snapshots of all, also
        of one who waits for that lock.

        Returns:
            What the tasks returned, in their order.
        """
        self._differences = None
        with ExitStack() as stack:
            lanes = [
                stack.enter_context(Steps(self._connect, self.policy, self._tell_others, alone=self._alone))
                for _ in range(min(LANES, len(tasks)))
            ]
            return side_by_side(lanes, tasks, lambda lane: lane.connection)

    def differences(self) -> list[Difference]:
        """What is unlike the target now: looked up again after each step, and not more often."""
        if self._differences is None:
            self._differences = differences(self.connection)
        return self._differences

    def briefly(
        self,
        step: str,
        locks: Sequence[TableLock],
        work: Callable[[], object] | Iterable[Statement],
        *,
        otherwise: Sequence[TableLock] = (),
    ) -> None:
        """One short transaction: the locks first, within the lock timeout, then what touches the catalogue alone.

        Args:
            step: what is done.
            locks: in the order in which they are taken.
            work: what is done then.
            otherwise: the same in another order, tried in turn: writers hold what they have touched, so one that
                comes to the tables in the other order is in the way of each attempt that it overlaps with.

        Raises:
            LockNotObtainedError: somebody was in the way for as long as the policy's patience.
        """
        self._differences = None
        do = work if callable(work) else _statements(self.connection, list(work))
        orders = [locks, otherwise] if otherwise else [locks]
        each = LockPolicy(self.policy.lock_timeout, ONE_ORDER) if otherwise else self.policy
        patience = Patience(self.policy, step)
        transactions = PatientTransactions(self.connection, each)
        started = time.monotonic()
        if locks:
            self._let_vacuum_end(step, locks)
        with self._alone:
            for order in cycle(orders):
                try:
                    transactions.run(step, order, do)
                except LockNotObtainedError as error:
                    if not otherwise:
                        raise
                    patience.pause(error.blockers)
                else:
                    break
            self._tell(step, started, transactions.statistics.longest)

    def gently(self, step: str, statement: Statement) -> None:
        """One statement that scans, outside a transaction, under locks that go along with readers and writers.

        It may wait for as long as the policy's patience, since nobody waits behind it.

        Raises:
            LockNotObtainedError: somebody was in the way for that long.
        """
        self._differences = None
        sys.audit(STEP_EVENT, step)
        started = time.monotonic()
        with self._patiently(step):
            self.connection.execute(statement)
        self._tell(step, started, timedelta())

    def vacuum(self, table: Relation) -> None:
        """Vacuum and analyze a table of which many rows were written: by and by the server would, and be in the way.

        The file is not made shorter, since writers would have to wait for that.
        """
        self.gently(f"vacuum {table}", sql.SQL("VACUUM (ANALYZE, TRUNCATE FALSE) {}").format(table.identifier))

    def in_batches(self, step: str, batches: Iterable[Callable[[], T]]) -> list[T]:
        """Short transactions, each repeatable, that are told of as one step; what each returned."""
        self._differences = None
        started, transactions = time.monotonic(), PatientTransactions(self.connection, self.policy)
        done = [transactions.run(step, [], batch) for batch in batches]
        self._tell(step, started, timedelta())
        return done

    def _let_vacuum_end(self, step: str, locks: Sequence[TableLock]) -> None:
        """Wait for whoever vacuums a table, or analyzes it, before writers have to wait with us.

        The lock goes along with readers and writers, and the server cancels an autovacuum that it waits for.
        """
        lock = sql.SQL("LOCK TABLE ONLY {} IN SHARE UPDATE EXCLUSIVE MODE")
        with self._patiently(step), self.connection.transaction():
            for each in locks:
                self.connection.execute(lock.format(each.relation.identifier))

    @contextmanager
    def _patiently(self, step: str) -> Iterator[None]:
        """Let locks be waited for as long as the policy's patience: such as nobody waits behind."""
        patience = round(self.policy.patience.total_seconds() * 1000)
        try:
            self.connection.execute("SELECT set_config('lock_timeout', %s, false)", (f"{patience}ms",))
            yield
        except psycopg.errors.LockNotAvailable as error:
            raise LockNotObtainedError(step, self.policy.patience, 1, []) from error
        finally:
            if not self.connection.closed:
                self.connection.execute("RESET lock_timeout")

    def _tell(self, step: str, started: float, stopped: timedelta) -> None:
        with self._alone:
            self._tell_others(StepRecord(step, timedelta(seconds=time.monotonic() - started), stopped))


def _statements(connection: Connection, statements: Sequence[Statement]) -> Callable[[], None]:
    def work() -> None:
        for statement in statements:
            connection.execute(statement)

    return work


def family(connection: Connection, relation: Relation) -> list[Relation]:
    """A table and, when it is partitioned, its partitions: the order in which their locks are taken."""
    rows = connection.execute(read_sql("adoption", "list_family.sql"), {"table": relation.quoted}).fetchall()
    return [Relation(*row) for row in rows]


def exclusively(*relations: Relation) -> list[TableLock]:
    """Locks that nobody else goes along with."""
    return [TableLock(relation, LockMode.ACCESS_EXCLUSIVE) for relation in dict.fromkeys(relations)]


def stopping_writers(*relations: Relation) -> list[TableLock]:
    """Locks that readers go along with."""
    return [TableLock(relation, LockMode.SHARE_ROW_EXCLUSIVE) for relation in dict.fromkeys(relations)]
