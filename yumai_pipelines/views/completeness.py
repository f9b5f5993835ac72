"""Whether a materialized view holds what it should: its query is run again, as of the time of its last refresh.

The query is the one of this version's migrations, so a view that somebody has changed by hand is told apart.
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
    """As of when a view was last refreshed; None for never, and for a view that holds no data."""
    as_of: datetime | None = read_value(
        connection,
        "SELECT r.as_of FROM yumai_pipelines.view_refreshes AS r "
        "INNER JOIN pg_class AS c ON c.oid = %s::regclass AND c.relispopulated WHERE r.view_name = %s",
        (view.quoted, str(view)),
    )
    return as_of


def list_differences(connection: Connection, view: Relation, as_of: datetime, sample: int) -> list[dict[str, Any]]:
    """The first rows in which a view differs from what it selects as of an instant.

    Returns:
        For each row the `difference`, the columns of the view's unique key, and the `total` of all such rows.

    Raises:
        KeyError: this version has no such view, or the view has no unique index.
        ValueError: the view's query reads another clock than now(), so that nobody can say what it saw.
    """
    statement = sql.SQL(read_sql("views", "list_differences.sql")).format(
        view=view.identifier,
        query=query_as_of(view_query(view), as_of),
        columns=sql.SQL(", ").join(sql.Identifier("t", column) for column in unique_key(view)),
    )
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement, {"sample": sample}).fetchall()


def query_as_of(query: str, as_of: datetime) -> sql.Composed:
    """A query with an instant in the place of now(), as it is when the query is run in a refresh.

    Raises:
        ValueError: the query reads another clock.
    """
    if other := _OTHER_CLOCK.search(query):
        raise ValueError(f"a materialized view that reads {other[0]} cannot be checked: let its query read now()")
    # The statement has a parameter, so each percent sign of the query is doubled.
    now = sql.SQL("{}::timestamptz").format(sql.Literal(as_of))
    parts = [sql.SQL(part.replace("%", "%%")) for part in _NOW.split(query)]
    return sql.Composed([piece for part in parts for piece in (now, part)][1:])
