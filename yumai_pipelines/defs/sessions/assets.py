"""The daily maintenance of the sessions.

The database function `clean_inactive_sessions`, which the chatbot also calls, decides when a session is inactive.
"""

import dagster as dg
from psycopg import sql
from psycopg.rows import dict_row

from yumai_pipelines.defs.metadata import ENGINEERING, asset_key, section
from yumai_pipelines.defs.resources import PostgresResource
from yumai_pipelines.model.registry import CONVERSATIONS, SESSIONS
from yumai_pipelines.postgres.sql_files import read_sql
from yumai_pipelines.postgres.values import read_value
from yumai_pipelines.schema.tables import TABLES
from yumai_pipelines.settings import Settings

_ROW_COUNT = sql.Identifier("dagster/row_count")


@dg.asset(
    key_prefix="chatbot",
    deps=[asset_key(SESSIONS)],
    group_name="chatbot",
    kinds={"postgres", "sql"},
    owners=[ENGINEERING],
    tags=section("7.1"),
)
def inactive_sessions(postgres: PostgresResource) -> dg.MaterializeResult[None]:
    """Closes the sessions that have had no activity for 24 hours.

    A session stays open if it started within the last 24 hours, or has a row from that time in any table with a
    session. `session_end` is set to the last activity. Sections 5.1 and 7.1 of the database document.
    """
    with postgres.connect("close inactive sessions") as connection:
        closed = read_value(connection, "SELECT chatbot.clean_inactive_sessions()")
    return dg.MaterializeResult(metadata={"closed": closed})


@dg.asset(
    key_prefix="chatbot",
    deps=[asset_key(SESSIONS), inactive_sessions],
    group_name="chatbot",
    kinds={"postgres", "sql"},
    owners=[ENGINEERING],
    tags=section("7.3"),
)
def session_monitoring(
    context: dg.AssetExecutionContext, postgres: PostgresResource, settings: dg.ResourceParam[Settings]
) -> dg.MaterializeResult[None]:
    """The numbers of open and closed sessions, which Dagster plots over time.

    They are counted after inactive sessions are closed. Days begin at midnight in the business's time zone. The rows of
    each table that the chatbot writes are counted too, and shown with that table. Section 7.3 of the database document.
    """
    observed = [table.relation for table in TABLES if table.relation != CONVERSATIONS]
    with postgres.connect("count sessions") as connection, connection.cursor(row_factory=dict_row) as cursor:
        counts = cursor.execute(read_sql("sessions", "count_sessions.sql"), {"timezone": settings.timezone}).fetchone()
        for relation in observed:
            rows = cursor.execute(sql.SQL("SELECT count(*) AS {} FROM {}").format(_ROW_COUNT, relation.identifier))
            context.log_event(dg.AssetObservation(asset_key=asset_key(relation), metadata=rows.fetchone() or {}))
    if counts is None:
        raise TypeError("count_sessions.sql returned no row")
    return dg.MaterializeResult(metadata=counts)
