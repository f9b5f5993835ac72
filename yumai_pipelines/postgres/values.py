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
    """Whether the database has a table or view of the name, also where the login may not look into its schema."""
    query = (
        "SELECT EXISTS (SELECT FROM pg_class AS c INNER JOIN pg_namespace AS n ON c.relnamespace = n.oid "
        "WHERE (n.nspname, c.relname) = (%s, %s))"
    )
    return bool(read_value(connection, query, (relation.schema, relation.name)))
