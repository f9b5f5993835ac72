"""The target of adoption: the objects that the migrations up to `BASE` create, and the DDL for them.

The later migrations run after that, as in any upgrade. The target is kept in `sql/adoption/target.jsonl`, frozen like
the migrations that it comes from. `schema.snapshot` compares a database with it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from psycopg import sql

from yumai_pipelines.model.relations import Relation
from yumai_pipelines.postgres.sql_files import read_sql
from yumai_pipelines.schema.snapshot import SchemaObject

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from yumai_pipelines.adoption.steps import Statement
    from yumai_pipelines.schema.snapshot import Difference

BASE = "0004"
"""The last migration that creates objects which an older database may have in another form."""

NAIVE = "timestamp without time zone"
AWARE = "timestamp with time zone"
NOT_VALID = " NOT VALID"

_WITHIN_RELATION = ("column", "constraint", "trigger")
_VARCHARS = re.compile(r"\(ARRAY\[([^\]]*)\]\)::text\[\]")
_INDEX_TAIL = re.compile(r"^CREATE (UNIQUE )?INDEX .*? ON (?:ONLY )?\S+ (USING .*?)( INVALID)?$", re.DOTALL)
_REFERENCED = re.compile(r" REFERENCES ([a-z_]+)\.([a-z_]+)\(")


@cache
def target() -> tuple[SchemaObject, ...]:
    """The objects of the schema as of `BASE`."""
    return tuple(SchemaObject(**json.loads(line)) for line in read_sql("adoption", "target.jsonl").splitlines())


@cache
def wanted(kind: str, name: str) -> SchemaObject:
    """One object of the target.

    Raises:
        KeyError: the target has no object of that name.
    """
    for each in target():
        if (each.kind, each.name) == (kind, name):
            return each
    raise KeyError(f"{kind} {name}")


def relations() -> list[Relation]:
    """The tables and views of the target."""
    return [Relation(*each.name.split(".")) for each in target() if each.kind == "relation"]


def home(item: SchemaObject | Difference) -> Relation:
    """The relation that a column, constraint or trigger is a part of."""
    schema, _, rest = item.name.partition(".")
    return Relation(schema, rest.rpartition(".")[0])


def own_name(item: SchemaObject | Difference) -> str:
    """The last part of an object's name."""
    return item.name.rsplit(".", 1)[1]


def indexed(definition: str) -> Relation:
    """The table of an index, read from its definition."""
    match = re.search(r" ON (?:ONLY )?([a-z_]+)\.([a-z_]+) USING ", definition)
    if match is None:
        raise ValueError(definition)
    return Relation(match[1], match[2])


def index_tail(definition: str) -> str:
    """An index's definition without its name and table, to compare indexes of a table and of its partitions."""
    match = _INDEX_TAIL.match(definition)
    if match is None:
        raise ValueError(definition)
    return (match[1] or "") + match[2]


def referenced(definition: str) -> Relation | None:
    """The table that a foreign key refers to; None when the definition is not of a foreign key."""
    match = _REFERENCED.search(definition)
    return Relation(match[1], match[2]) if match else None


@dataclass(frozen=True)
class ColumnShape:
    """The definition of a column, as the catalogue describes it."""

    type: str
    not_null: bool
    identity: str | None
    default: str | None
    generated: bool = False

    @classmethod
    def parse(cls, definition: str) -> ColumnShape:
        """Parse a column's definition as `schema.snapshot` writes it."""
        kind, *rest = definition.split("\n")
        identity = next((line for line in rest if line.endswith("AS IDENTITY")), None)
        default = next((line.removeprefix("DEFAULT ") for line in rest if line.startswith("DEFAULT ")), None)
        generated = identity is None and any(line.startswith("GENERATED ALWAYS AS ") for line in rest)
        return cls(kind, "NOT NULL" in rest, identity, default, generated)

    def declaration(self, name: str) -> sql.Composed:
        """The column's declaration for CREATE TABLE or ADD COLUMN."""
        parts = [self.type, self.identity, f"DEFAULT {self.default}" if self.default else None]
        if self.not_null:
            parts.append("NOT NULL")
        return sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(" ".join(filter(None, parts))))

    @property
    def is_constant(self) -> bool:
        """Whether existing rows may be given the default, because it calls no function."""
        return self.default is None or "(" not in self.default


def constraint_text(definition: str) -> sql.SQL:
    """A constraint's definition in a spelling from which PostgreSQL makes the same constraint again.

    PostgreSQL prints a list of varchars as an array that is cast to text[], and would read that as an array of texts.
    """
    return sql.SQL(_VARCHARS.sub(r"ARRAY[\1]::character varying[]", definition))


def within(kind: str, relation: Relation) -> list[SchemaObject]:
    """The target's columns, constraints, triggers or indexes (the `kind`) of a relation."""
    if kind == "index":
        return [each for each in target() if each.kind == kind and indexed(each.definition) == relation]
    return [each for each in target() if each.kind == kind and home(each) == relation]


def comment_on(item: SchemaObject) -> sql.Composed:
    """The statement that sets an object's comment."""
    if item.kind in {"constraint", "trigger"}:
        what = sql.SQL(item.kind.upper() + " {} ON {}").format(sql.Identifier(own_name(item)), home(item).identifier)
    elif item.kind == "relation":
        view = item.definition.startswith("materialized view")
        what = sql.SQL("MATERIALIZED VIEW {}" if view else "TABLE {}").format(sql.Identifier(*item.name.split(".")))
    elif item.kind == "function":
        what = sql.SQL("FUNCTION {}").format(sql.SQL(item.name))
    else:
        what = sql.SQL(item.kind.upper() + " {}").format(sql.Identifier(*item.name.split(".")))
    return sql.SQL("COMMENT ON {} IS {}").format(what, sql.Literal(item.comment))


def create_table(relation: Relation, types: Mapping[str, str], *, indexed: bool = True) -> list[Statement]:
    """The statements that create a table of the target with all its parts but the foreign keys.

    Args:
        relation: the table.
        types: the types of its columns.
        indexed: whether its indexes are made, too.
    """
    columns = within("column", relation)
    constraints = [each for each in within("constraint", relation) if not each.definition.startswith("FOREIGN")]
    constraints.sort(key=lambda each: "PUC".index(each.definition[0]))
    indexes, triggers = within("index", relation) if indexed else [], within("trigger", relation)
    body = sql.SQL(", ").join(
        [
            replace(ColumnShape.parse(each.definition), type=types[own_name(each)]).declaration(own_name(each))
            for each in columns
        ]
        + [
            sql.SQL("CONSTRAINT {} {}").format(sql.Identifier(own_name(each)), constraint_text(each.definition))
            for each in constraints
        ]
    )
    grants = [grant(each) for each in target() if each.kind == "grant" and each.name.startswith(f"{relation} to ")]
    commented = [wanted("relation", str(relation)), *columns, *constraints, *indexes, *triggers]
    return [
        sql.SQL("CREATE TABLE {} ({})").format(relation.identifier, body),
        *(sql.SQL(each.definition) for each in (*indexes, *triggers)),
        *grants,
        *(comment_on(each) for each in commented if each.comment),
    ]


def grant(item: SchemaObject) -> sql.Composed:
    """The GRANT statement of a grant on a table."""
    table, role = item.name.split(" to ")
    return sql.SQL("GRANT {} ON {} TO {}").format(
        sql.SQL(item.definition), sql.Identifier(*table.split(".")), sql.Identifier(role)
    )


def function_text(definition: str) -> sql.SQL:
    """The statement that creates a function, read from its definition."""
    return sql.SQL(definition.rpartition("\nowner ")[0])


def named(items: Sequence[Difference], *kinds: str) -> list[Difference]:
    """The differences of these kinds that concern objects of the target."""
    return [each for each in items if each.kind in kinds and each.expected is not None]
