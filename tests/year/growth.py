"""What may grow in a year, and how much of it there is."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import psycopg

from tests.support import every, one
from tests.year.world import SEOUL, World
from yumai_pipelines.postgres.connections import with_database

if TYPE_CHECKING:
    from tests.support import Connection
    from yumai_pipelines.model.months import Month

SIZE = """
    SELECT sum(pg_total_relation_size(c.oid))::bigint
    FROM pg_catalog.pg_class AS c
    WHERE c.relkind IN ('r', 'm') AND c.relnamespace::regnamespace::text IN
        ('analytics', 'chatbot', 'extracts', 'ml_features', 'yumai_pipelines')
"""
PARTITIONS = "SELECT count(*) FROM pg_catalog.pg_inherits WHERE inhparent = 'chatbot.conversations'::regclass"
EVENTS = """
    SELECT count(*) FROM event_logs
    WHERE timestamp >= %s::timestamptz AT TIME ZONE 'UTC' AND timestamp < %s::timestamptz AT TIME ZONE 'UTC'
"""


def events(world: World, month: Month) -> int:
    """Return how many events Dagster noted in a month."""
    with dagster(world) as connection:
        return int(one(connection, EVENTS, month.start(SEOUL), month.end(SEOUL)))


def old_ticks(world: World) -> list[tuple[str, datetime]]:
    """Return the ticks that Dagster's retention (dagster.yaml) should have removed: a day late is in time."""
    oldest = world.now - timedelta(days=91)
    with dagster(world) as connection:
        return every(connection, "SELECT status, timestamp FROM job_ticks WHERE timestamp < %s", oldest)


def sessions_before(world: World, month: Month) -> int:
    """Return how many sessions are left that ended before a month."""
    query = "SELECT count(*) FROM chatbot.session_master WHERE session_end < %s"
    return int(one(world.database, query, month.start(SEOUL)))


def partitions(world: World) -> int:
    """Return how many partitions the conversations have, with the default one."""
    return int(one(world.database, PARTITIONS))


def bloat(world: World) -> float:
    """Return how many times the size of its rows the database has: its size by the size after it was written anew."""
    before = one(world.database, SIZE)
    world.database.execute("VACUUM FULL")
    return float(before / one(world.database, SIZE))


def dagster(world: World) -> Connection:
    return psycopg.connect(with_database(world.url, "yumai_dagster"), autocommit=True)
