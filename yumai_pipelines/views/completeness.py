"""Checks whether a materialized view holds what it should, by running its query again as of its last refresh.

The query is that of this version's migrations, so a view that somebody has changed by hand is found too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from psycopg import sql
from psycopg.rows import dict_row

from yumai_pipelines.postgres.sql_files import read_sql
from yumai_pipelines.postgres.values import read_value
from yumai_pipelines.schema.snapshot import unique_key, view_query

if TYPE_CHECKING:
    from datetime import datetime

    from yumai_pipelines.model.relations import Relation
    from yumai_pipelines.postgres.connections import Connection

_NOW = re.compile(r"\bnow\(\)|\bCURRENT_TIMESTAMP\b")
_OTHER_CLOCK = re.compile(
    r"\bCURRENT_DATE\b|\bCURRENT_TIME\b|\bLOCALTIME\b|\bLOCALTIMESTAMP\b|\b(?:clock|statement|transaction)_timestamp\(\)"
)


def refreshed_at(connection: Connection, view: Relation) -> datetime | None:
    """Return the time of a view's last refresh; None if it was never refreshed or holds no data."""
    as_of: datetime | None = read_value(
        connection,
        "SELECT r.as_of FROM yumai_pipelines.view_refreshes AS r "
        "INNER JOIN pg_class AS c ON c.oid = %s::regclass AND c.relispopulated WHERE r.view_name = %s",
        (view.quoted, str(view)),
    )
    return as_of


def list_differences(connection: Connection, view: Relation, as_of: datetime, sample: int) -> list[dict[str, Any]]:
    """Return the first rows in which a view differs from what its query selects as of an instant.

    Returns:
        For each row the `difference`, the columns of the view's unique key, and the `total` number of such rows.

    Raises:
        KeyError: this version has no such view, or the view has no unique index.
        ValueError: the view's query reads another clock than now(), so its result at that time is not known.
    """
    statement = sql.SQL(read_sql("views", "list_differences.sql")).format(
        view=view.identifier,
        query=query_as_of(view_query(view), as_of),
        columns=sql.SQL(", ").join(sql.Identifier("t", column) for column in unique_key(view)),
        compared=_compared(connection, view),
    )
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement, {"sample": sample}).fetchall()


def _compared(connection: Connection, view: Relation) -> sql.Composed:
    """The columns of a view, as texts where their type has no equality: an adopted database may have such."""
    types = connection.execute(
        "SELECT a.attname, a.atttypid = ANY('{json,xml,point,polygon}'::regtype[]) FROM pg_attribute AS a "
        "WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
        (view.quoted,),
    )
    return sql.SQL(", ").join(
        sql.SQL("{0}::text AS {0}" if is_unequal else "{0}").format(sql.Identifier(name)) for name, is_unequal in types
    )


def query_as_of(query: str, as_of: datetime) -> sql.Composed:
    """Put an instant in the place of now() in a query, so that it selects what a refresh at that instant did.

    Raises:
        ValueError: the query reads another clock.
    """
    if other := _OTHER_CLOCK.search(query):
        raise ValueError(f"a materialized view that reads {other[0]} cannot be checked: let its query read now()")
    # The statement has a parameter, so each percent sign of the query is doubled.
    now = sql.SQL("{}::timestamptz").format(sql.Literal(as_of))
    parts = [sql.SQL(part.replace("%", "%%")) for part in _NOW.split(query)]
    return sql.Composed([piece for part in parts for piece in (now, part)][1:])
