"""Makes types, tables, columns, triggers, views, grants and comments what they are in the target of adoption.

Each function looks up how the database differs from the target, and corrects one kind of difference. Constraints,
indexes and times have modules of their own: `constraints`, `indexes` and `wall_time`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

from yumai_pipelines.adoption.registry import RECENT_CONVERSATIONS, SESSIONS
from yumai_pipelines.adoption.steps import Statement, exclusively, family, stopping_writers
from yumai_pipelines.adoption.target import (
    AWARE,
    NAIVE,
    ColumnShape,
    comment_on,
    create_table,
    function_text,
    grant,
    home,
    named,
    own_name,
    referenced,
    relations,
    wanted,
    within,
)
from yumai_pipelines.model.relations import Relation
from yumai_pipelines.postgres.values import read_value
from yumai_pipelines.schema.snapshot import query_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from yumai_pipelines.adoption.steps import Steps
    from yumai_pipelines.postgres.connections import Connection
    from yumai_pipelines.schema.snapshot import Difference


def make_types_and_functions(steps: Steps) -> None:
    """Create missing types and values of types, and functions that are missing or differ."""
    for each in named(steps.differences(), "type", "function"):
        if each.expected is None or (each.found and each.found.definition == each.expected.definition):
            continue
        if each.kind == "function":
            make: list[Statement] = [function_text(each.expected.definition)]
        elif each.found is None:
            name = sql.Identifier(*each.name.split("."))
            make = [sql.SQL("CREATE TYPE {} AS ENUM ({})").format(name, sql.SQL(each.expected.definition))]
        else:
            make = [
                sql.SQL("ALTER TYPE {} ADD VALUE IF NOT EXISTS {}").format(
                    sql.Identifier(*each.name.split(".")), sql.SQL(value)
                )
                for value in each.expected.definition.split(", ")
                if value not in each.found.definition
            ]
        if make:
            steps.briefly(f"make {each.kind} {each.name}", [], make)


def make_tables(steps: Steps) -> None:
    """Create missing tables with all their parts; a table comes after those that it refers to."""
    missing = [
        Relation(*each.name.split("."))
        for each in named(steps.differences(), "relation")
        if each.found is None and each.expected is not None and each.expected.definition.startswith("table")
    ]
    while missing:
        for relation in list(missing):
            others = {referenced(each.definition) for each in within("constraint", relation)} - {None, relation}
            if others & set(missing):
                continue
            locks = stopping_writers(*(each for each in relations() if each in others))
            statements = create_table(relation, indexed=relation != SESSIONS)  # sessions are indexed once filled
            steps.briefly(f"make {relation}", locks, statements)
            missing.remove(relation)


def add_columns(steps: Steps) -> None:
    """Add missing columns. Existing rows get the default when it is a constant, and NULL when it calls a function."""
    by_table(steps, _added, "add columns to")


def fit_columns(steps: Steps) -> None:
    """Give columns the default, length and kind of identity of the target; drop NOT NULL where the target has none."""
    by_table(steps, _fitted, "fit columns of")


def by_table(steps: Steps, alter: Callable[[Relation, Sequence[Difference]], list[Statement]], step: str) -> None:
    """Alter each table whose columns differ, with all its columns in one step."""
    found = named(steps.differences(), "column")
    views = {RECENT_CONVERSATIONS}
    for relation in dict.fromkeys(home(each) for each in found):
        statements = alter(relation, [each for each in found if home(each) == relation])
        if statements and relation not in views:
            tables = family(steps.connection, relation)
            steps.briefly(f"{step} {relation}", exclusively(*tables), statements)


def _added(relation: Relation, found: Sequence[Difference]) -> list[Statement]:
    statements: list[Statement] = []
    for each in found:
        if each.found is not None or each.expected is None:
            continue
        shape, name = ColumnShape.parse(each.expected.definition), own_name(each)
        at_once = shape.is_constant or shape.not_null
        declared = shape if at_once else ColumnShape(shape.type, not_null=False, identity=None, default=None)
        statements.append(_alter(relation, sql.SQL("ADD COLUMN {}").format(declared.declaration(name))))
        if not at_once:
            statements.append(_default(relation, name, shape))
    return statements


def _fitted(relation: Relation, found: Sequence[Difference]) -> list[Statement]:
    statements: list[Statement] = []
    for each in found:
        if each.found is None or each.expected is None:
            continue
        name, shape, now = own_name(each), *map(ColumnShape.parse, (each.expected.definition, each.found.definition))
        column = sql.Identifier(name)
        if (now.type, shape.type) == (NAIVE, AWARE):
            continue
        if shape.widens(now):
            statements.append(_alter(relation, sql.SQL("ALTER {} TYPE {}").format(column, sql.SQL(shape.type))))
        if shape.default != now.default:
            statements.append(_default(relation, name, shape))
        if shape.identity and now.identity and shape.identity != now.identity:
            kind = shape.identity.removesuffix(" AS IDENTITY")
            statements.append(_alter(relation, sql.SQL("ALTER {} SET {}").format(column, sql.SQL(kind))))
        if now.not_null and not shape.not_null:
            statements.append(_alter(relation, sql.SQL("ALTER {} DROP NOT NULL").format(column)))
    return statements


def _alter(relation: Relation, action: sql.Composable) -> sql.Composed:
    return sql.SQL("ALTER TABLE {} {}").format(relation.identifier, action)


def _default(relation: Relation, name: str, shape: ColumnShape) -> sql.Composed:
    action = sql.SQL("SET DEFAULT {}").format(sql.SQL(shape.default)) if shape.default else sql.SQL("DROP DEFAULT")
    return _alter(relation, sql.SQL("ALTER {} {}").format(sql.Identifier(name), action))


def make_triggers(steps: Steps) -> None:
    """Create the triggers that are missing or differ."""
    for each in named(steps.differences(), "trigger"):
        expected, found = each.expected, each.found
        if expected is None or (found and found.definition == expected.definition):
            continue
        table = home(each)
        statements: list[Statement] = [
            sql.SQL(expected.definition.replace("CREATE TRIGGER", "CREATE OR REPLACE TRIGGER", 1)),
            sql.SQL("ALTER TABLE {} ENABLE TRIGGER {}").format(table.identifier, sql.Identifier(own_name(each))),
        ]
        steps.briefly(f"make trigger {each.name}", exclusively(table), statements)


def make_view(steps: Steps) -> None:
    """Build the view of recent conversations in another schema, then put it in the place of the older one, if any.

    An older view that another view depends on stays as it is, and is among the differences at the end.
    """
    name = str(RECENT_CONVERSATIONS)
    found = {each.name: each for each in named(steps.differences(), "relation")}
    difference = found.get(name)
    expected = wanted("relation", name)
    if difference is None or (difference.found and difference.found.definition == expected.definition):
        return
    if difference.found is not None and _is_used(steps.connection, RECENT_CONVERSATIONS):
        return
    aside = Relation("yumai_pipelines", RECENT_CONVERSATIONS.name)
    query = sql.SQL(query_of(expected.definition))
    aside_indexes = [each.definition for each in within("index", RECENT_CONVERSATIONS)]
    steps.briefly(
        f"build {name}",
        [],
        [
            sql.SQL("DROP MATERIALIZED VIEW IF EXISTS {}").format(aside.identifier),
            sql.SQL("CREATE MATERIALIZED VIEW {} AS {}").format(aside.identifier, query),
            *(sql.SQL(each.replace(f" ON {name} ", f" ON {aside} ")) for each in aside_indexes),
        ],
    )
    old = () if difference.found is None else (RECENT_CONVERSATIONS,)
    kind = "MATERIALIZED VIEW" if difference.found is None else difference.found.definition.split()[0].upper()
    kind = "MATERIALIZED VIEW" if kind == "MATERIALIZED" else kind
    steps.briefly(
        f"exchange {name}",
        [],  # a view cannot be locked by name; the statements wait no longer than the lock timeout
        [
            *(sql.SQL("DROP {} {}").format(sql.SQL(kind), view.identifier) for view in old),
            sql.SQL("ALTER MATERIALIZED VIEW {} SET SCHEMA {}").format(
                aside.identifier, sql.Identifier(RECENT_CONVERSATIONS.schema)
            ),
            *(grant(each) for each in (wanted("grant", f"{name} to yumai_app"),)),
        ],
    )


def _is_used(connection: Connection, relation: Relation) -> bool:
    """Whether another view depends on the relation."""
    query = (
        "SELECT EXISTS (SELECT FROM pg_depend AS d JOIN pg_rewrite AS r ON d.classid = 'pg_rewrite'::regclass "
        "AND d.objid = r.oid WHERE d.refobjid = %s::regclass AND r.ev_class <> d.refobjid)"
    )
    return bool(read_value(connection, query, (relation.quoted,)))


def grant_and_comment(steps: Steps) -> None:
    """Set the grants and comments of the target, for which nobody has to wait."""
    found = [each for each in steps.differences() if each.expected is not None]
    statements: list[Statement] = []
    for each in found:
        if each.expected is None:
            continue
        if each.kind == "grant" and not each.name.startswith("schema "):
            statements.append(grant(each.expected))
        elif each.found is not None and each.found.comment != each.expected.comment:
            statements.append(comment_on(each.expected))
    if statements:
        steps.briefly("grant and comment", [], statements)
