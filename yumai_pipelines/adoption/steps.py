"""Runs the steps of an adoption in a database in use: briefly under a lock timeout, or without stopping writers.

Each step raises the audit event `STEP_EVENT` of `postgres.transactions`, at which tests can end the process, and is
timed.
"""

from __future__ import annotations

import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import cycle
from typing import TYPE_CHECKING, TypeVar

import psycopg
from psycopg import sql

from yumai_pipelines.adoption.bystanders import be_silent, may_be_silent
from yumai_pipelines.adoption.kinds import Kind, Ruling, There
from yumai_pipelines.adoption.target import relations
from yumai_pipelines.model.lock_policy import LockPolicy
from yumai_pipelines.model.relations import Relation
from yumai_pipelines.postgres.locks import LockMode, TableLock, list_holders
from yumai_pipelines.postgres.patience import LockNotObtainedError, Patience
from yumai_pipelines.postgres.side_by_side import side_by_side
from yumai_pipelines.postgres.sql_files import read_sql
from yumai_pipelines.postgres.transactions import STEP_EVENT, PatientTransactions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from yumai_pipelines.postgres.connections import Connection

T = TypeVar("T")

LANES = 2
"""Number of connections for tasks that run at the same time; the application needs the server's other cores."""

ONE_ORDER = timedelta(seconds=1)
"""How long a step tries one order of its locks before it tries the other, where it has two."""

Statement = sql.SQL | sql.Composed


@dataclass(frozen=True)
class StepRecord:
    """One step that was taken.

    Attributes:
        step: what was done.
        took: time from its beginning to its end, with the attempts that gave way to others.
        stopped_writers: the longest time for which it held up a writer.
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
    """Runs the steps of an adoption on a connection in autocommit mode, and reports each."""

    def __init__(
        self,
        connect: Callable[[], Connection],
        policy: LockPolicy,
        tell: Callable[[StepRecord], None],
        *,
        alone: threading.RLock | None = None,
    ) -> None:
        """Open the connection.

        Args:
            connect: opens a connection; also called for tasks that run at the same time.
            policy: lock timeout and patience.
            tell: called after each step.
            alone: lock for stopping writers and for reporting, shared by tasks that run at the same time.
        """
        self.connection = connect()
        self.policy = policy
        self._connect = connect
        self._tell_others = tell
        self._alone = alone or threading.RLock()
        self._there: There | None = None
        self._rulings: list[Ruling] = []

    def __enter__(self) -> Steps:
        """Return the steps, whose connection is open already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self.connection.close()

    def at_once(self, tasks: Sequence[Callable[[Steps], T]]) -> list[T]:
        """Run tasks on different tables at the same time, each on a connection that no other task uses meanwhile.

        Two tasks must not work on the same table. Building an index concurrently waits for the snapshots of all others,
        and so for a task that waits for the lock of that build.

        Returns:
            What the tasks returned, in their order.
        """
        if not tasks:
            return []
        self._there = None
        with ExitStack() as stack:
            lanes = [
                stack.enter_context(Steps(self._connect, self.policy, self._tell_others, alone=self._alone))
                for _ in range(min(LANES, len(tasks)))
            ]
            return side_by_side(lanes, tasks, lambda lane: lane.connection)

    def there(self) -> There:
        """What the database has now; looked up again only after a step."""
        if self._there is None:
            self._there = There.read(self.connection)
            self._rulings = self._there.rulings()
        return self._there

    def rulings(self) -> list[Ruling]:
        """How the database differs from the target now, by kind."""
        self.there()
        return self._rulings

    def of_kind(self, *kinds: Kind) -> list[Ruling]:
        """The present differences of some kinds."""
        return [each for each in self.rulings() if each.kind in kinds]

    def briefly(
        self,
        step: str,
        locks: Sequence[TableLock],
        work: Callable[[], object] | Iterable[Statement],
        *,
        otherwise: Sequence[TableLock] = (),
    ) -> None:
        """Run one short transaction: take the locks within the lock timeout, then do work on the catalogue only.

        Args:
            step: name of the step.
            locks: in the order in which they are taken.
            work: a function, or statements to run.
            otherwise: the same locks in another order; the two orders are tried in turn. Writers keep their locks until
                they commit, so a writer that locks the tables in the other order makes the attempts fail that it
                overlaps with.

        Raises:
            LockNotObtainedError: others held the locks for as long as the policy's patience.
        """
        self._there = None
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
        """Run one statement that scans a table, outside a transaction, under locks that stop no reader or writer.

        It may wait for its locks for as long as the policy's patience, since readers and writers need not wait with it.

        Raises:
            LockNotObtainedError: others held the locks for that long.
        """
        self._there = None
        sys.audit(STEP_EVENT, step)
        started = time.monotonic()
        with self._patiently(step):
            self.connection.execute(statement)
        self._tell(step, started, timedelta())

    def vacuum(self, table: Relation) -> None:
        """Vacuum and analyze a table after many writes; otherwise autovacuum would do it later, and block a step.

        The file is not truncated, since writers would have to wait for that.
        """
        self.gently(f"vacuum {table}", sql.SQL("VACUUM (ANALYZE, TRUNCATE FALSE) {}").format(table.identifier))

    def in_batches(self, step: str, batches: Iterable[Callable[[], T]], *, silently: bool = False) -> list[T]:
        """Run short transactions, each repeatable, that are reported as one step; return the result of each.

        Args:
            step: name of the step.
            batches: the work of each transaction.
            silently: whether rows are written again that nobody has changed, which triggers are not to notice.
        """
        self._there = None
        started, transactions = time.monotonic(), PatientTransactions(self.connection, self.policy)
        silent = silently and may_be_silent(self.connection)

        def do(batch: Callable[[], T]) -> T:
            if silent:
                be_silent(self.connection)
            return batch()

        done = [transactions.run(step, [], partial(do, batch)) for batch in batches]
        self._tell(step, started, timedelta())
        return done

    def _let_vacuum_end(self, step: str, locks: Sequence[TableLock]) -> None:
        """Wait until nobody vacuums or analyzes the tables, so that the locks of the step need not wait for that.

        This lock stops no reader or writer, and the server cancels an autovacuum that it waits for.
        """
        tables = sql.SQL(", ").join(sql.SQL("ONLY {}").format(each.relation.identifier) for each in locks)
        with self._patiently(step), self.connection.transaction():
            self.connection.execute(sql.SQL("LOCK TABLE {} IN SHARE UPDATE EXCLUSIVE MODE").format(tables))

    @contextmanager
    def _patiently(self, step: str) -> Iterator[None]:
        """Set the lock timeout to the policy's patience, for locks that make no reader or writer wait."""
        patience = round(self.policy.patience.total_seconds() * 1000)
        try:
            self.connection.execute("SELECT set_config('lock_timeout', %s, false)", (f"{patience}ms",))
            yield
        except psycopg.errors.LockNotAvailable as error:
            holders = list_holders(self.connection, relations())
            raise LockNotObtainedError(step, self.policy.patience, 1, holders) from error
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
    """A table and its partitions, if it has any, in the order in which their locks are taken."""
    rows = connection.execute(read_sql("adoption", "list_family.sql"), {"table": relation.quoted}).fetchall()
    return [Relation(*row) for row in rows]


def exclusively(*relations: Relation) -> list[TableLock]:
    """ACCESS EXCLUSIVE locks, which stop readers and writers."""
    return [TableLock(relation, LockMode.ACCESS_EXCLUSIVE) for relation in dict.fromkeys(relations)]


def stopping_writers(*relations: Relation) -> list[TableLock]:
    """SHARE ROW EXCLUSIVE locks, which stop writers but not readers."""
    return [TableLock(relation, LockMode.SHARE_ROW_EXCLUSIVE) for relation in dict.fromkeys(relations)]
