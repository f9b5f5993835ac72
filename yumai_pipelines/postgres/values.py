"""Reads a single value from the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg.rows import scalar_row

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from psycopg import sql

    from yumai_pipelines.model.relations import Relation
    from yumai_pipelines.postgres.connections import Connection


Value = Any
"""A value of any type, which depends on the query."""


def read_value(
    connection: Connection,
    query: str | sql.SQL | sql.Composed,
    parameters: Sequence[object] | Mapping[str, object] | None = None,
) -> Value:
    """Return the first column of the first row that a query returns; None if it returns no row."""
    with connection.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(query, parameters).fetchone()


def relation_exists(connection: Connection, relation: Relation) -> bool:
    """Return whether the database has a table or view of this name."""
    return bool(read_value(connection, "SELECT to_regclass(%s) IS NOT NULL", (relation.quoted,)))
