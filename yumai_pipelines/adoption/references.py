"""Repairs rows that refer to missing rows. Every row stays, and what it needs is created, marked as recovered.

A missing session is created from the rows that name it; a row without a session gets one of its own; a missing user is
created under the same id, as deleted. Any other reference to a missing row is emptied, and the original of the row is
kept in `yumai_pipelines.adoption_emptied`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from yumai_pipelines.adoption.batches import in_batches
from yumai_pipelines.adoption.compatibility import TRIGGER as OLDER_APPLICATION
from yumai_pipelines.adoption.constraints import PendingKey, find_violated, list_pending_keys, may_be_null
from yumai_pipelines.adoption.errors import UserRefusedError
from yumai_pipelines.adoption.registry import CONVERSATIONS, SESSION_CHILDREN, SESSIONS, TABLES, USERS, table_of
from yumai_pipelines.adoption.steps import stopping_writers
from yumai_pipelines.model.relations import Relation
from yumai_pipelines.postgres.sql_files import read_sql
from yumai_pipelines.postgres.values import read_value

if TYPE_CHECKING:
    from datetime import datetime

    from yumai_pipelines.adoption.steps import Steps
    from yumai_pipelines.schema.tables import Table

BY_TRIGGER = "written by an application that opens no sessions"
EMPTIED_AT_ONCE = 1000
_WITHOUT_SESSION = sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE session_id IS NULL)")
NEW_SESSIONS = Relation("yumai_pipelines", "adoption_sessions")


def repair(steps: Steps, as_of: datetime, why: str) -> None:
    """Repair the rows of all foreign keys that are not validated yet, in batches. Idempotent.

    Args:
        steps: runs the steps.
        as_of: sessions that were active in the 24 hours before it stay open.
        why: the reason that is noted in sessions that are created for conversations.
    """
    # Most keys hold, and validation is the quickest way to find out. Keys to sessions do not: some rows are missing.
    pending = list_pending_keys(steps.connection)
    violated = find_violated(steps, [key for key in pending if key.referenced != SESSIONS])
    users = [key for key in violated if key.referenced == USERS]
    if users:
        _recover_users(steps, users)
    if any(key.referenced == SESSIONS for key in pending):
        _recover_sessions(steps, as_of, why)
    for table in SESSION_CHILDREN:
        if table.relation != CONVERSATIONS and may_be_null(steps.connection, table.relation, "session_id"):
            _give_sessions(steps, table)
    # A reference that may not be empty stays, and its key NOT VALID.
    left = [key for key in violated if key.referenced != USERS and may_be_null(steps.connection, key.table, key.column)]
    if left:
        steps.briefly("make what keeps rows whole", [], [sql.SQL(read_sql("functions", "row_as_jsonb.sql"))])
    for key in left:
        _empty(steps, key)


def _recover_users(steps: Steps, keys: list[PendingKey]) -> None:
    """Find the missing users first, which blocks nobody, then create them in one short transaction."""
    for key in keys:
        find = sql.SQL(read_sql("adoption", "find_unknown_users.sql")).format(
            table=key.table.identifier, column=sql.Identifier(key.column), name=sql.Literal(str(key.table))
        )
        steps.gently(f"look for users of {key.table} that are gone", find)
    recover = sql.SQL(
        "SELECT yumai_pipelines.recover_user(user_id, source_table) FROM yumai_pipelines.adoption_unknown_users"
    )
    try:
        steps.in_batches("recover users", [partial(steps.connection.execute, recover)], silently=True)
    except psycopg.IntegrityError as error:
        # Those that were there at the beginning were asked about by `refused_rows`.
        raise UserRefusedError(error) from error


def _recover_sessions(steps: Steps, as_of: datetime, why: str) -> None:
    """Gather the missing sessions in one pass over each table, for which nobody waits, then create them in batches."""
    steps.briefly("forget sessions of an earlier run", [], [sql.SQL(read_sql("adoption", "forget_sessions.sql"))])
    gathered = [
        sql.SQL(read_sql("adoption", "gather_sessions.sql")).format(
            table=table.relation.identifier,
            time=sql.SQL("t.{}").format(sql.Identifier(table.time or "")),
            column=sql.Identifier(table.time or ""),
            source=sql.Literal(number),
            by_trigger=sql.Literal(BY_TRIGGER),
        )
        for number, table in enumerate(SESSION_CHILDREN, start=1)
    ]
    metadata = [
        Jsonb(
            {
                "recovered": True,
                "from": str(table.relation),
                "why": why if table.relation == CONVERSATIONS else "no conversation has this session",
            }
        )
        for table in SESSION_CHILDREN
    ]
    merge = sql.SQL(read_sql("adoption", "merge_sessions.sql")).format(
        activity=sql.SQL("UNION ALL\n").join(gathered), as_of=sql.Literal(as_of), metadata=sql.Literal(metadata)
    )
    steps.gently("gather sessions", merge)
    add_key = sql.SQL("ALTER TABLE {} ADD PRIMARY KEY (session_id)").format(NEW_SESSIONS.identifier)
    steps.briefly("put the sessions in order", [], [add_key])

    def make(scope: sql.Composable) -> sql.Composed:
        return sql.SQL(read_sql("adoption", "make_sessions.sql")).format(scope=scope)

    in_batches(steps, "recover sessions", NEW_SESSIONS, "session_id", make, silently=True)
    steps.vacuum(SESSIONS)


def _give_sessions(steps: Steps, table: Table) -> None:
    if not read_value(steps.connection, _WITHOUT_SESSION.format(table.relation.identifier)):
        return
    # It makes the sessions, and has to fire where the others do not.
    fire = sql.SQL("ALTER TABLE {} ENABLE ALWAYS TRIGGER {}").format(
        table.relation.identifier, sql.Identifier(OLDER_APPLICATION)
    )
    steps.briefly(f"let sessions be made for rows of {table.relation}", stopping_writers(table.relation), [fire])

    def give(scope: sql.Composable) -> sql.Composed:
        return sql.SQL(read_sql("adoption", "give_sessions.sql")).format(table=table.relation.identifier, scope=scope)

    in_batches(steps, f"give sessions to rows of {table.relation}", table.relation, table.key[0], give, silently=True)


def _empty(steps: Steps, key: PendingKey) -> None:
    # A table that is not in the registry is a partition of the conversations.
    table = next((each for each in TABLES if each.relation == key.table), table_of(CONVERSATIONS))
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
    while any(done.rowcount for done in steps.in_batches(step, [work], silently=True)):
        pass
