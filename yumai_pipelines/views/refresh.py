"""Refreshes a materialized view, and records the refresh."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg import sql

from yumai_pipelines.postgres.sql_files import read_sql
from yumai_pipelines.postgres.values import read_value

if TYPE_CHECKING:
    from datetime import datetime

    from yumai_pipelines.model.relations import Relation
    from yumai_pipelines.postgres.connections import Connection


@dataclass(frozen=True)
class Refresh:
    """What a refresh of a view did.

    Attributes:
        as_of: the time of the transaction that refreshed the view.
        rows: the number of rows of the view.
        concurrently: whether the view could be read meanwhile, which is not so if it held no data before.
    """

    as_of: datetime
    rows: int
    concurrently: bool


def refresh(connection: Connection, view: Relation) -> Refresh:
    """Refresh a view and record it, in one transaction. Section 7.1 of the database document.

    The view can be read meanwhile, and the cost depends on what it selects. A view that holds no data is locked while
    it is filled.

    One refresh runs at a time: REFRESH takes its snapshot before it waits for another one, and would afterwards fill
    the view from rows that an erasure has deleted meanwhile.
    """
    with connection.transaction():
        connection.execute("LOCK TABLE yumai_pipelines.view_refreshes IN SHARE ROW EXCLUSIVE MODE")
        filled = read_value(connection, "SELECT relispopulated FROM pg_class WHERE oid = %s::regclass", (view.quoted,))
        statement = "REFRESH MATERIALIZED VIEW CONCURRENTLY {}" if filled else "REFRESH MATERIALIZED VIEW {}"
        connection.execute(sql.SQL(statement).format(view.identifier))
        record = sql.SQL(read_sql("views", "record_refresh.sql")).format(view=view.identifier)
        ((as_of, rows),) = connection.execute(record, {"view_name": str(view)}).fetchall()
    return Refresh(as_of, rows, filled)
