"""The tables of the registry, with their primary keys and foreign keys from the shipped catalogue."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from yumai_pipelines.model.registry import SESSIONS, TABLE_ENTRIES, USERS
from yumai_pipelines.model.relations import Relation
from yumai_pipelines.schema.snapshot import shipped

if TYPE_CHECKING:
    from collections.abc import Iterable

    from yumai_pipelines.model.entries import SoftReference, TableEntry
    from yumai_pipelines.schema.snapshot import SchemaObject

_FOREIGN_KEY = re.compile(
    r"FOREIGN KEY \((\w+)\) REFERENCES (\w+)\.(\w+)\((\w+)\)(?: ON DELETE (CASCADE|SET NULL|RESTRICT))?"
)
_PRIMARY_KEY = re.compile(r"PRIMARY KEY \(([^)]*)\)")


class OnDelete(StrEnum):
    """What happens to a row when the row that it refers to is deleted."""

    CASCADE = "CASCADE"
    SET_NULL = "SET NULL"
    RESTRICT = "RESTRICT"
    NO_ACTION = "NO ACTION"


@dataclass(frozen=True)
class ForeignKey:
    """A foreign key of one column.

    Attributes:
        name: the name of the constraint.
        table: the table that refers to another.
        column: the column of that table.
        referenced: the table that is referred to.
        referenced_column: the column of the referenced table.
        on_delete: what happens to a row when the row that it refers to is deleted.
    """

    name: str
    table: Relation
    column: str
    referenced: Relation
    referenced_column: str
    on_delete: OnDelete


@dataclass(frozen=True)
class Table:
    """A table of the registry.

    Attributes:
        relation: its name.
        key: the columns of its primary key.
        foreign_keys: in the order of its columns.
        soft_references: its references without a foreign key.
        time: for tables of events, the column with the time of the event.
        later: columns with later times, which may be NULL.
        partitioned: whether it has a partition for each month.
        personal: columns that are emptied when a user is erased and the user's row stays as a record of the business.
        session_child: whether its rows belong to a session, and are deleted with it.
    """

    relation: Relation
    key: tuple[str, ...]
    foreign_keys: tuple[ForeignKey, ...] = ()
    soft_references: tuple[SoftReference, ...] = ()
    time: str | None = None
    later: tuple[str, ...] = ()
    partitioned: bool = False
    personal: tuple[str, ...] = ()
    session_child: bool = False

    @property
    def session_key(self) -> ForeignKey | None:
        """The foreign key to the sessions; None if the rows belong to no session."""
        return self._key_to(SESSIONS) if self.session_child else None

    @property
    def user_key(self) -> ForeignKey | None:
        """The foreign key to the users; None if the table has none."""
        return self._key_to(USERS)

    def _key_to(self, referenced: Relation) -> ForeignKey | None:
        return next((key for key in self.foreign_keys if key.referenced == referenced), None)


def read_tables(entries: Iterable[TableEntry], catalogue: Iterable[SchemaObject]) -> tuple[Table, ...]:
    """Join entries of the registry with the keys of their tables in a catalogue.

    Raises:
        KeyError: the catalogue has no such table, or no foreign key to the sessions although the entry says so.
        ValueError: a foreign key has several columns, which is not supported.
    """
    objects = list(catalogue)
    return tuple(_join(entry, objects) for entry in entries)


def _join(entry: TableEntry, objects: Iterable[SchemaObject]) -> Table:
    prefix = f"{entry.relation}."
    mine = [each for each in objects if each.name == str(entry.relation) or each.name.startswith(prefix)]
    definition = next((each.definition for each in mine if each.kind == "relation"), None)
    if definition is None:
        raise KeyError(f"{entry.relation} is in the registry, and not in the catalogue: run `make schema`")
    columns = [each.name.removeprefix(prefix) for each in mine if each.kind == "column"]
    constraints = [each for each in mine if each.kind == "constraint"]
    primary = next((found for each in constraints if (found := _PRIMARY_KEY.match(each.definition))), None)
    keys = [
        _foreign_key(entry.relation, each.name.removeprefix(prefix), each.definition)
        for each in constraints
        if each.definition.startswith("FOREIGN KEY")
    ]
    if entry.session_child and not any(key.referenced == SESSIONS for key in keys):
        raise KeyError(f"{entry.relation} is a session's child in the registry, and has no foreign key to {SESSIONS}")
    return Table(
        relation=entry.relation,
        key=tuple(primary[1].split(", ")) if primary else (),
        foreign_keys=tuple(sorted(keys, key=lambda key: columns.index(key.column))),
        soft_references=entry.soft_references,
        time=entry.time,
        later=entry.later,
        partitioned=definition.startswith("partitioned table"),
        personal=entry.personal,
        session_child=entry.session_child,
    )


def _foreign_key(table: Relation, name: str, definition: str) -> ForeignKey:
    found = _FOREIGN_KEY.match(definition)
    if found is None:
        raise ValueError(f"{name} of {table} is no foreign key of one column: {definition}")
    column, schema, referenced, referenced_column, rule = found.groups(OnDelete.NO_ACTION.value)
    return ForeignKey(name, table, column, Relation(schema, referenced), referenced_column, OnDelete(rule))


TABLES: tuple[Table, ...] = read_tables(TABLE_ENTRIES, shipped())
"""The tables of the registry, in its order."""

SESSION_CHILDREN: tuple[Table, ...] = tuple(table for table in TABLES if table.session_child)
"""The tables whose rows belong to a session and are deleted with it. Section 3.3 of the database document."""


def table_of(relation: Relation) -> Table:
    """Return the table of the registry that has this name.

    Raises:
        KeyError: the registry has no such table.
    """
    for table in TABLES:
        if table.relation == relation:
            return table
    raise KeyError(str(relation))


def references_to(relation: Relation) -> tuple[ForeignKey, ...]:
    """Return the foreign keys that refer to a table, those of the last table of the registry first.

    No table refers to one that comes after it in the registry, so rows can be deleted in this order.
    """
    return tuple(key for table in reversed(TABLES) for key in table.foreign_keys if key.referenced == relation)
