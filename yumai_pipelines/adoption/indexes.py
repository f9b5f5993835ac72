"""Builds the indexes that an older database lacks, concurrently; on a partitioned table, partition by partition."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from psycopg import sql
from psycopg.rows import class_row

from yumai_pipelines.adoption.kinds import Kind
from yumai_pipelines.adoption.steps import exclusively, family, stopping_writers
from yumai_pipelines.adoption.target import index_tail, indexed
from yumai_pipelines.model.relations import Relation
from yumai_pipelines.postgres.sql_files import read_sql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from yumai_pipelines.adoption.steps import Steps
    from yumai_pipelines.postgres.connections import Connection


class Index(NamedTuple):
    """An index as the catalogue describes it."""

    schema: str
    name: str
    definition: str
    valid: bool
    part_of: str | None

    @property
    def relation(self) -> Relation:
        """Its name with its schema."""
        return Relation(self.schema, self.name)

    @property
    def tail(self) -> str:
        """Its definition without its name and table."""
        return index_tail(self.definition)


def list_indexes(connection: Connection, table: Relation) -> list[Index]:
    """The indexes of a table, without those of constraints."""
    with connection.cursor(row_factory=class_row(Index)) as cursor:
        return cursor.execute(read_sql("adoption", "list_indexes.sql"), {"table": table.quoted}).fetchall()


def make_indexes(steps: Steps, *, later: Relation | None = None) -> None:
    """Build the indexes that are missing, differ, or were left invalid by a killed run, except those of `later`."""
    tasks: dict[Relation, list[Callable[[Steps], None]]] = {}
    for each in steps.of_kind(Kind.INDEX):
        table = indexed(each.expected.definition)
        if table == later:
            continue
        name, tail = Relation(*each.name.split(".")), index_tail(each.expected.definition)
        _, *partitions = family(steps.connection, table)
        if partitions or " ON ONLY " in each.expected.definition:
            _make_on_parent(steps, table, name, tail)
        else:
            tasks.setdefault(table, []).append(partial(make_index, table=table, name=name, tail=tail))
        for partition in partitions:
            tasks.setdefault(partition, []).append(partial(_make_part, partition=partition, parent=name, tail=tail))
    steps.at_once([partial(_make_all, tasks=each) for each in tasks.values()])


def _make_all(steps: Steps, tasks: Iterable[Callable[[Steps], None]]) -> None:
    for task in tasks:
        task(steps)


def make_index(steps: Steps, table: Relation, name: Relation, tail: str) -> None:
    """Make sure that a table has a valid index of this definition and name: rename an equal one, or build it."""
    found = {index.name: index for index in list_indexes(steps.connection, table)}
    same = next((index for index in found.values() if index.tail == tail and index.valid), None)
    present = found.get(name.name)
    if present is not None and present == same:
        return
    if present is not None and present.valid:
        steps.briefly(f"rename {present.name}, which differs", stopping_writers(table), [_set_aside(present)])
    elif present is not None:
        drop = sql.SQL("DROP INDEX {}").format(present.relation.identifier)
        steps.briefly(f"drop {present.name}, which was not finished", exclusively(table), [drop])
    if same is not None and same != present:
        rename = sql.SQL("ALTER INDEX {} RENAME TO {}").format(same.relation.identifier, sql.Identifier(name.name))
        steps.briefly(f"rename {same.name} to {name.name}", stopping_writers(table), [rename])
        return
    _build(steps, table, name, tail)


def _set_aside(index: Index) -> sql.Composed:
    """The statement that gives an index of theirs another name: it may serve queries of theirs."""
    older = sql.Identifier(f"{index.name}_older")
    return sql.SQL("ALTER INDEX {} RENAME TO {}").format(index.relation.identifier, older)


def _build(steps: Steps, table: Relation, name: Relation | None, tail: str) -> None:
    """Build an index concurrently. Without a name, PostgreSQL chooses one."""
    unique = "UNIQUE " if tail.startswith("UNIQUE ") else ""
    statement = sql.SQL("CREATE {}INDEX CONCURRENTLY {} ON {} {}").format(
        sql.SQL(unique),
        sql.SQL("") if name is None else sql.Identifier(name.name),
        table.identifier,
        sql.SQL(tail.removeprefix(unique)),
    )
    steps.gently(f"build {'an index' if name is None else name.name} on {table}: {tail}", statement)


def _make_on_parent(steps: Steps, parent: Relation, name: Relation, tail: str) -> None:
    connection = steps.connection
    found = {index.name: index for index in list_indexes(connection, parent)}
    same = next((index for index in found.values() if index.tail == tail), None)
    present = found.get(name.name)
    if present is not None and present.tail != tail:
        steps.briefly(f"rename {name.name}, which differs", stopping_writers(parent), [_set_aside(present)])
        present = None
    if present is None and same is not None:
        rename = sql.SQL("ALTER INDEX {} RENAME TO {}").format(same.relation.identifier, sql.Identifier(name.name))
        steps.briefly(f"rename {same.name} to {name.name}", stopping_writers(parent), [rename])
    elif present is None:
        create = sql.SQL("CREATE INDEX {} ON ONLY {} {}").format(
            sql.Identifier(name.name), parent.identifier, sql.SQL(tail)
        )
        steps.briefly(f"begin {name.name}", stopping_writers(parent), [create])


def _make_part(steps: Steps, partition: Relation, parent: Relation, tail: str) -> None:
    def parts() -> list[Index]:
        return [index for index in list_indexes(steps.connection, partition) if index.tail == tail]

    if any(index.part_of == str(parent) for index in parts()):
        return
    for broken in [index for index in parts() if not index.valid]:
        drop = sql.SQL("DROP INDEX {}").format(broken.relation.identifier)
        steps.briefly(f"drop {broken.name}, which was not finished", exclusively(partition), [drop])
    if not parts():
        _build(steps, partition, None, tail)
    part = next(index for index in parts() if index.part_of is None)
    attach = sql.SQL("ALTER INDEX {} ATTACH PARTITION {}").format(parent.identifier, part.relation.identifier)
    steps.briefly(f"attach {part.name}", [], [attach])
