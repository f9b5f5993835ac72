"""Compares the integrity checks, of everything and of a month, with bare anti-joins, and measures foreign keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import psycopg
from psycopg import sql

from benchmarks.runner import Benchmark, Measure, Scale, seconds
from yumai_pipelines.integrity.foreign_keys import Constraints, References, foreign_keys, orphans
from yumai_pipelines.integrity.scope import Scope
from yumai_pipelines.model.lock_policy import LockPolicy
from yumai_pipelines.model.months import Month
from yumai_pipelines.model.registry import CONVERSATIONS
from yumai_pipelines.partitions.ensure import ensure_months
from yumai_pipelines.postgres.connections import connect
from yumai_pipelines.schema.tables import TABLES, table_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from yumai_pipelines.schema.tables import Table

SEOUL = ZoneInfo("Asia/Seoul")
MONTHS = list(Month(2024, 8).through(Month(2024, 8) + 23))
TURNS = {Scale.SMALL: 200_000, Scale.MEDIUM: 2_000_000, Scale.LARGE: 10_000_000}
INSERTED = {Scale.SMALL: 50_000, Scale.MEDIUM: 200_000, Scale.LARGE: 1_000_000}

FILL = """
    SET session_replication_role = replica;
    INSERT INTO users (external_user_id) SELECT n FROM generate_series(1, 20000) AS n;
    INSERT INTO shops (shop_name) SELECT 'shop ' || n FROM generate_series(1, 1000) AS n;
    INSERT INTO session_master (user_id, session_start, is_active)
    SELECT 1 + n %% 20000, '2024-08-01 00:00+09'::timestamptz + n * interval '729 days' / (%(turns)s / 4), false
    FROM generate_series(1, %(turns)s / 4) AS n;
    INSERT INTO conversations (session_id, user_id, conversation_time, input_text, response_text, selected_shop_id)
    SELECT s.session_id, s.user_id, s.session_start + n * interval '1 minute', repeat('배고파요 ', 6),
        repeat('근처 식당을 찾았어요 ', 4), 1 + s.user_id %% 1000
    FROM session_master AS s CROSS JOIN generate_series(1, 4) AS n;
    INSERT INTO user_interactions (session_id, user_id, time_stamp)
    SELECT session_id, user_id, conversation_time FROM conversations WHERE id %% 2 = 0;
    INSERT INTO recommendations_log (session_id, user_id, shop_id, time_stamp, recommendations, recommendation_count)
    SELECT session_id, user_id, selected_shop_id, conversation_time, '[{"shop_id": 1, "score": 0.9}]', 1
    FROM conversations WHERE id %% 2 = 0;
    INSERT INTO user_feedback (session_id, user_id, time_stamp, related_recommendation_id, feedback_type)
    SELECT session_id, user_id, time_stamp, id, 'rating' FROM recommendations_log WHERE id %% 2 = 0;
    RESET session_replication_role;
    VACUUM ANALYZE
"""


def fill(url: str, scale: Scale) -> None:
    """Fill the database with two years of sessions and the rows that refer to them."""
    with connect(url, application_name="benchmark: fill") as owner:
        ensure_months(owner, MONTHS, zone=SEOUL, policy=LockPolicy())
    with psycopg.connect(url, autocommit=True) as admin:
        for statement in FILL.split(";"):
            admin.execute(statement.encode(), {"turns": TURNS[scale]})


def check(connection: psycopg.Connection[Any], table: Table, months: Sequence[Month] | None = None) -> None:
    """Check a table for orphans and broken foreign keys, constraints included, as the asset checks do."""
    scope = Scope.of(connection, table, months, SEOUL)
    references = References.follow(connection, scope, table.foreign_keys)
    constraints = Constraints.read(connection, scope)
    for place in scope.places:
        found = [foreign_keys(connection, constraints, references, place)]
        found += [orphans(connection, references, place)] if table.session_key else []
        if not all(finding.passed for finding in found):
            raise AssertionError(found)


def check_everything(connection: psycopg.Connection[Any]) -> None:
    """Check every table of the registry."""
    for table in TABLES:
        check(connection, table)


def anti_joins(connection: psycopg.Connection[Any]) -> None:
    """Run the query of section 7.3 of the document for each foreign key."""
    for key in (key for table in TABLES for key in table.foreign_keys):
        connection.execute(
            sql.SQL(
                "SELECT count(*) FROM {table} AS t LEFT JOIN {referenced} AS r ON r.{key} = t.{column} "
                "WHERE r.{key} IS NULL AND t.{column} IS NOT NULL"
            ).format(
                table=key.table.identifier,
                referenced=key.referenced.identifier,
                key=sql.Identifier(key.referenced_column),
                column=sql.Identifier(key.column),
            )
        )


def everything(url: str, scale: Scale) -> Measure:
    """Run all checks and measure the second run, which has a warm cache."""
    fill(url, scale)
    with connect(url, application_name="benchmark: checks") as owner:
        check_everything(owner)
        return Measure(seconds(lambda: check_everything(owner)))


def bare(url: str, scale: Scale) -> Measure:
    """Run all anti-joins and measure the second run."""
    fill(url, scale)
    with connect(url, application_name="benchmark: anti-joins") as owner:
        anti_joins(owner)
        return Measure(seconds(lambda: anti_joins(owner)))


def month(url: str, scale: Scale) -> Measure:
    """Check one month of the conversations and measure the second run."""
    return conversations(url, scale, [MONTHS[11]])


def all_months(url: str, scale: Scale) -> Measure:
    """Check all of the conversations and measure the second run."""
    return conversations(url, scale, None)


def conversations(url: str, scale: Scale, months: Sequence[Month] | None) -> Measure:
    """Measure the checks of the conversations in milliseconds."""
    fill(url, scale)
    with connect(url, application_name="benchmark: conversations") as owner:
        check(owner, table_of(CONVERSATIONS), months)
        return Measure(seconds(lambda: check(owner, table_of(CONVERSATIONS), months)) * 1000)


def insert(url: str, scale: Scale, *, keys: bool) -> Measure:
    """Measure the microseconds per inserted conversation, a thousand rows a statement, with or without foreign keys."""
    fill(url, Scale.SMALL)
    rows = INSERTED[scale]
    with connect(url, application_name="benchmark: insert") as owner:
        if not keys:
            for key in table_of(CONVERSATIONS).foreign_keys:
                owner.execute(
                    sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(key.table.identifier, sql.Identifier(key.name))
                )
        statement = (
            "INSERT INTO chatbot.conversations (session_id, user_id, conversation_time, input_text, selected_shop_id) "
            "SELECT session_id, user_id, session_start, '배고파요', 1 + user_id %% 1000 FROM chatbot.session_master "
            "OFFSET %s LIMIT 1000"
        )

        def insert_all() -> None:
            for first in range(0, rows, 1000):
                owner.execute(statement, (first % 40_000,))

        return Measure(seconds(insert_all) / rows * 1_000_000)


CHECKS = Benchmark(
    name="integrity",
    what="checks of orphans and foreign keys over everything",
    against="the bare anti-joins",
    goal="≤ 1.1 × (a ratio of 0.9)",
    unit="s",
    ours=everything,
    theirs=bare,
)
MONTH = Benchmark(
    name="integrity-month",
    what="the same of one month of the conversations",
    against="of all 24 months",
    goal="costs what a month holds",
    unit="ms",
    ours=month,
    theirs=all_months,
)
KEYS = Benchmark(
    name="foreign-keys",
    what="inserting a conversation with all foreign keys",
    against="without",
    goal="the cost of integrity, stated (by hand: 2.7 ×, 16 µs)",
    unit="µs a row",
    ours=lambda url, scale: insert(url, scale, keys=True),
    theirs=lambda url, scale: insert(url, scale, keys=False),
)
