"""Rows that refer to nothing: every row stays, and what it needs is made for it, marked as recovered.

A session that is unknown is made from the rows that name it; a row without a session gets one of its own; a user that
is gone is made again under the same id, as deleted. Any other reference to nothing is emptied, and the row is kept as
it was beside.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from psycopg import sql

from yumai_pipelines.adoption.batches import Key, in_batches, paced, walk
from yumai_pipelines.adoption.compatibility import column_type
from yumai_pipelines.adoption.constraints import PendingKey, list_pending_keys
from yumai_pipelines.adoption.target import NAIVE
from yumai_pipelines.catalog import CONVERSATIONS, SESSION_CHILDREN, SESSIONS, TABLES, USERS
from yumai_pipelines.sql_files import read_sql

if TYPE_CHECKING:
    from datetime import datetime

    from yumai_pipelines.adoption.steps import Steps
    from yumai_pipelines.catalog import Table

BY_TRIGGER = "written by an application that opens no sessions"
EMPTIED_AT_ONCE = 1000


def repair(steps: Steps, zone: str, as_of: datetime, why: str) -> None:
    """Make what rows refer to, as far as foreign keys are not proven yet; idempotent, in batches.

    Args:
        steps: who takes them.
        zone: the zone of naive times.
        as_of: sessions that were active in the day before it stay open.
        why: what the sessions of conversations say, that had none.
    """
    pending = list_pending_keys(steps.connection)
    users = [key for key in pending if key.referenced == USERS]
    if users:
        _recover_users(steps, users)
    if any(key.referenced == SESSIONS for key in pending):
        _recover_sessions(steps, zone, as_of, why)
    for table in SESSION_CHILDREN:
        if table.relation != CONVERSATIONS and _may_be_null(steps, table):
            _give_sessions(steps, table)
    for key in pending:
        if key.referenced not in {USERS, SESSIONS}:
            _empty(steps, key)


def _recover_users(steps: Steps, keys: list[PendingKey]) -> None:
    """Look first, without a lock, and make the users then, in a moment: a writer may need one of them."""
    for key in keys:
        find = sql.SQL(read_sql("adoption", "find_unknown_users.sql")).format(
            table=key.table.identifier, column=sql.Identifier(key.column), name=sql.Literal(str(key.table))
        )
        steps.gently(f"look for users of {key.table} that are gone", find)
    recover = sql.SQL(
        "SELECT yumai_pipelines.recover_user(user_id, source_table) FROM yumai_pipelines.adoption_unknown_users"
    )
    steps.briefly("recover users", [], [recover])


def _recover_sessions(steps: Steps, zone: str, as_of: datetime, why: str) -> None:
    connection = steps.connection

    def sources(columns: str, last: Key, end: Key) -> sql.Composed:
        parts = []
        for number, table in enumerate(SESSION_CHILDREN):
            scope: list[sql.Composable] = [sql.SQL("t.session_id IS NOT NULL")]
            scope += [sql.SQL("t.session_id > {}").format(sql.Literal(last))] if last else []
            scope += [sql.SQL("t.session_id <= {}").format(sql.Literal(end))] if end else []
            parts.append(
                sql.SQL(columns + " FROM {table} AS t WHERE {scope}").format(
                    time=instant(steps, table, zone),
                    source=sql.Literal(0 if table.relation == CONVERSATIONS else number),
                    name=sql.Literal(str(table.relation)),
                    table=table.relation.identifier,
                    scope=sql.SQL(" AND ").join(scope),
                )
            )
        return sql.SQL("({})").format(sql.SQL("\n    UNION ALL ").join(parts))

    def upper(last: Key, rows: int) -> Key:
        query = sql.SQL(read_sql("adoption", "find_session_bound.sql")).format(
            activity=sources("SELECT t.session_id", last, None)
        )
        row = connection.execute(query, {"size": rows}).fetchone()
        return row[0] if row else None

    def recover(last: Key, end: Key) -> int:
        columns = "SELECT t.session_id, t.user_id, {time} AS at, {source} AS source, {name}::text AS name"
        statement = sql.SQL(read_sql("adoption", "recover_sessions.sql")).format(activity=sources(columns, last, end))
        values = {"as_of": as_of, "why": why, "by_trigger": BY_TRIGGER}
        return connection.execute(statement, values).rowcount

    steps.in_batches("recover sessions", walk(paced(steps), upper, recover))
    steps.gently(f"analyze {SESSIONS}", sql.SQL("ANALYZE {}").format(SESSIONS.identifier))


def _give_sessions(steps: Steps, table: Table) -> None:
    def give(scope: sql.Composable) -> sql.Composed:
        return sql.SQL(read_sql("adoption", "give_sessions.sql")).format(table=table.relation.identifier, scope=scope)

    in_batches(steps, f"give sessions to rows of {table.relation}", table.relation, table.key[0], give)


def _empty(steps: Steps, key: PendingKey) -> None:
    table = next(each for each in TABLES if key.table == each.relation or each.partitioned)
    keys = [
        part for name in table.key for part in (sql.Literal(name), sql.SQL("b.whole -> {}").format(sql.Literal(name)))
    ]
    statement = sql.SQL(read_sql("adoption", "empty_references.sql")).format(
        table=key.table.identifier,
        column=sql.Identifier(key.column),
        referenced=key.referenced.identifier,
        key=sql.Identifier(key.referenced_column),
        name=sql.Literal(str(table.relation)),
        primary_key=sql.SQL("jsonb_build_object({})").format(sql.SQL(", ").join(keys)),
        why=sql.Literal(f"{key.column} is not in {key.referenced}"),
    )
    work = partial(steps.connection.execute, statement, {"rows": EMPTIED_AT_ONCE})
    step = f"empty {key.column} of {key.table} where it leads nowhere"
    while any(done.rowcount for done in steps.in_batches(step, [work])):
        pass


def _may_be_null(steps: Steps, table: Table) -> bool:
    row = steps.connection.execute(
        "SELECT NOT attnotnull FROM pg_attribute WHERE attrelid = %s::regclass AND attname = 'session_id'",
        (table.relation.quoted,),
    ).fetchone()
    return row == (True,)


def instant(steps: Steps, table: Table, zone: str) -> sql.Composed:
    """When a row `t` of a table happened, whatever its time's type is."""
    time = sql.SQL("t.{}").format(sql.Identifier(table.time or ""))
    if column_type(steps.connection, table.relation, table.time or "") == NAIVE:
        time = sql.SQL("({} AT TIME ZONE {})").format(time, sql.Literal(zone))
    return time
