"""The daily maintenance of the sessions.

The database function `clean_inactive_sessions`, which the chatbot also calls, decides when a session is inactive.
"""

import dagster as dg
from psycopg.rows import dict_row

from yumai_pipelines.defs.metadata import ENGINEERING, asset_key, section
from yumai_pipelines.defs.months import DAILY
from yumai_pipelines.defs.resources import PostgresResource
from yumai_pipelines.model.registry import SESSIONS
from yumai_pipelines.postgres.sql_files import read_sql
from yumai_pipelines.postgres.values import read_value
from yumai_pipelines.settings import Settings


@dg.asset(
    key_prefix="chatbot",
    deps=[asset_key(SESSIONS)],
    group_name="chatbot",
    kinds={"postgres", "sql"},
    owners=[ENGINEERING],
    tags=section("7.1"),
    freshness_policy=DAILY,
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
    freshness_policy=DAILY,
)
def session_monitoring(postgres: PostgresResource, settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult[None]:
    """The numbers of open and closed sessions, which Dagster plots over time.

    They are counted after inactive sessions are closed. Days begin at midnight in the business's time zone. Section 7.3
    of the database document.
    """
    with postgres.connect("count sessions") as connection, connection.cursor(row_factory=dict_row) as cursor:
        counts = cursor.execute(read_sql("sessions", "count_sessions.sql"), {"timezone": settings.timezone}).fetchone()
    if counts is None:
        raise TypeError("count_sessions.sql returned no row")
    return dg.MaterializeResult(metadata=counts)
