"""Samples of the rows that a check found, for people to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.string import TextLoader

from yumai_pipelines.integrity.findings import SAMPLE

if TYPE_CHECKING:
    from yumai_pipelines.postgres.connections import Connection


def sample(connection: Connection, listing: sql.Composed) -> list[dict[str, Any]]:
    """Return the first rows of a listing, as many as a failed check shows.

    Times are returned as text, because Python has no infinite ones.
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        for kind in ("timestamptz", "timestamp", "date", "interval"):
            cursor.adapters.register_loader(kind, TextLoader)
        return cursor.execute(sql.SQL("{} LIMIT {}").format(listing, sql.Literal(SAMPLE))).fetchall()
