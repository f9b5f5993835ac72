"""Changes rows in batches that are small enough not to disturb other writers.

A writer that needs a row of a batch, or a session that the batch creates, waits until the batch ends. So a batch should
take no longer than half the lock timeout.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg import sql

from yumai_pipelines.postgres.values import read_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from yumai_pipelines.adoption.steps import Steps
    from yumai_pipelines.model.relations import Relation

Key = object
"""A value of a key. None as the start or end of a batch means the start or end of the table."""

FIRST, FEWEST, MOST = 500, 50, 20_000


@dataclass
class Pace:
    """The size of the next batch, adapted to how long the last one took.

    Attributes:
        seconds: how long a batch should take.
        rows: number of rows of the next batch.
    """

    seconds: float
    rows: int = FIRST

    def adjust(self, took: float) -> None:
        """Adapt the size to how long the last batch took, in seconds; it at most doubles or halves."""
        factor = min(2.0, max(0.5, self.seconds / max(took, 1e-4)))
        self.rows = round(min(MOST, max(FEWEST, self.rows * factor)))


def paced(steps: Steps) -> Pace:
    """The pace of batches that should take half the lock timeout of the steps."""
    return Pace(steps.policy.lock_timeout.total_seconds() / 2)


def in_batches(
    steps: Steps,
    step: str,
    table: Relation,
    key: str,
    statement: Callable[[sql.Composable], sql.Composed],
    *,
    silently: bool = False,
) -> int:
    """Run a statement on all rows of a table, in batches along its key.

    Args:
        steps: runs the batches.
        step: name of the step.
        table: the table, which the statement calls `t`.
        key: the column of its primary key.
        statement: returns the statement to run, given the condition of a batch; it may run more than once.
        silently: whether it writes rows again that nobody has changed.

    Returns:
        The number of rows that were changed.
    """
    column = sql.Identifier(key)

    def upper(last: Key, rows: int) -> Key:
        query = sql.SQL("SELECT t.{key} FROM {table} AS t WHERE {after} ORDER BY t.{key} OFFSET {rows} LIMIT 1").format(
            key=column, table=table.identifier, after=_after(column, last), rows=sql.Literal(rows)
        )
        return read_value(steps.connection, query)

    def scope(last: Key, end: Key) -> sql.Composed:
        after = _after(column, last)
        return after if end is None else after + sql.SQL(" AND t.{} <= {}").format(column, sql.Literal(end))

    def change(last: Key, end: Key) -> int:
        return steps.connection.execute(statement(scope(last, end))).rowcount

    return sum(steps.in_batches(step, walk(paced(steps), upper, change), silently=silently))


def walk(pace: Pace, upper: Callable[[Key, int], Key], work: Callable[[Key, Key], int]) -> Iterator[Callable[[], int]]:
    """Yield the batches of a walk along a key: each starts after the one before, and ends at the key from `upper`."""
    last: Key = None
    end = upper(None, pace.rows)
    while True:
        started = time.monotonic()
        yield _bind(work, last, end)
        pace.adjust(time.monotonic() - started)
        if end is None:
            return
        last, end = end, upper(end, pace.rows)


def _bind(work: Callable[[Key, Key], int], last: Key, end: Key) -> Callable[[], int]:
    return lambda: work(last, end)


def _after(column: sql.Identifier, last: Key) -> sql.Composed:
    if last is None:
        return sql.Composed([sql.SQL("true")])
    return sql.SQL("t.{} > {}").format(column, sql.Literal(last))
