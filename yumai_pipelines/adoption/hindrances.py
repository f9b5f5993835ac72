"""What of theirs would end an adoption midway, found before it begins, each with what to do.

Names that ours are to get, publications that refuse changes, rules, inheritance, policies, and checks of theirs that
rows which are made or written again would be against. What the login lacks is told by `ownership`, and what triggers
of theirs would notice by `bystanders`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from yumai_pipelines.adoption.constraints import may_be_null
from yumai_pipelines.adoption.conversions import KEPT, KEPT_BESIDE, SHADOW
from yumai_pipelines.adoption.core import CORE, REFERENCES
from yumai_pipelines.adoption.ownership import function_names
from yumai_pipelines.adoption.registry import SESSIONS, USERS
from yumai_pipelines.adoption.target import NOT_VALID, home, indexed, own_name, relations, target
from yumai_pipelines.model.relations import Relation
from yumai_pipelines.partitions.tables import DEFAULT, MonthTable
from yumai_pipelines.postgres.sql_files import read_sql
from yumai_pipelines.postgres.values import read_value
from yumai_pipelines.schema.snapshot import shipped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from zoneinfo import ZoneInfo

    from yumai_pipelines.adoption.conversions import Conversion
    from yumai_pipelines.adoption.kinds import There
    from yumai_pipelines.model.months import Month
    from yumai_pipelines.partitions.tables import Partition
    from yumai_pipelines.postgres.connections import Connection
    from yumai_pipelines.schema.snapshot import SchemaObject

    Conversions = Mapping[Relation, tuple[Conversion, ...]]

_MADE: dict[Relation, tuple[dict[str, str], ...]] = {
    USERS: (
        {
            "id": "g.id",
            "external_user_id": "'recovered:' || g.id",
            "nickname": "'recovered'",
            "platform": "'web'",
            "user_status": "'DELETED'",
        },
        {"id": "g.id", "external_user_id": "'recovered:' || g.id"},
    ),
    SESSIONS: (
        {
            "session_id": "gen_random_uuid()",
            "session_start": "now()",
            "session_end": "now()",
            "is_active": "false",
            "session_metadata": """'{"recovered": true, "from": "chatbot.conversations", "why": ""}'""",
        },
    ),
}
"""What a user or session that is made for rows gets; where a user cannot be made in the first way, in the second."""


def hindrances(connection: Connection, conversions: Conversions) -> Iterator[str]:
    """What the catalogue says would be in the way of any adoption of its tables.

    Args:
        connection: a transaction that reads.
        conversions: the columns that get another type.
    """
    tables = [relation.quoted for relation in CORE]
    values = {
        "tables": tables,
        "converted": [f"{relation.quoted}.{each.name}" for relation, found in conversions.items() for each in found],
        "referenced": sorted({relation.quoted for relation, _ in REFERENCES.values()}),
        "types": [each.name for each in target() if each.kind == "type"],
        "functions": sorted(function_names()),
    }
    for file in ("list_hindrances.sql", "list_unidentified.sql"):
        for (complaint,) in connection.execute(read_sql("adoption", file), values):
            yield complaint


def taken_names(
    connection: Connection, partitions: Iterable[Partition], missing: Iterable[Month], zone: ZoneInfo
) -> Iterator[str]:
    """Relations of theirs whose names tables, indexes and partitions of ours are to get.

    Args:
        connection: a transaction that reads.
        partitions: those that the conversations have.
        missing: the months that get a partition.
        zone: the business's time zone.
    """
    older = {str(relation) for relation in relations()}
    names: dict[str, str | None] = {}
    for each in (*target(), *shipped()):
        if each.kind == "relation" and each.name not in older:
            names[each.name] = None
        elif each.kind == "index":
            names[each.name] = indexed(each.definition).quoted
        elif each.kind == "constraint" and each.definition.startswith(("PRIMARY KEY", "UNIQUE")):
            names[f"{home(each).schema}.{own_name(each)}"] = home(each).quoted
    months = {str(MonthTable.of(month, zone).partition) for month in missing}
    names |= dict.fromkeys(months)
    if not any(each.is_default for each in partitions):
        names[str(DEFAULT)] = None
    values = {"names": list(names), "tables": list(names.values()), "months": [name in months for name in names]}
    for (complaint,) in connection.execute(read_sql("adoption", "list_taken_names.sql"), values):
        yield complaint


def taken_columns(there: There, conversions: Conversions, numbered: Iterable[tuple[Relation, str]]) -> Iterator[str]:
    """Columns of theirs whose names columns are to get while they are converted or numbered, or afterwards."""
    wanted = [
        *(
            (relation, form.format(each.name))
            for relation, found in conversions.items()
            for each in found
            for form in (SHADOW, KEPT, KEPT_BESIDE)
        ),
        *((relation, SHADOW.format(name)) for relation, name in numbered),
    ]
    for relation, name in wanted:
        if name in there.columns[relation]:
            yield (
                f"column {relation}.{name} has a name that the adoption needs: ALTER TABLE {relation} RENAME {name} TO "
                f"their_{name}."
            )


def refused_rows(connection: Connection, there: There, made: Mapping[Relation, sql.Composed]) -> Iterator[str]:
    """Checks of theirs that a user or a session would be against that is made for rows which name none that is there.

    Args:
        connection: a transaction that reads.
        there: what the database has.
        made: the tables in which such rows are made, each with SQL of the rows that need one, called `g`, whose `id` is
            the key that it gets.
    """
    for relation, needed in made.items():
        checks = _checks_of(there, relation)
        refused: list[str] = []
        for given in _MADE[relation]:
            row = _made_rows(there, relation, given, needed)
            refused = [own_name(each) for each in checks if _refuses(connection, row, each)]
            if not refused:
                break
        for (index,) in connection.execute(
            read_sql("adoption", "list_indexes_of_one_null.sql"),
            {"table": relation.quoted, "given": list(_MADE[relation][-1])},
        ):
            yield (
                f"Several rows of {relation} may be made for what is gone, and {index} lets NULL stand in one row "
                f"alone: DROP INDEX {index}, and make it anew without NULLS NOT DISTINCT."
            )
        for name in refused:
            yield (
                f"Rows of {relation} are made for what is gone, with {', '.join(_MADE[relation][-1])} and the defaults "
                f"of the others, and the check {name} refuses them: ALTER TABLE {relation} DROP CONSTRAINT {name}, or "
                "set a default that it allows."
            )


def _made_rows(there: There, relation: Relation, given: Mapping[str, str], needed: sql.Composed) -> sql.Composed:
    """SQL of the rows that are made, with their columns."""

    def value(name: str, default: str | None) -> str:
        text = given.get(name, default or "NULL")
        return "NULL" if "nextval(" in text else text

    return sql.SQL("(SELECT {} FROM {}) AS t").format(
        sql.SQL(", ").join(
            sql.SQL("({})::{} AS {}").format(
                sql.SQL(value(name, shape.default)), sql.SQL(shape.type), sql.Identifier(name)
            )
            for name, shape in there.columns[relation].items()
        ),
        needed,
    )


def _checks_of(there: There, relation: Relation) -> list[SchemaObject]:
    """The CHECK constraints that a table has."""
    return [
        each
        for each in there.objects
        if each.kind == "constraint" and home(each) == relation and each.definition.startswith("CHECK ")
    ]


def _refuses(connection: Connection, rows: sql.Composed, check: SchemaObject) -> bool:
    """Whether the condition of a check is false for one of the rows. What cannot be asked of them is not."""
    condition = check.definition.removeprefix("CHECK ").removesuffix(NOT_VALID).removesuffix(" NO INHERIT")
    try:
        with connection.transaction():
            found = connection.execute(sql.SQL("SELECT FROM {} WHERE NOT {}").format(rows, sql.SQL(condition)))
            return found.rowcount > 0
    except psycopg.Error:
        return False


def refused_emptyings(connection: Connection, there: There) -> Iterator[str]:
    """Checks of theirs that rows are against once a reference of theirs that leads nowhere is emptied.

    Args:
        connection: a transaction that reads.
        there: what the database has.
    """
    for (relation, column), (referenced, key) in REFERENCES.items():
        if referenced in {USERS, SESSIONS} or column not in there.columns.get(relation, {}):
            continue
        checks = [each for each in _checks_of(there, relation) if column in each.definition]
        if not checks or not may_be_null(connection, relation, column):
            continue
        rows = _emptied_rows(there, relation, column, referenced, key)
        for each in checks:
            if _refuses(connection, rows, each):
                yield (
                    f"References by {column} of {relation} that lead nowhere are emptied, and the check "
                    f"{own_name(each)} refuses that: ALTER TABLE {relation} DROP CONSTRAINT {own_name(each)}, or put "
                    "these rows right."
                )


def _emptied_rows(there: There, relation: Relation, column: str, referenced: Relation, key: str) -> sql.Composed:
    """SQL of the rows whose reference is emptied, as they are then."""
    nowhere = sql.SQL("t.{} IS NOT NULL").format(sql.Identifier(column))
    if referenced in there.columns:
        nowhere += sql.SQL(" AND NOT EXISTS (SELECT FROM {} AS r WHERE r.{} = t.{})").format(
            referenced.identifier, sql.Identifier(key), sql.Identifier(column)
        )
    return sql.SQL("(SELECT {} FROM {} AS t WHERE {}) AS t").format(
        sql.SQL(", ").join(
            sql.SQL("NULL::{} AS {}").format(sql.SQL(shape.type), sql.Identifier(name))
            if name == column
            else sql.Identifier(name)
            for name, shape in there.columns[relation].items()
        ),
        relation.identifier,
        nowhere,
    )


def open_checks(connection: Connection, written: Iterable[Relation]) -> Iterator[str]:
    """Checks of theirs that are NOT VALID, with rows against them that are written again.

    Args:
        connection: a transaction that reads.
        written: the tables whose rows are written again.
    """
    values = {"tables": [relation.quoted for relation in written]}
    for schema, name, check, condition in connection.execute(
        read_sql("adoption", "list_open_checks.sql"), values
    ).fetchall():
        relation = Relation(schema, name)
        against = sql.SQL("SELECT count(*) FROM {} WHERE NOT ({})").format(relation.identifier, sql.SQL(condition))
        count = read_value(connection, against)
        if count:
            yield (
                f"{count} rows of {relation} are against its check {check}, which is not proven, and rows are written "
                f"again: put them right, or ALTER TABLE {relation} DROP CONSTRAINT {check}."
            )
