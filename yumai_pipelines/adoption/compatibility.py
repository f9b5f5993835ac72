"""Triggers that let the older application write on: it knows of no session_master, and sends wall time.

They are on from before the first foreign key until `finish` switches them off; nothing of the schema depends on them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

from yumai_pipelines.adoption.steps import family, stopping_writers
from yumai_pipelines.adoption.target import AWARE, NAIVE
from yumai_pipelines.catalog import SESSION_CHILDREN, SESSIONS, USERS
from yumai_pipelines.relations import Relation
from yumai_pipelines.sql_files import read_sql

if TYPE_CHECKING:
    from yumai_pipelines.adoption.steps import Steps
    from yumai_pipelines.catalog import Table
    from yumai_pipelines.online_ddl import Connection

TRIGGER = "yumai_older_application"
RECOVER_USER = sql.Identifier("yumai_pipelines", "recover_user")


def function_of(table: Relation) -> Relation:
    """The trigger function of a table."""
    return Relation("yumai_pipelines", f"accept_{table.name}")


def has_trigger(connection: Connection, table: Relation, name: str) -> bool:
    """Whether a table has a trigger of the name."""
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = %s::regclass AND tgname = %s)", (table.quoted, name)
    ).fetchone()
    return row == (True,)


def column_type(connection: Connection, table: Relation, column: str) -> str | None:
    """The type of a column; None when the table has no such column."""
    row = connection.execute(
        "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = %s::regclass AND attname = %s "
        "AND NOT attisdropped",
        (table.quoted, column),
    ).fetchone()
    return str(row[0]) if row else None


def accept_older_application(steps: Steps, zone: str) -> None:
    """Let the older application write to all four tables, whatever it leaves out."""
    for table in SESSION_CHILDREN:
        if has_trigger(steps.connection, table.relation, TRIGGER):
            continue
        naive = column_type(steps.connection, table.relation, table.time or "") == NAIVE
        trigger = sql.SQL(
            "CREATE TRIGGER {} BEFORE INSERT OR UPDATE OF session_id, user_id ON {} FOR EACH ROW EXECUTE FUNCTION {}()"
        ).format(sql.Identifier(TRIGGER), table.relation.identifier, function_of(table.relation).identifier)
        steps.briefly(
            f"let the older application write to {table.relation}",
            stopping_writers(*family(steps.connection, table.relation)),
            [
                sql.SQL(read_sql("adoption", "create_recover_user.sql")),
                compatibility_function(table, NAIVE if naive else AWARE, zone),
                trigger,
            ],
        )


def compatibility_function(table: Table, time_type: str, zone: str) -> sql.Composed:
    """The trigger function of a table whose time is of the type.

    Defined anew when the type changes: PL/pgSQL remembers types, and would refuse a writer's row.
    """
    time = sql.SQL("NEW.{}").format(sql.Identifier(table.time or ""))
    if time_type == NAIVE:
        time = sql.SQL("{} AT TIME ZONE {}").format(time, sql.Literal(zone))
    emptied = [
        sql.SQL(
            "IF NEW.{column} IS NOT NULL AND NOT EXISTS (SELECT FROM {referenced} AS r WHERE r.{key} = NEW.{column}) "
            "THEN NEW.{column} := NULL; END IF;"
        ).format(
            column=sql.Identifier(key.column),
            referenced=key.referenced.identifier,
            key=sql.Identifier(key.referenced_column),
        )
        for key in table.foreign_keys
        if key.referenced not in {USERS, SESSIONS}
    ]
    return sql.SQL(read_sql("adoption", "create_compatibility_function.sql")).format(
        table=sql.SQL(str(table.relation)),
        function=function_of(table.relation).identifier,
        time=time,
        name=sql.Literal(str(table.relation)),
        references=sql.SQL("\n    ").join(emptied),
    )
