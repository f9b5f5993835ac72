"""Whatever is done with the tables that have a session is done with each of them, even with one that is added later."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from psycopg import sql

from scripts.last_rows import session_tables, with_last_rows
from tests.support import Connection, every, one
from yumai_pipelines.model import registry
from yumai_pipelines.model.registry import EXTRACTS, SESSIONS
from yumai_pipelines.postgres.sql_files import read_sql
from yumai_pipelines.schema import snapshot
from yumai_pipelines.schema.tables import SESSION_CHILDREN, TABLES

if TYPE_CHECKING:
    from uuid import UUID

    from yumai_pipelines.model.relations import Relation

ROOT = Path(__file__).parents[2]
CHILDREN = {table.relation: table.time for table in SESSION_CHILDREN}
NOW = datetime(2024, 9, 15, 12, tzinfo=ZoneInfo("Asia/Seoul"))
HOUR = timedelta(hours=1)

NAME_ONLY_SOME = {
    "*/extracts/*": "the extracts are computed from two logs alone, as the registry says",
    "sql/retention/create_known_rows.sql": "what the extracts are computed from",
    "yumai_pipelines/integrity/row_rules.py": "a rule is of one table",
    "sql/functions/clean_invalid_shop_references.sql": "the columns that name shops, of whatever table",
}
"""Files that rightly name some of the tables with a session but not all, with the reasons."""

OF_THEIR_TIME = ("sql/migrations/*", "sql/adoption/*", "yumai_pipelines/adoption/*", "yumai_pipelines/demo/*")
"""Migrations and adoption, which keep the tables of their time, and made-up rows."""


def named_in(file: Path) -> set[Relation]:
    """Return the tables with a session that a file names: in Python, also by a bare name or the registry's constant."""
    text = file.read_text(encoding="utf-8")
    names = {relation: {str(relation)} for relation in CHILDREN}
    if file.suffix == ".py":
        for relation, known in names.items():
            known |= {relation.name} - {"conversations"}  # this is an ordinary word too
            known |= {name for name, value in vars(registry).items() if value == relation}
    return {
        relation for relation, known in names.items() if re.search(rf"\b({'|'.join(map(re.escape, known))})\b", text)
    }


def files_that_name_several() -> dict[str, set[Relation]]:
    files = [*(ROOT / "sql").rglob("*.sql"), *(ROOT / "yumai_pipelines").rglob("*.py")]
    named = {str(file.relative_to(ROOT)): named_in(file) for file in files}
    return {
        name: tables
        for name, tables in named.items()
        if len(tables) > 1 and not any(fnmatch(name, pattern) for pattern in OF_THEIR_TIME)
    }


def test_a_file_that_names_several_tables_with_a_session_names_all() -> None:
    several = files_that_name_several()
    assert several["sql/functions/clean_inactive_sessions.sql"] == CHILDREN.keys()
    forgotten = {
        name: ", ".join(map(str, sorted(CHILDREN.keys() - tables)))
        for name, tables in several.items()
        if tables != CHILDREN.keys() and not any(fnmatch(name, pattern) for pattern in NAME_ONLY_SOME)
    }
    assert forgotten == {}, "make these from the registry, or say in NAME_ONLY_SOME why they name only some"


@pytest.mark.parametrize("pattern", NAME_ONLY_SOME)
def test_what_may_name_only_some_does(pattern: str) -> None:
    several = files_that_name_several()
    assert any(several[name] != CHILDREN.keys() for name in several if fnmatch(name, pattern))


def test_retention_knows_what_the_extracts_are_computed_from() -> None:
    sources = {source for extract in EXTRACTS for source in extract.sources}
    assert named_in(ROOT / "sql" / "retention" / "create_known_rows.sql") == sources


def test_every_column_of_shops_without_a_foreign_key_is_cleaned_unless_it_is_json() -> None:
    function = read_sql("functions", "clean_invalid_shop_references.sql")
    for table in TABLES:
        types = {column.name: column.type for column in snapshot.columns(table.relation)}
        for reference in table.soft_references:
            cleaned = f"UPDATE {table.relation} " in function and re.search(rf"\b{reference.column}\b", function)
            assert cleaned or types[reference.column] in {"json", "jsonb"}, f"{table.relation}.{reference.column}"


def test_each_table_whose_rows_go_with_their_session_is_one_of_them(connection: Connection) -> None:
    connection.execute("SET search_path = pg_catalog")
    cascading = every(
        connection,
        "SELECT k.conrelid::regclass::text FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid "
        "WHERE k.contype = 'f' AND k.confdeltype = 'c' AND NOT c.relispartition AND k.confrelid = %s::regclass",
        str(SESSIONS),
    )
    assert sorted(cascading) == sorted((str(relation),) for relation in CHILDREN)


def session(connection: Connection) -> UUID:
    """Open a session two days ago."""
    identifier: UUID = one(
        connection,
        "INSERT INTO chatbot.session_master (session_start) VALUES (%s) RETURNING session_id",
        NOW - 48 * HOUR,
    )
    return identifier


def write(connection: Connection, table: str, **values: object) -> None:
    """Insert a row with these values, and with zero as number, text or JSON in the other columns that need a value."""
    needed = every(
        connection,
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND attnotnull "
        "AND NOT atthasdef AND attidentity = '' AND NOT attname = ANY (%s)",
        table,
        [*values],
    )
    row = values | {name: "0" for (name,) in needed}
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        sql.SQL(table),
        sql.SQL(", ").join(map(sql.Identifier, row)),
        sql.SQL(", ").join(map(sql.Literal, row.values())),
    )
    connection.execute(statement)


def closed(connection: Connection) -> dict[UUID, datetime]:
    """Close inactive sessions, and return the ends of the closed ones."""
    connection.execute("SELECT chatbot.clean_inactive_sessions(p_as_of := %s)", (NOW,))
    return dict(
        every(connection, "SELECT session_id, session_end FROM chatbot.session_master WHERE is_active IS FALSE")
    )


@pytest.mark.parametrize(("table", "time"), CHILDREN.items(), ids=str)
def test_a_row_in_any_one_of_them_keeps_a_session_open(connection: Connection, table: Relation, time: str) -> None:
    """Correction 4: the document's function looks only at the conversations."""
    active, idle = session(connection), session(connection)
    write(connection, str(table), session_id=active, **{time: NOW - 23 * HOUR})
    write(connection, str(table), session_id=idle, **{time: NOW - 25 * HOUR})
    assert closed(connection) == {idle: NOW - 25 * HOUR}


def test_a_table_that_comes_later_keeps_a_session_open_too(connection: Connection) -> None:
    connection.execute(
        "CREATE TABLE analytics.tried_later "
        "(session_id uuid REFERENCES chatbot.session_master ON DELETE CASCADE, asked_at timestamptz)"
    )
    text = with_last_rows(
        read_sql("functions", "clean_inactive_sessions.sql"),
        session_tables() | {"analytics.tried_later": "asked_at"},
    )
    connection.execute(text.encode())
    active, idle = session(connection), session(connection)
    write(connection, "analytics.tried_later", session_id=active, asked_at=NOW - 23 * HOUR)
    write(connection, "analytics.tried_later", session_id=idle, asked_at=NOW - 25 * HOUR)
    assert closed(connection) == {idle: NOW - 25 * HOUR}


def test_what_cannot_be_written_is_refused() -> None:
    with pytest.raises(ValueError, match="the comments between which `make schema` writes are gone"):
        with_last_rows("SELECT 1;", session_tables())
    with pytest.raises(ValueError, match=r"which column is the time of analytics\.tried_later"):
        with_last_rows(
            read_sql("functions", "clean_inactive_sessions.sql"),
            session_tables() | {"analytics.tried_later": None},
        )
