"""The objects of the schema: those of a fresh install, which are shipped as `sql/catalogue.jsonl`, and of any database.

The shipped catalogue gives the descriptions of columns without a connection, and databases are compared with it.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from psycopg.rows import class_row

from yumai_pipelines.postgres.sql_files import read_sql
from yumai_pipelines.postgres.values import read_value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from yumai_pipelines.model.relations import Relation
    from yumai_pipelines.postgres.connections import Connection

SHIPPED = "catalogue.jsonl"

_MATERIALIZED_VIEW = "materialized view "
_SPELLING = re.compile(
    r"[()\s]|::(?:text|character varying|bpchar|character|numeric|double precision|real|smallint|integer|bigint)"
    r"(?:\[\])?"
)
_UNIQUE_INDEX = re.compile(r"CREATE UNIQUE INDEX \w+ ON (\w+\.\w+) USING btree \(([\w, ]+)\)$")


@dataclass(frozen=True)
class SchemaObject:
    """One object of the schema.

    Attributes:
        kind: schema, grant, function grant, type, relation, column, constraint, index, trigger, row security, policy or
            function.
        name: its qualified name.
        definition: its definition, as PostgreSQL prints it; a column's type is the first line.
        comment: its comment.
        restored: its definition as PostgreSQL prints it after a dump and a restore, where that is another spelling.
    """

    kind: str
    name: str
    definition: str
    comment: str | None
    restored: str | None = None


@dataclass(frozen=True)
class Column:
    """A column of a table or view: its name, its SQL type, and its comment."""

    name: str
    type: str
    description: str | None


@dataclass(frozen=True)
class Difference:
    """An object that is not what the migrations make. It is unknown if `expected` is None, missing if `found` is."""

    kind: str
    name: str
    expected: SchemaObject | None
    found: SchemaObject | None

    @property
    def object(self) -> str:
        """Kind and name of the object."""
        return f"{self.kind} {self.name}"

    @property
    def definitions(self) -> tuple[str | None, str | None]:
        """How the object is defined in the database, and by the migrations; None where it is not there."""
        return (
            None if self.found is None else spelled_once(self.found),
            None if self.expected is None else spelled_once(self.expected),
        )

    def __str__(self) -> str:
        """Return one line of text for people."""
        what = self.object
        if self.found is None:
            return f"{what} is missing"
        if self.expected is None:
            return f"{what} is not known to this version"
        if spelled_once(self.found) != spelled_once(self.expected):
            return f"{what} is [{_flat(self.found.definition)}] instead of [{_flat(self.expected.definition)}]"
        return f"{what} has another comment"


def _flat(text: str) -> str:
    return " ".join(text.split())


def describe(connection: Connection) -> tuple[SchemaObject, ...]:
    """Read the objects of a database's YUMAI schemas, columns in their tables' order, without monthly partitions."""
    with connection.transaction(), connection.cursor(row_factory=class_row(SchemaObject)) as cursor:
        # Names are printed by the one, and instants in defaults and checks by the other.
        printing = "SELECT set_config('search_path', %s, true), set_config('TimeZone', %s, true)"
        before = read_value(connection, "SHOW search_path"), read_value(connection, "SHOW TimeZone")
        connection.execute(printing, ("pg_catalog", "UTC"))
        objects = cursor.execute(read_sql("schema", "describe_objects.sql")).fetchall()
        connection.execute(printing, before)
        return tuple(objects)


def compare(expected: Iterable[SchemaObject], found: Iterable[SchemaObject]) -> list[Difference]:
    """What is missing, differs, or is unknown, by kind and name.

    A definition that a dump and a restore have spelled anew is the same.
    """
    wanted = {(each.kind, each.name): each for each in expected}
    present = {(each.kind, each.name): each for each in found}
    return [
        Difference(*key, wanted.get(key), present.get(key))
        for key in sorted(wanted.keys() | present.keys())
        if _seen(wanted.get(key)) != _seen(present.get(key))
    ]


def _seen(item: SchemaObject | None) -> tuple[str, str | None] | None:
    """What has to be alike in two objects of the same name."""
    return None if item is None else (spelled_once(item), item.comment)


def spelled_once(item: SchemaObject) -> str:
    """An object's definition, in the spelling of a fresh install where it has the one of a restored dump.

    PostgreSQL reads some of what it prints in another way: a list of varchars becomes a list of texts, and a BETWEEN
    among other conditions loses its parentheses.
    """
    return _respelled().get((item.kind, item.definition), item.definition)


def loosely(definition: str) -> str:
    """A definition without the parentheses and casts that PostgreSQL adds for the types of columns, or in a dump."""
    return _SPELLING.sub("", definition)


@cache
def _respelled() -> dict[tuple[str, str], str]:
    return {(each.kind, each.restored): each.definition for each in shipped() if each.restored is not None}


def to_lines(objects: Iterable[SchemaObject]) -> str:
    """Objects as `sql/catalogue.jsonl` keeps them, a line each."""
    lines = (json.dumps(_fields(each), ensure_ascii=False) for each in objects)
    return "".join(f"{line}\n" for line in lines)


def _fields(item: SchemaObject) -> dict[str, str | None]:
    fields: dict[str, str | None] = asdict(item)
    if item.restored is None:
        del fields["restored"]
    return fields


def with_restored(objects: Iterable[SchemaObject], restored: Iterable[SchemaObject]) -> tuple[SchemaObject, ...]:
    """Objects of an install, with the spelling that they have in a database into which its dump was restored.

    Raises:
        KeyError: one of them is not there.
    """
    there = {(each.kind, each.name): each.definition for each in restored}
    return tuple(
        each if there[each.kind, each.name] == each.definition else replace(each, restored=there[each.kind, each.name])
        for each in objects
    )


@cache
def shipped() -> tuple[SchemaObject, ...]:
    """Return the objects of a fresh install of this version."""
    return tuple(SchemaObject(**json.loads(line)) for line in read_sql(SHIPPED).splitlines())


def columns(relation: Relation, objects: Iterable[SchemaObject] | None = None) -> tuple[Column, ...]:
    """Return the columns of a table or view, in its order.

    Args:
        relation: the table or view.
        objects: the objects of a database; by default, those of a fresh install of this version.

    Raises:
        KeyError: there is no such relation.
    """
    prefix = f"{relation}."
    found = tuple(
        Column(each.name.removeprefix(prefix), each.definition.splitlines()[0], each.comment)
        for each in (shipped() if objects is None else objects)
        if each.kind == "column" and each.name.startswith(prefix)
    )
    if not found:
        raise KeyError(str(relation))
    return found


def comment(relation: Relation, objects: Iterable[SchemaObject] | None = None) -> str:
    """Return the comment on a table or view, or an empty text.

    Args:
        relation: the table or view.
        objects: the objects of a database; by default, those of a fresh install of this version.

    Raises:
        KeyError: there is no such relation.
    """
    for each in shipped() if objects is None else objects:
        if each.kind == "relation" and each.name == str(relation):
            return each.comment or ""
    raise KeyError(str(relation))


def view_query(view: Relation) -> str:
    """Return the query of a materialized view of this version.

    Raises:
        KeyError: this version has no such view.
    """
    for each in shipped():
        if each.kind == "relation" and each.name == str(view) and each.definition.startswith(_MATERIALIZED_VIEW):
            return query_of(each.definition)
    raise KeyError(str(view))


def query_of(definition: str) -> str:
    """Take the query of a materialized view from its definition."""
    return definition.removeprefix(_MATERIALIZED_VIEW).rpartition("\nowner ")[0].strip().rstrip(";")


def unique_key(relation: Relation) -> tuple[str, ...]:
    """Return the columns of the first unique index of a table or view of this version.

    Raises:
        KeyError: this version has no such index.
    """
    for each in shipped():
        found = _UNIQUE_INDEX.match(each.definition) if each.kind == "index" else None
        if found and found[1] == str(relation):
            return tuple(found[2].split(", "))
    raise KeyError(f"{relation} has no unique index")
