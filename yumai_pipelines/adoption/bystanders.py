"""Triggers and foreign keys of theirs that would notice what the adoption or the pipeline does to rows.

The adoption writes rows again that nobody has changed: to fill columns, to number rows, to give sessions and times, to
empty references. A trigger of theirs would take that for a change: it would set `updated_at`, or note each row in a
history. So such batches run as a replica's do, in which ordinary triggers do not fire; those of other sessions go on.
"""

from __future__ import annotations

from secrets import token_hex
from typing import TYPE_CHECKING, NamedTuple

import psycopg
from psycopg import sql

from yumai_pipelines.adoption.core import CORE
from yumai_pipelines.adoption.registry import SESSIONS, TABLES, USERS
from yumai_pipelines.postgres.connections import OWNER_ROLE
from yumai_pipelines.postgres.sql_files import read_sql
from yumai_pipelines.postgres.values import read_value
from yumai_pipelines.schema.bystanders import function_of_theirs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from yumai_pipelines.model.relations import Relation
    from yumai_pipelines.postgres.connections import Connection

DELETED_FROM = frozenset(
    {
        *(USERS, SESSIONS),
        *(
            key.table
            for table in TABLES
            for key in table.foreign_keys
            if key.referenced in {USERS, SESSIONS} and key.on_delete == "CASCADE"
        ),
    }
)
"""The tables with rows that an erasure or the retention of sessions deletes."""

ORDINARY = "O"
_REFUSES = {"a", "r"}


class Trigger(NamedTuple):
    """A trigger of theirs: its table, its name, in which sessions it fires, and for which rows."""

    relation: str
    name: str
    enabled: str
    for_changed: bool
    for_new: bool


class Referring(NamedTuple):
    """A foreign key of a table of theirs to one of ours."""

    relation: str
    name: str
    columns: str
    referenced: str
    on_delete: str
    definition: str
    never_empty: bool

    def __str__(self) -> str:
        """One line for people: what it does when a person or a session goes, and what to do about it."""
        what = f"{self.relation}.{self.columns} → {self.referenced} ({self.name})"
        if self.on_delete == "c":
            return f"{what}: such rows are deleted with what they refer to"
        if self.on_delete not in _REFUSES:
            return f"{what}: such references are emptied with what they refer to"
        rule = "CASCADE" if self.never_empty else "SET NULL"
        plain = self.definition.removesuffix(" NOT VALID").partition(" ON DELETE ")[0]
        return (
            f"{what}: refuses that a row there is deleted while a row refers to it, and with it an erasure and the "
            f"retention of sessions. Decide what becomes of such rows, for example: ALTER TABLE {self.relation} DROP "
            f"CONSTRAINT {self.name}, ADD CONSTRAINT {self.name} {plain} ON DELETE {rule}"
        )


def list_triggers(connection: Connection, tables: Iterable[Relation]) -> list[Trigger]:
    """The triggers of theirs that a new or changed row of these tables would fire."""
    names = [table.quoted for table in tables]
    return [Trigger(*row) for row in connection.execute(read_sql("adoption", "list_triggers.sql"), {"tables": names})]


def list_referring(connection: Connection) -> list[Referring]:
    """The foreign keys of tables of theirs to the tables whose rows the pipeline deletes."""
    values = {"tables": [str(relation) for relation in DELETED_FROM], "known": [str(relation) for relation in CORE]}
    return [Referring(*row) for row in connection.execute(read_sql("adoption", "list_referring.sql"), values)]


def may_be_silent(connection: Connection) -> bool:
    """Whether the login may keep triggers from firing in its own session."""
    query = "SELECT has_parameter_privilege(session_user, 'session_replication_role', 'SET')"
    return bool(read_value(connection, query))


def be_silent(connection: Connection) -> None:
    """Keep triggers from firing until the transaction ends, as the login, and go on as the role that it works as."""
    role = read_value(connection, "SELECT current_user")
    connection.execute(
        sql.SQL("SET LOCAL ROLE NONE; SET LOCAL session_replication_role = replica; SET LOCAL ROLE {}").format(
            sql.Identifier(role)
        )
    )


def obstacles(connection: Connection, triggers: Iterable[Trigger]) -> Iterator[str]:
    """Why triggers of theirs would fire while rows are written again, each with what to do."""
    ordinary = [each for each in triggers if each.enabled == ORDINARY]
    if ordinary and not may_be_silent(connection):
        names = ", ".join(f"{each.name} of {each.relation}" for each in ordinary)
        login = read_value(connection, "SELECT quote_ident(session_user)")
        yield (
            f"Rows are made or written again, and triggers would notice ({names}). {login} may "
            f"not keep them from firing. As a superuser: GRANT SET ON PARAMETER session_replication_role TO {login}; "
            "or ALTER TABLE … DISABLE TRIGGER each of them until the adoption has ended."
        )
    for each in triggers:
        if each.enabled != ORDINARY:
            yield (
                f"Rows of {each.relation} are made or written again, and its trigger {each.name}, which is enabled for "
                f"replication, would fire: ALTER TABLE {each.relation} DISABLE TRIGGER "
                f"{each.name} until the adoption has ended."
            )


def refusing_event_triggers(connection: Connection) -> Iterator[str]:
    """What event triggers of theirs say to statements such as the adoption's, which are asked and rolled back."""
    query = "SELECT quote_ident(evtname) FROM pg_event_trigger WHERE evtenabled <> 'D' ORDER BY evtname"
    names = [name for (name,) in connection.execute(query)]
    if not names:
        return
    try:
        with connection.transaction(force_rollback=True):
            _work_as_owner(connection)
            connection.execute(read_sql("adoption", "ask_event_triggers.sql"))
    except psycopg.Error as error:
        function = function_of_theirs(error)
        if function is None and isinstance(error, psycopg.errors.InsufficientPrivilege):
            return  # what the login may not do is told by `ownership`
        if function is None:
            raise
        yield (
            f"{function}, which an event trigger calls ({', '.join(names)}), refuses what an adoption does: "
            f"{error.diag.message_primary}. Let it allow that, as SECURITY DEFINER if it lacks rights; or ALTER EVENT "
            f"TRIGGER {names[0]} DISABLE until the adoption has ended."
        )


def _work_as_owner(connection: Connection) -> None:
    """Work as the role of the steps until the transaction ends; where that is missing, as one that is made for it."""
    exists = read_value(connection, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %s)", (OWNER_ROLE,))
    role = sql.Identifier(OWNER_ROLE if exists else f"yumai_asks_{token_hex(8)}")
    if not exists:
        connection.execute(sql.SQL("CREATE ROLE {0}; GRANT {0} TO CURRENT_USER").format(role))
    connection.execute(sql.SQL("GRANT USAGE, CREATE ON SCHEMA chatbot TO {0}; SET LOCAL ROLE {0}").format(role))
