"""Replaces functions of the older system that have the name of one of ours, each name in one transaction.

CREATE OR REPLACE can change neither the arguments nor the return type of a function, and a second function of the same
name would make the clients' calls ambiguous.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from yumai_pipelines.adoption.ownership import function_names
from yumai_pipelines.postgres.sql_files import sql_path
from yumai_pipelines.schema import snapshot

if TYPE_CHECKING:
    from yumai_pipelines.adoption.steps import Steps
    from yumai_pipelines.postgres.connections import Connection
    from yumai_pipelines.schema.snapshot import SchemaObject


def replace_functions(steps: Steps) -> None:
    """Drop older functions and create this version's. An older one that something depends on is renamed instead."""
    ours = {each.name: head(each) for each in snapshot.shipped() if each.kind == "function"}
    names = function_names()
    superseded: dict[str, list[SchemaObject]] = {}
    for each in snapshot.describe(steps.connection):
        name = each.name.partition("(")[0]
        if each.kind == "function" and name in names and ours.get(each.name) != head(each):
            superseded.setdefault(name, []).append(each)
    for name, found in superseded.items():
        steps.briefly(f"replace function {name}", [], partial(_replace, steps.connection, name, found))


def _replace(connection: Connection, name: str, found: list[SchemaObject]) -> None:
    connection.execute("SET LOCAL check_function_bodies = off")
    for each in found:
        try:
            with connection.transaction():
                connection.execute(sql.SQL("DROP ROUTINE {}").format(sql.SQL(each.name)))
        except psycopg.errors.DependentObjectsStillExist:
            connection.execute(rename_function(each))
    connection.execute(sql_path("functions", f"{name.rpartition('.')[2]}.sql").read_bytes())


def rename_function(function: SchemaObject) -> sql.Composed:
    """The statement that makes room for a function of ours: what depends on the older one goes on calling it."""
    older = sql.Identifier(f"{function.name.partition('(')[0].rpartition('.')[2]}_older")
    return sql.SQL("ALTER ROUTINE {} RENAME TO {}").format(sql.SQL(function.name), older)


def head(function: SchemaObject) -> str:
    """The part of a definition that CREATE OR REPLACE cannot change: everything before the language."""
    return function.definition.partition("\n LANGUAGE ")[0]
