"""The materialized view: that it is fresh, and holds exactly the rows that it held when it was refreshed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import psycopg
from psycopg.rows import dict_row

from yumai_pipelines.defs.evaluations import result
from yumai_pipelines.defs.resources import PostgresResource
from yumai_pipelines.defs.views.assets import recent_conversations
from yumai_pipelines.integrity.findings import SAMPLE, Finding, Severity
from yumai_pipelines.model.registry import RECENT_CONVERSATIONS
from yumai_pipelines.postgres.sql_files import read_sql

STALE_AFTER = timedelta(hours=26)
"""The schedule refreshes it daily; two hours are left for a run that waits."""

_REFRESH = "materialize chatbot/recent_conversations."


@dg.asset_check(asset=recent_conversations)
def is_fresh(postgres: PostgresResource) -> dg.AssetCheckResult:
    """The view was refreshed within the last 26 hours: the schedule does it daily."""
    with postgres.connect("check freshness") as connection:
        as_of = refreshed(connection)
    return result(freshness(as_of, datetime.now(UTC)))


@dg.asset_check(asset=recent_conversations)
def is_complete(postgres: PostgresResource) -> dg.AssetCheckResult:
    """The view holds exactly the conversations of the seven days before its last refresh.

    A warning, not an error: what was written or deleted since then shows up here until the next refresh.
    """
    with postgres.connect("check completeness") as connection:
        as_of = refreshed(connection)
        differences = differing(connection, as_of) if as_of else []
    return result(completeness(as_of, differences))


def refreshed(connection: psycopg.Connection[Any]) -> datetime | None:
    """As of when the view was last refreshed; None for never, and for a view that holds no data."""
    row = connection.execute(
        "SELECT r.as_of FROM yumai_pipelines.view_refreshes AS r "
        "INNER JOIN pg_class AS c ON c.oid = %s::regclass AND c.relispopulated WHERE r.view_name = %s",
        (RECENT_CONVERSATIONS.quoted, str(RECENT_CONVERSATIONS)),
    ).fetchone()
    return row[0] if row else None


def differing(connection: psycopg.Connection[Any], as_of: datetime) -> list[dict[str, Any]]:
    """The first rows in which the view differs from the conversations as of its refresh, with the number of all."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            read_sql("views", "list_view_differences.sql"), {"as_of": as_of, "sample": SAMPLE}
        ).fetchall()


def freshness(as_of: datetime | None, now: datetime) -> Finding:
    """Whether the last refresh is too long ago."""
    hours = round((now - as_of) / timedelta(hours=1), 2) if as_of else None
    stale = as_of is None or now - as_of > STALE_AFTER
    return Finding(
        subject=f"views staler than {STALE_AFTER / timedelta(hours=1):g} hours: {RECENT_CONVERSATIONS} "
        + (f"was refreshed {hours} hours ago" if as_of else "was never refreshed"),
        count=int(stale),
        cause="the schedule of daily_upkeep is off, or its runs have failed.",
        remedy=_REFRESH,
        severity=Severity.WARN,
        metadata={"as_of": str(as_of), "hours": hours},
    )


def completeness(as_of: datetime | None, differences: list[dict[str, Any]]) -> Finding:
    """Whether the view holds what it should."""
    if as_of is None:
        return Finding(
            subject=f"views without data: {RECENT_CONVERSATIONS} was never refreshed",
            count=1,
            cause="it was made or refreshed WITH NO DATA, or restored from a dump of the schema alone.",
            remedy=_REFRESH,
            severity=Severity.WARN,
        )
    return Finding(
        subject=f"rows in which {RECENT_CONVERSATIONS} differs from the conversations as of its refresh, {as_of}",
        count=differences[0]["total"] if differences else 0,
        sample=[{key: row[key] for key in ("difference", "id", "conversation_time")} for row in differences],
        cause="conversations of those days were written, changed or deleted after the refresh.",
        remedy=_REFRESH,
        severity=Severity.WARN,
        metadata={"as_of": str(as_of)},
    )


VIEW_CHECKS = [is_fresh, is_complete]
