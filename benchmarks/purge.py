"""Compares retention, which deletes a month's sessions with proofs and in batches, with a single DELETE."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

import psycopg
from pydantic import SecretStr

from benchmarks.runner import Benchmark, Measure, Scale, seconds
from benchmarks.writers import switch_notes_off
from yumai_pipelines.extracts.build import Privacy, build_months
from yumai_pipelines.model.lock_policy import LockPolicy
from yumai_pipelines.model.months import Month
from yumai_pipelines.model.registry import EXTRACTS
from yumai_pipelines.partitions.ensure import ensure_months
from yumai_pipelines.postgres.connections import connect
from yumai_pipelines.retention.purge import purge_month

SEOUL = ZoneInfo("Asia/Seoul")
MONTH = Month(2025, 6)
SESSIONS = 20_000
NOW = datetime(2025, 9, 5, 12, tzinfo=SEOUL)

FILL = """
    SET session_replication_role = replica;
    INSERT INTO users (external_user_id) SELECT n FROM generate_series(1, 5000) AS n;
    INSERT INTO shops (shop_name, category) SELECT 'shop ' || n, '한식' FROM generate_series(1, 1000) AS n;
    INSERT INTO session_master (user_id, session_start, session_end, is_active)
    SELECT 1 + n %% 5000, begun.at, begun.at + interval '20 minutes', false
    FROM generate_series(0, %(sessions)s - 1) AS n
    CROSS JOIN LATERAL (SELECT %(start)s::timestamptz + n * interval '29 days' / %(sessions)s AS at) AS begun;
    INSERT INTO conversations (session_id, user_id, conversation_time, input_text, response_text)
    SELECT s.session_id, s.user_id, s.session_start + n * interval '1 minute', repeat('배고파요 ', 6),
        repeat('근처 식당을 찾았어요 ', 4)
    FROM session_master AS s CROSS JOIN generate_series(1, 4) AS n;
    INSERT INTO user_interactions (session_id, user_id, time_stamp)
    SELECT session_id, user_id, conversation_time FROM conversations WHERE id %% 2 = 0;
    INSERT INTO recommendations_log (session_id, user_id, shop_id, time_stamp, recommendations, recommendation_count)
    SELECT session_id, user_id, 1 + id %% 1000, conversation_time, '[{"shop_id": 1, "score": 0.9}]', 1
    FROM conversations WHERE id %% 2 = 0;
    INSERT INTO user_feedback (session_id, user_id, time_stamp, related_recommendation_id, feedback_type)
    SELECT session_id, user_id, time_stamp, id, 'rating' FROM recommendations_log WHERE id %% 2 = 0;
    RESET session_replication_role;
    VACUUM ANALYZE
"""


def fill(url: str, partitions: int) -> None:
    """Fill the database with a month of sessions and the rows that refer to them, with this number of partitions."""
    with connect(url, application_name="benchmark: fill") as owner:
        months = [*(MONTH - (partitions - 1)).through(MONTH)]
        ensure_months(owner, months, zone=SEOUL, policy=LockPolicy())
    with psycopg.connect(url, autocommit=True) as admin:
        for statement in FILL.split(";"):
            admin.execute(statement.encode(), {"sessions": SESSIONS, "start": MONTH.start(SEOUL)})


def ours(url: str, _scale: Scale, *, partitions: int, noted: bool = True) -> Measure:
    """Purge the month as the asset does, after the month's extracts were built and proven."""
    fill(url, partitions)
    with connect(url, application_name="benchmark: purge") as owner:
        if not noted:
            switch_notes_off(owner)
        build_months([owner], EXTRACTS, [MONTH - 1, MONTH], SEOUL, Privacy(SecretStr("x" * 32)), LockPolicy())
        owner.execute("UPDATE extracts.ledger SET checks_passed = true")
        purges = []
        took = seconds(
            lambda: purges.append(purge_month(owner, MONTH, SEOUL, LockPolicy(), as_of=NOW, days=30)),
        )
    (purge,) = purges
    if purge.deleted != SESSIONS:
        raise AssertionError(purge)
    return Measure(took, f"{purge.batches} batches, the longest {purge.longest.total_seconds():.2f} s")


def in_one_statement(url: str, _scale: Scale, *, partitions: int) -> Measure:
    """Purge the month with one DELETE, whose cascade holds all its locks until it ends."""
    fill(url, partitions)
    with connect(url, application_name="benchmark: purge") as owner:
        bounds = (MONTH.start(SEOUL), MONTH.end(SEOUL))
        delete = "DELETE FROM chatbot.session_master WHERE session_end >= %s AND session_end < %s"
        return Measure(seconds(lambda: owner.execute(delete, bounds)))


PURGES = [
    Benchmark(
        f"purge-{partitions}",
        f"purge of {SESSIONS:,} sessions at {partitions} partitions",
        "one DELETE FROM session_master",
        "no batch over 1 s; total ≤ 1.1 ×",
        "s",
        partial(ours, partitions=partitions),
        partial(in_one_statement, partitions=partitions),
    )
    for partitions in (12, 60, 120)
]
PURGE_NOTES = Benchmark(
    "purge-notes",
    f"purge of {SESSIONS:,} sessions at 12 partitions",
    "without the triggers that note changes",
    "the cost of noting changes, stated",
    "s",
    partial(ours, partitions=12),
    partial(ours, partitions=12, noted=False),
)
