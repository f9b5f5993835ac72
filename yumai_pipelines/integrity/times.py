"""The check of times: a session starts before its rows, an end comes after its start, no time is in the future."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

from yumai_pipelines.integrity.findings import Block, Finding
from yumai_pipelines.integrity.samples import sample
from yumai_pipelines.model.registry import SESSIONS
from yumai_pipelines.postgres.sql_files import read_sql
from yumai_pipelines.postgres.values import read_value
from yumai_pipelines.schema.tables import table_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from yumai_pipelines.integrity.scope import Scope
    from yumai_pipelines.model.months import Month
    from yumai_pipelines.postgres.connections import Connection

_SESSION_START = sql.Identifier("s", table_of(SESSIONS).time or "")


def misplaced_times(
    connection: Connection, scope: Scope, as_of: datetime | None = None, clock: Connection | None = None
) -> dict[Month | None, Finding]:
    """Find rows with a time before their session's start, before their own first time, or after `as_of`, by month.

    Args:
        connection: in autocommit mode.
        scope: the rows to look at.
        as_of: the present; by default, the time of the clock of the server that writes the rows.
        clock: a connection to that server, if another one is read.
    """
    with connection.transaction():
        # The first query takes the snapshot, and the clock is read after it, so every row seen was written before then.
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        connection.execute("SELECT pg_current_snapshot()")
        now: datetime = as_of or read_value(clock or connection, "SELECT clock_timestamp()")
        counts = scope.totals(connection.execute(_statement("count_misplaced_times.sql", scope, now)), width=2)
        return {month: _finding(connection, scope, now, month, *counts[month]) for month in scope.places}


def _finding(
    connection: Connection, scope: Scope, now: datetime, month: Month | None, rows: int, count: int
) -> Finding:
    listing = _statement("list_misplaced_times.sql", scope, now, month)
    return Finding(
        subject=f"rows of {scope.table.relation} with a time that cannot be",
        count=count,
        sample=sample(connection, listing) if count else [],
        cause="a client sent times of its own clock, or in another time zone: 9 hours off is UTC taken for Seoul time.",
        remedy="find the client by the rows below and set its clock or zone right; then correct the rows. A session "
        "that starts after its first activity can be given that as its start.",
        blocks=[Block.of("list the rows", listing.as_string(connection))],
        metadata={"rows": rows, "as_of": str(now)},
    )


def _statement(name: str, scope: Scope, now: datetime, month: Month | None = None) -> sql.Composed:
    table = scope.table
    child = table.session_key
    join = "LEFT JOIN {} AS s ON {} = {}"
    start = [sql.SQL("{} AS session_start").format(_SESSION_START)] if child else []
    return sql.SQL(read_sql("integrity", name)).format(
        place=scope.place,
        table=table.relation.identifier,
        sessions=sql.SQL(join).format(
            child.referenced.identifier,
            sql.Identifier("s", child.referenced_column),
            sql.Identifier("t", child.column),
        )
        if child
        else sql.SQL(""),
        fault=_fault(scope, now),
        columns=sql.SQL(", ").join([*_columns(dict.fromkeys((*table.key, table.time or "", *table.later))), *start]),
        key=sql.SQL(", ").join(_columns(table.key)),
        scope=scope.condition(month),
    )


def _fault(scope: Scope, now: datetime) -> sql.Composed:
    """Compose the SQL text that says what is wrong with the times of a row `t` of session `s`; NULL if nothing is."""
    table = scope.table
    time, *later = _columns((table.time or "", *table.later))
    cases = [
        sql.SQL("WHEN {} > {} THEN {}").format(each, sql.Literal(now), sql.Literal(f"{name} is in the future"))
        for name, each in zip((table.time, *table.later), (time, *later), strict=True)
    ]
    cases += [
        sql.SQL("WHEN {} < {} THEN {}").format(each, time, sql.Literal(f"{name} is before {table.time}"))
        for name, each in zip(table.later, later, strict=True)
    ]
    if table.session_key:
        cases.append(sql.SQL("WHEN {} < {} THEN 'before its session started'").format(time, _SESSION_START))
    return sql.SQL("CASE {} END").format(sql.SQL(" ").join(cases))


def _columns(names: Iterable[str]) -> list[sql.Identifier]:
    return [sql.Identifier("t", name) for name in names]
