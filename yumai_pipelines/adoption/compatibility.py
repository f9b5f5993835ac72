"""Triggers that let the older application go on writing, although it does not use session_master and sends wall time.

They are created before the first foreign key is added, and `finish` drops them. Nothing in the schema depends on them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

from yumai_pipelines.adoption.registry import SESSION_CHILDREN, SESSIONS, USERS
from yumai_pipelines.adoption.steps import family, stopping_writers
from yumai_pipelines.model.relations import Relation
from yumai_pipelines.postgres.sql_files import read_sql
from yumai_pipelines.postgres.values import read_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from yumai_pipelines.adoption.steps import Steps
    from yumai_pipelines.postgres.connections import Connection
    from yumai_pipelines.schema.tables import ForeignKey, Table

TRIGGER = "yumai_older_application"
RECOVER_USER = sql.Identifier("yumai_pipelines", "recover_user")
RECOVER_USER_TURNS = sql.Identifier("yumai_pipelines", "recover_user_turns")
EMPTIED, QUARANTINE = Relation("yumai_pipelines", "adoption_emptied"), Relation("yumai_pipelines", "quarantine")
"""Where the original of a row is kept when one of its references is emptied: during the adoption, and after it."""

_EMPTY = sql.SQL(
    """
    IF NEW.{column} IS NOT NULL AND NOT EXISTS (SELECT FROM {referenced} AS r WHERE r.{key} = NEW.{column}) THEN
        INSERT INTO {kept_in} (source_table, source_key, source_row, still_there, why, run_id)
        VALUES ({name}, {primary_key}, yumai_pipelines.row_as_jsonb(NEW), true, {why}, {by});
        NEW.{column} := NULL;
    END IF;"""
)


def function_of(table: Relation) -> Relation:
    """The name of a table's trigger function."""
    return Relation("yumai_pipelines", f"accept_{table.name}")


def has_trigger(connection: Connection, table: Relation, name: str) -> bool:
    """Whether a table has a trigger of this name."""
    query = "SELECT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = %s::regclass AND tgname = %s)"
    return bool(read_value(connection, query, (table.quoted, name)))


def column_type(connection: Connection, table: Relation, column: str) -> str | None:
    """The type of a column, or None when the table has no such column."""
    name: str | None = read_value(
        connection,
        "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attname = %s "
        "AND NOT attisdropped",
        (table.quoted, column),
    )
    return name


def accept_older_application(steps: Steps) -> None:
    """Create the triggers on the four tables with a session, so that the older application can write to all of them."""
    for table in SESSION_CHILDREN:
        if has_trigger(steps.connection, table.relation, TRIGGER):
            continue
        trigger = sql.SQL(
            "CREATE TRIGGER {} BEFORE INSERT OR UPDATE OF session_id, user_id ON {} FOR EACH ROW EXECUTE FUNCTION {}()"
        ).format(sql.Identifier(TRIGGER), table.relation.identifier, function_of(table.relation).identifier)
        steps.briefly(
            f"let the older application write to {table.relation}",
            stopping_writers(*family(steps.connection, table.relation)),
            [
                sql.SQL(read_sql("adoption", "create_recover_user.sql")),
                compatibility_function(table),
                trigger,
            ],
        )


def keep_in_quarantine(steps: Steps) -> None:
    """Let the triggers keep original rows in the quarantine from now on.

    Writers are stopped for that, so that no open transaction still uses the working table, which is dropped afterwards.
    """
    for table in SESSION_CHILDREN:
        if _other_references(table) and has_trigger(steps.connection, table.relation, TRIGGER):
            steps.briefly(
                f"keep what the older application writes to {table.relation} in quarantine",
                stopping_writers(*family(steps.connection, table.relation)),
                [compatibility_function(table, kept_in=QUARANTINE)],
            )


def compatibility_function(table: Table, *, kept_in: Relation = EMPTIED) -> sql.Composed:
    """The statement that defines a table's trigger function.

    It must run again when the type of a column changes: PL/pgSQL remembers types, and would refuse a writer's row.
    """
    emptied = [
        _EMPTY.format(
            column=sql.Identifier(key.column),
            referenced=key.referenced.identifier,
            key=sql.Identifier(key.referenced_column),
            kept_in=kept_in.identifier,
            name=sql.Literal(str(table.relation)),
            primary_key=_object({name: sql.SQL("NEW.{}").format(sql.Identifier(name)) for name in table.key}),
            why=sql.Literal(f"{key.column} is not in {key.referenced}"),
            by=sql.Literal(TRIGGER),
        )
        for key in _other_references(table)
    ]
    return sql.SQL(read_sql("adoption", "create_compatibility_function.sql")).format(
        table=sql.SQL(str(table.relation)),
        function=function_of(table.relation).identifier,
        time=sql.SQL("NEW.{}").format(sql.Identifier(table.time or "")),
        name=sql.Literal(str(table.relation)),
        references=sql.SQL("").join(emptied),
    )


def _other_references(table: Table) -> list[ForeignKey]:
    """The foreign keys to tables other than users and sessions, whose rows are created when they are missing."""
    return [key for key in table.foreign_keys if key.referenced not in {USERS, SESSIONS}]


def _object(values: Mapping[str, sql.Composable]) -> sql.Composed:
    parts = [part for name, value in values.items() for part in (sql.Literal(name), value)]
    return sql.SQL("jsonb_build_object({})").format(sql.SQL(", ").join(parts))
