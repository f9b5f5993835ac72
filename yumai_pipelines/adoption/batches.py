"""Rows are changed a batch at a time, and a batch is as large as may be done before anybody notices.

A writer who needs a row of a batch, or the session that it makes, waits for its end: so for half the lock timeout.
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
"""A value of a key; None before the first and behind the last."""

FIRST, FEWEST, MOST = 500, 50, 20_000


@dataclass
class Pace:
    """How many rows the next batch has."""

    seconds: float
    rows: int = FIRST

    def adjust(self, took: float) -> None:
        """Come closer to the time that a batch may take, by no more than twice at once."""
        factor = min(2.0, max(0.5, self.seconds / max(took, 1e-4)))
        self.rows = round(min(MOST, max(FEWEST, self.rows * factor)))


def paced(steps: Steps) -> Pace:
    """The pace for the steps' lock timeout."""
    return Pace(steps.policy.lock_timeout.total_seconds() / 2)


def in_batches(
    steps: Steps, step: str, table: Relation, key: str, statement: Callable[[sql.Composable], sql.Composed]
) -> int:
    """Run a statement on all rows of a table, by its key.

    Args:
        steps: who takes them.
        step: what is done.
        table: it is called `t` in the statement.
        key: its primary key, of one column.
        statement: given the condition of a batch, what to run; repeatable.

    Returns:
        How many rows were changed.
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

    return sum(steps.in_batches(step, walk(paced(steps), upper, change)))


def walk(pace: Pace, upper: Callable[[Key, int], Key], work: Callable[[Key, Key], int]) -> Iterator[Callable[[], int]]:
    """The batches of a walk along a key: each from behind the last one's to the key that `upper` names."""
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
