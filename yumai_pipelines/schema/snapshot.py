"""What a fresh install looks like, object by object: shipped as `sql/catalogue.jsonl`, and read from any database.

The shipped one gives column descriptions without a connection, and is what a database is compared with.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
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
    """

    kind: str
    name: str
    definition: str
    comment: str | None


@dataclass(frozen=True)
class Column:
    """A column of a table or view: its name, its SQL type, and its comment."""

    name: str
    type: str
    description: str | None


@dataclass(frozen=True)
class Difference:
    """An object that is not what the migrations make: unknown without `expected`, missing without `found`."""

    kind: str
    name: str
    expected: SchemaObject | None
    found: SchemaObject | None

    def __str__(self) -> str:
        """One line for people."""
        what = f"{self.kind} {self.name}"
        if self.found is None:
            return f"{what} is missing"
        if self.expected is None:
            return f"{what} is not known to this version"
        if self.found.definition != self.expected.definition:
            return f"{what} is [{_flat(self.found.definition)}] instead of [{_flat(self.expected.definition)}]"
        return f"{what} has another comment"


def _flat(text: str) -> str:
    return " ".join(text.split())


def describe(connection: Connection) -> tuple[SchemaObject, ...]:
    """The objects of a database's YUMAI schemas, columns in their tables' order; months' partitions are left out."""
    with connection.transaction(), connection.cursor(row_factory=class_row(SchemaObject)) as cursor:
        before = read_value(connection, "SHOW search_path")
        set_path = "SELECT set_config('search_path', %s, true)"
        connection.execute(set_path, ("pg_catalog",))
        objects = cursor.execute(read_sql("schema", "describe_objects.sql")).fetchall()
        connection.execute(set_path, (before,))
        return tuple(objects)


def compare(expected: Iterable[SchemaObject], found: Iterable[SchemaObject]) -> list[Difference]:
    """What is missing, differs, or is unknown, by kind and name."""
    wanted = {(each.kind, each.name): each for each in expected}
    present = {(each.kind, each.name): each for each in found}
    return [
        Difference(*key, wanted.get(key), present.get(key))
        for key in sorted(wanted.keys() | present.keys())
        if wanted.get(key) != present.get(key)
    ]


def to_lines(objects: Iterable[SchemaObject]) -> str:
    """Objects as `sql/catalogue.jsonl` keeps them, a line each."""
    return "".join(json.dumps(asdict(each), ensure_ascii=False) + "\n" for each in objects)


@cache
def shipped() -> tuple[SchemaObject, ...]:
    """The objects of a fresh install of this version."""
    return tuple(SchemaObject(**json.loads(line)) for line in read_sql(SHIPPED).splitlines())


def columns(relation: Relation, objects: Iterable[SchemaObject] | None = None) -> tuple[Column, ...]:
    """The columns of a table or view, in its order.

    Args:
        relation: the table or view.
        objects: of the database that it is in; without them, of a fresh install of this version.

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
    """What is said of a table or view.

    Args:
        relation: the table or view.
        objects: of the database that it is in; without them, of a fresh install of this version.

    Raises:
        KeyError: there is no such relation.
    """
    for each in shipped() if objects is None else objects:
        if each.kind == "relation" and each.name == str(relation):
            return each.comment or ""
    raise KeyError(str(relation))


def view_query(view: Relation) -> str:
    """The query of a materialized view of this version.

    Raises:
        KeyError: this version has no such view.
    """
    for each in shipped():
        if each.kind == "relation" and each.name == str(view) and each.definition.startswith(_MATERIALIZED_VIEW):
            return query_of(each.definition)
    raise KeyError(str(view))


def query_of(definition: str) -> str:
    """The query of a materialized view, of its definition."""
    return definition.removeprefix(_MATERIALIZED_VIEW).rpartition("\nowner ")[0].strip().rstrip(";")


def unique_key(relation: Relation) -> tuple[str, ...]:
    """The columns of the first unique index of a table or view of this version.

    Raises:
        KeyError: this version has none.
    """
    for each in shipped():
        found = _UNIQUE_INDEX.match(each.definition) if each.kind == "index" else None
        if found and found[1] == str(relation):
            return tuple(found[2].split(", "))
    raise KeyError(f"{relation} has no unique index")
