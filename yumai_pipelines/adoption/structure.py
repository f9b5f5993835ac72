"""Makes types, tables, columns, triggers, views, grants and comments what they are in the target of adoption.

Each function looks up how the database differs from the target, and corrects one kind of difference. Constraints,
indexes and times have modules of their own: `constraints`, `indexes` and `wall_time`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from psycopg import sql

from yumai_pipelines.adoption.functions import head, rename_function
from yumai_pipelines.adoption.kinds import Kind, There, adapted_type
from yumai_pipelines.adoption.registry import RECENT_CONVERSATIONS, SESSIONS
from yumai_pipelines.adoption.steps import Statement, exclusively, family
from yumai_pipelines.adoption.target import (
    ColumnShape,
    comment_on,
    create_table,
    function_text,
    grant,
    home,
    own_name,
    wanted,
    within,
)
from yumai_pipelines.model.relations import Relation
from yumai_pipelines.schema.snapshot import query_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from yumai_pipelines.adoption.steps import Steps

    Alter = Callable[[Relation, str, ColumnShape], list[Statement]]


def make_types_and_functions(steps: Steps) -> None:
    """Create missing types and labels of types, and functions that are missing or differ."""
    for each in steps.of_kind(Kind.TYPE, Kind.LABELS, Kind.FUNCTION):
        make: list[Statement] = []
        expected, found = each.expected, each.difference.found
        name = sql.Identifier(*each.name.partition("(")[0].split("."))
        if each.kind == Kind.FUNCTION:
            if found is not None and head(found) != head(expected):
                make.append(rename_function(found))
            make.append(function_text(expected.definition))
        elif found is None:
            make.append(sql.SQL("CREATE TYPE {} AS ENUM ({})").format(name, sql.SQL(expected.definition)))
        else:
            make += [
                sql.SQL("ALTER TYPE {} ADD VALUE IF NOT EXISTS {}").format(name, sql.SQL(label))
                for label in expected.definition.split(", ")
                if label not in found.definition.split(", ")
            ]
        steps.briefly(f"make {expected.kind} {each.name}", [], make)


def make_tables(steps: Steps) -> None:
    """Create missing tables with all their parts but the foreign keys, which are added with those of other tables."""
    there = steps.there()
    for each in steps.of_kind(Kind.TABLE):
        relation = Relation(*each.name.split("."))
        types = {
            own_name(column): adapted_type(there, relation, own_name(column), ColumnShape.parse(column.definition).type)
            for column in within("column", relation)
        }
        # Sessions are indexed once they are filled.
        steps.briefly(f"make {relation}", [], create_table(relation, types, indexed=relation != SESSIONS))


def add_columns(steps: Steps) -> None:
    """Add missing columns. Existing rows get the default when it is a constant, and NULL when it calls a function."""
    there = steps.there()
    by_table(steps, "add columns to", {Kind.COLUMN: partial(_add_column, there)})


def fit_columns(steps: Steps) -> None:
    """Widen columns, and let those be NULL that what is made for missing rows leaves out."""
    by_table(steps, "fit columns of", {Kind.NARROWER: _widen, Kind.NO_NULLS: _allow_nulls})


def set_defaults(steps: Steps) -> None:
    """Give columns the defaults that they need; sessions that the database made up, their triggers make from now on."""
    by_table(steps, "set defaults of", {Kind.DEFAULT: _set_default})


def by_table(steps: Steps, step: str, alter: Mapping[Kind, Alter]) -> None:
    """Alter each table that has columns of some kinds, with all its columns in one step."""
    found = steps.of_kind(*alter)
    for relation in dict.fromkeys(home(each.difference) for each in found):
        statements = [
            statement
            for each in found
            if home(each.difference) == relation
            for statement in alter[each.kind](
                relation, own_name(each.difference), ColumnShape.parse(each.expected.definition)
            )
        ]
        steps.briefly(f"{step} {relation}", exclusively(*family(steps.connection, relation)), statements)


def _add_column(there: There, relation: Relation, name: str, ours: ColumnShape) -> list[Statement]:
    shape = replace(ours, type=adapted_type(there, relation, name, ours.type))
    if shape.default is None:
        # Existing rows have no value.
        shape = replace(shape, not_null=False)
    at_once = shape.is_constant or shape.not_null
    declared = shape if at_once else replace(shape, default=None)
    statements: list[Statement] = [_alter(relation, sql.SQL("ADD COLUMN {}").format(declared.declaration(name)))]
    return statements if at_once else statements + _set_default(relation, name, shape)


def _widen(relation: Relation, name: str, ours: ColumnShape) -> list[Statement]:
    return [_alter(relation, sql.SQL("ALTER {} TYPE {}").format(sql.Identifier(name), sql.SQL(ours.type)))]


def _set_default(relation: Relation, name: str, ours: ColumnShape) -> list[Statement]:
    action = sql.SQL("SET DEFAULT {}").format(sql.SQL(ours.default)) if ours.default else sql.SQL("DROP DEFAULT")
    return [_alter(relation, sql.SQL("ALTER {} {}").format(sql.Identifier(name), action))]


def _allow_nulls(relation: Relation, name: str, _: ColumnShape) -> list[Statement]:
    return [_alter(relation, sql.SQL("ALTER {} DROP NOT NULL").format(sql.Identifier(name)))]


def _alter(relation: Relation, action: sql.Composable) -> sql.Composed:
    return sql.SQL("ALTER TABLE {} {}").format(relation.identifier, action)


def make_triggers(steps: Steps) -> None:
    """Create the triggers that are missing. One of theirs under the same name is renamed, and goes on firing."""
    for each in steps.of_kind(Kind.TRIGGER):
        table, name = home(each.difference), own_name(each.difference)
        statements: list[Statement] = []
        if each.difference.found is not None:
            statements.append(
                sql.SQL("ALTER TRIGGER {} ON {} RENAME TO {}").format(
                    sql.Identifier(name), table.identifier, sql.Identifier(f"{name}_older")
                )
            )
        statements.append(sql.SQL(each.expected.definition))
        steps.briefly(f"make trigger {each.name}", exclusively(table), statements)


def make_view(steps: Steps) -> None:
    """Build the view of recent conversations in another schema, then put it in the place of the older one, if any."""
    name = str(RECENT_CONVERSATIONS)
    difference = next((each.difference for each in steps.of_kind(Kind.VIEW) if each.name == name), None)
    if difference is None:
        return
    expected = wanted("relation", name)
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


def grant_and_comment(steps: Steps) -> None:
    """Set the grants and comments of the target, for which nobody has to wait."""
    statements: list[Statement] = []
    for each in dict.fromkeys(ruling.difference for ruling in steps.rulings()):
        if each.expected is None:
            continue
        if each.kind == "grant" and not each.name.startswith("schema "):
            statements.append(grant(each.expected))
        elif each.found is not None and each.found.comment != each.expected.comment:
            statements.append(comment_on(each.expected))
    if statements:
        steps.briefly("grant and comment", [], statements)
