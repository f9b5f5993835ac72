"""Reads the partitions of the conversations from PostgreSQL's catalogue, checks, builds and attaches them.

A partition is built in another schema before it is attached. No partition is detached here, and no row is moved.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, NamedTuple

from psycopg import sql

from yumai_pipelines.model.months import Month, fixed
from yumai_pipelines.model.relations import Relation
from yumai_pipelines.postgres.errors import DatabaseError
from yumai_pipelines.postgres.locks import LockMode, TableLock
from yumai_pipelines.postgres.sql_files import read_sql
from yumai_pipelines.postgres.values import read_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from yumai_pipelines.postgres.connections import Connection

PARENT = Relation("chatbot", "conversations")
DEFAULT = Relation("chatbot", "conversations_default")
WORKSHOP = "yumai_pipelines"
"""The schema in which tables are built. A table there whose comment is `MARK` is unfinished work of a run."""

MARK = "Unfinished work of a run on the partitions; the next run drops it."
BOUNDS_CHECK = "yumai_bounds"
SCAN_LIMIT = 8 * 1024 * 1024
"""ATTACH scans the default partition under an exclusive lock; so many bytes of it are scanned in milliseconds."""

TIME = sql.Identifier("conversation_time")


class PartitionError(DatabaseError):
    """The partitions cannot be made as they were asked for. Nothing was changed for the month in question."""


class BoundsError(PartitionError):
    """A partition overlaps a month, but has other bounds."""


class NameTakenError(PartitionError):
    """A relation that is not a month's partition has the name that the partition is to get."""


class DependentsError(PartitionError):
    """Something else would keep a table from being dropped."""


class ArchivedMonthError(PartitionError):
    """A month's rows are archived, so an empty partition would make the month look as if it had none."""


@dataclass(frozen=True)
class Partition:
    """One partition of the conversations.

    Attributes:
        relation: its name.
        is_default: it takes the rows that no other partition takes, and has no bounds.
        lower: first instant that belongs to it, with a fixed offset from UTC; None is unbounded.
        upper: first instant that does not belong to it any more, likewise; None is unbounded.
        rows_estimate: PostgreSQL's estimate, from the last ANALYZE; 0 before the first.
        bytes: size on disk, with indexes.
        month: the month whose bounds it has; None if its bounds are not those of a month.
    """

    relation: Relation
    is_default: bool
    lower: datetime | None
    upper: datetime | None
    rows_estimate: int
    bytes: int
    month: Month | None

    def overlaps(self, lower: datetime, upper: datetime) -> bool:
        """Return whether rows of [lower, upper) belong to this partition; False for the default partition."""
        starts_before = self.lower is None or self.lower < upper
        ends_after = self.upper is None or self.upper > lower
        return not self.is_default and starts_before and ends_after


class KeyDefinition(NamedTuple):
    """A foreign key of the conversations, as it is in PostgreSQL's catalogue."""

    name: str
    definition: str
    schema: str
    table: str

    @property
    def referenced(self) -> Relation:
        """The table that the key refers to."""
        return Relation(self.schema, self.table)


@dataclass(frozen=True)
class MonthTable:
    """The table that becomes a month's partition.

    Attributes:
        month: the month.
        lower: first instant of the month.
        upper: first instant of the next.
    """

    month: Month
    lower: datetime
    upper: datetime

    @classmethod
    def of(cls, month: Month, zone: ZoneInfo) -> MonthTable:
        """Return the month's table, with bounds at the zone's midnights."""
        return cls(month, month.start(zone), month.end(zone))

    @property
    def aside(self) -> Relation:
        """The schema and name of the table while it is built."""
        return Relation(WORKSHOP, self.partition.name)

    @property
    def partition(self) -> Relation:
        """The schema and name of the table when it is a partition."""
        return Relation(PARENT.schema, f"{PARENT.name}_{self.month.suffix}")

    @property
    def bounds(self) -> sql.Composed:
        """The SQL condition that a row of the conversations is in the month."""
        return falls_between(TIME, self.lower, self.upper)


class _Row(NamedTuple):
    schema: str
    name: str
    is_default: bool
    lower: datetime | None
    upper: datetime | None
    rows_estimate: int
    bytes: int


def describe_partitions(connection: Connection, zone: ZoneInfo) -> list[Partition]:
    """Read the partitions of `chatbot.conversations`, by lower bound, with the default partition last.

    Grain: one per partition. Bounds are instants in `zone`, whatever the connection's TimeZone is. Section 3.2 of the
    database document.
    """
    with connection.transaction():
        connection.execute("SELECT set_config('TimeZone', %s, true), set_config('DateStyle', 'ISO', true)", (zone.key,))
        rows = connection.execute(read_sql("partitions", "list_partitions.sql"), {"parent": PARENT.quoted}).fetchall()
    return [_partition(_Row(*row), zone) for row in rows]


def _partition(row: _Row, zone: ZoneInfo) -> Partition:
    month = None
    lower, upper = (bound and fixed(bound, zone) for bound in (row.lower, row.upper))
    if lower is not None and upper is not None:
        candidate = MonthTable.of(Month.of(lower, zone), zone)
        month = candidate.month if (lower, upper) == (candidate.lower, candidate.upper) else None
    return Partition(
        Relation(row.schema, row.name),
        row.is_default,
        lower,
        upper,
        row.rows_estimate,
        row.bytes,
        month,
    )


def check_bounds(partitions: Sequence[Partition], months: Iterable[Month], zone: ZoneInfo) -> None:
    """Refuse partitions that overlap a month, but have other bounds.

    Raises:
        BoundsError: naming each such partition, its bounds, and what is wrong with them.
    """
    tables = [MonthTable.of(month, zone) for month in months]
    wrong = {
        partition.relation: partition
        for partition in partitions
        for table in tables
        if partition.month != table.month and partition.overlaps(table.lower, table.upper)
    }
    if wrong:
        lines = "\n".join(f"  - {_complaint(partition, zone)}" for partition in wrong.values())
        raise BoundsError(
            f"These partitions of {PARENT} stand in the way of {', '.join(table.month.key for table in tables)}:\n"
            f"{lines}\nA month begins at midnight in {zone.key}. Nothing was changed. Detach each of them, move its "
            "rows, and run again; the right bounds cannot be guessed."
        )


def _complaint(partition: Partition, zone: ZoneInfo) -> str:
    lower, upper = partition.lower, partition.upper
    span = f"{partition.relation} holds {_instant(lower, 'MINVALUE')} to {_instant(upper, 'MAXVALUE')}"
    if lower is None or upper is None:
        return f"{span}: it is unbounded"
    first, last = Month.of(lower, zone), Month.of(upper, zone)
    if lower == first.start(zone) and upper == last.start(zone):
        months = ", ".join(month.key for month in first.through(last - 1))
        return f"{span}: it holds more than one month ({months})"
    utc = [instant.astimezone(UTC) for instant in (lower, upper)]
    if all((instant.day, instant.hour, instant.minute) == (1, 0, 0) for instant in utc):
        return f"{span}: these are midnights in UTC, so it was made by a client whose TimeZone was UTC"
    return f"{span}: these are not the bounds of a month; {first} is {first.start(zone)} to {first.end(zone)}"


def _instant(instant: datetime | None, unbounded: str) -> str:
    return unbounded if instant is None else str(instant)


def check_names(connection: Connection, tables: Iterable[MonthTable]) -> None:
    """Refuse to build a month's table where something else has its name.

    Raises:
        NameTakenError: naming each relation that has such a name and is no partition.
    """
    names = [relation for table in tables for relation in (table.partition, table.aside)]
    taken = connection.execute(
        "SELECT name FROM unnest(%s::text[], %s::text[]) AS wanted (quoted, name) "
        "WHERE to_regclass(quoted) IS NOT NULL",
        ([name.quoted for name in names], [str(name) for name in names]),
    ).fetchall()
    if taken:
        raise NameTakenError(
            f"{', '.join(name for (name,) in taken)}: there is a relation of that name, and it is no partition of "
            f"{PARENT} with that month's bounds. It was left alone, and nothing was changed. Rename it, or attach it, "
            "and run again."
        )


def dependents(connection: Connection, table: Relation) -> list[str]:
    """What would keep a table from being dropped, as PostgreSQL describes it: views, foreign keys, functions."""
    rows = connection.execute(read_sql("partitions", "list_dependents.sql"), {"table": table.quoted})
    return [dependent for (dependent,) in rows]


def refuse_dependents(connection: Connection, table: Relation, why: str) -> None:
    """Refuse to take a table away that something else depends on.

    Raises:
        DependentsError: names the table, and all that depends on it.
    """
    if found := dependents(connection, table):
        raise DependentsError(
            f"{table} {why}, and these depend on it: {', '.join(found)}. Nothing was changed. Drop them, or have them "
            f"use {PARENT} instead, and run again."
        )


def falls_between(column: sql.Composable, lower: datetime | None, upper: datetime | None) -> sql.Composed:
    """Compose the SQL condition that an instant is in [lower, upper), as PostgreSQL writes it for a partition."""
    sides = [sql.SQL("{} >= {}").format(column, sql.Literal(lower))] if lower is not None else []
    sides += [sql.SQL("{} < {}").format(column, sql.Literal(upper))] if upper is not None else []
    return sql.SQL("({})").format(sql.SQL(" AND ").join(sides))


def size_of(connection: Connection, table: Relation) -> int:
    """The size of a table's rows on disk, in bytes."""
    return int(read_value(connection, "SELECT pg_relation_size(%s::regclass)", (table.quoted,)))


def has_rows(connection: Connection, table: Relation, month: MonthTable) -> bool:
    """Return whether the table has rows of the month."""
    query = sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE {})").format(table.identifier, month.bounds)
    return bool(read_value(connection, query))


def count_rows(connection: Connection, table: Relation, month: MonthTable) -> int:
    """Count the rows of the month that the table has."""
    query = sql.SQL("SELECT count(*) FROM {} WHERE {}").format(table.identifier, month.bounds)
    return int(read_value(connection, query))


def foreign_keys(connection: Connection, table: Relation = PARENT) -> list[KeyDefinition]:
    """Read the foreign keys of a table, in the order of their columns."""
    rows = connection.execute(read_sql("partitions", "list_foreign_keys.sql"), {"table": table.quoted}).fetchall()
    return [KeyDefinition(*row) for row in rows]


def referenced_locks(connection: Connection, mode: LockMode, table: Relation = PARENT) -> list[TableLock]:
    """Return a lock on each table that the foreign keys refer to. These come first in the canonical order of locks."""
    return [
        TableLock(table, mode) for table in dict.fromkeys(key.referenced for key in foreign_keys(connection, table))
    ]


def build(connection: Connection, template: Relation, aside: Relation, check: sql.Composable) -> None:
    """Make an empty table like the template, with the owner and grants of the conversations, and a check of its bounds.

    It stands in the tablespace that the conversations name for new partitions; an index, in that of the template's.
    Foreign keys are not copied: ATTACH gives them to an empty table at no cost. Nor is the identity: PostgreSQL 17
    refuses to attach a table that has its own. Autovacuum keeps off until then, since it would be in the way.
    """
    connection.execute(
        sql.SQL(
            "CREATE TABLE {aside} (LIKE {template} INCLUDING ALL EXCLUDING IDENTITY, "
            "CONSTRAINT {name} CHECK ({check})) WITH (autovacuum_enabled = off, toast.autovacuum_enabled = off){space}"
        ).format(
            space=tablespace(connection),
            aside=aside.identifier,
            template=template.identifier,
            name=sql.Identifier(BOUNDS_CHECK),
            check=check,
        )
    )
    mark(connection, aside)
    own(connection, sql.SQL("TABLE"), aside.identifier)
    for grantee, privilege, grantable in connection.execute(
        read_sql("partitions", "list_grants.sql"), {"table": PARENT.quoted}
    ).fetchall():
        connection.execute(
            sql.SQL("GRANT {} ON {} TO {}{}").format(
                sql.SQL(privilege),
                aside.identifier,
                sql.SQL("PUBLIC") if grantee is None else sql.Identifier(grantee),
                sql.SQL(" WITH GRANT OPTION" if grantable else ""),
            )
        )


def tablespace(connection: Connection, parent: Relation = PARENT) -> sql.Composable:
    """` TABLESPACE …` that the parent names for new partitions; nothing where it names none."""
    name = read_value(
        connection,
        "SELECT t.spcname FROM pg_class AS c LEFT JOIN pg_tablespace AS t ON t.oid = c.reltablespace "
        "WHERE c.oid = %s::regclass",
        (parent.quoted,),
    )
    return sql.SQL("") if name is None else sql.SQL(" TABLESPACE {}").format(sql.Identifier(name))


def own(connection: Connection, kind: sql.SQL, name: sql.Composable, parent: Relation = PARENT) -> None:
    """Make the owner of the parent, if that is another role, the owner of a new object."""
    owner = read_value(
        connection,
        "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = %s::regclass AND relowner <> current_user::regrole",
        (parent.quoted,),
    )
    if owner is not None:
        connection.execute(sql.SQL("ALTER {} {} OWNER TO {}").format(kind, name, sql.Identifier(owner)))


def mark(connection: Connection, table: Relation) -> None:
    """Note in the table's comment that the next run may drop it."""
    execute(connection, "COMMENT ON TABLE {} IS {}", table.identifier, sql.Literal(MARK))


def execute(connection: Connection, statement: str, *parts: sql.Composable) -> None:
    """Run a statement, with identifiers and literals in the place of its `{}`."""
    connection.execute(sql.SQL(statement).format(*parts))


def rename(connection: Connection, table: Relation, to: Relation) -> None:
    """Move the table to another schema and name."""
    execute(connection, "ALTER TABLE {} SET SCHEMA {}", table.identifier, sql.Identifier(to.schema))
    if table.name != to.name:
        moved = sql.Identifier(to.schema, table.name)
        execute(connection, "ALTER TABLE {} RENAME TO {}", moved, sql.Identifier(to.name))


def attach(connection: Connection, table: MonthTable, standing: Relation | None = None) -> None:
    """Make a table that stands aside, where months are built or elsewhere, the month's partition.

    The catalogue alone changes. The check of the bounds saves the scan of the table; the caller sees to it that the
    default partition needs none.
    """
    rename(connection, standing or table.aside, table.partition)
    execute(
        connection,
        "ALTER TABLE {} ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})",
        PARENT.identifier,
        table.partition.identifier,
        sql.Literal(table.lower),
        sql.Literal(table.upper),
    )
    finish(connection, table.partition, f"Conversations of {table.month}, {table.lower} to {table.upper}.")


def finish(connection: Connection, table: Relation, description: str) -> None:
    """Take from a table that was just attached what it had only while it stood aside; identify rows as the parent."""
    execute(
        connection,
        "ALTER TABLE {} DROP CONSTRAINT {}, RESET (autovacuum_enabled, toast.autovacuum_enabled)",
        table.identifier,
        sql.Identifier(BOUNDS_CHECK),
    )
    execute(connection, "COMMENT ON TABLE {} IS {}", table.identifier, sql.Literal(description))
    identify_rows(connection, PARENT, table)


def identify_rows(connection: Connection, parent: Relation, partition: Relation) -> None:
    """Identify rows of a new partition for subscribers as the parent does: ATTACH gives it an index, but not that."""
    for identity in connection.execute(
        read_sql("partitions", "describe_replica_identity.sql"),
        {"parent": parent.quoted, "partition": partition.quoted},
    ).fetchall():
        execute(connection, "ALTER TABLE {} REPLICA IDENTITY {}", partition.identifier, _replica_identity(*identity))


def _replica_identity(kind: str, index: str | None) -> sql.Composable:
    if index is not None:
        return sql.SQL("USING INDEX {}").format(sql.Identifier(index))
    return sql.SQL({"f": "FULL", "n": "NOTHING"}.get(kind, "DEFAULT"))
