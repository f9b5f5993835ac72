"""Compares finding the stale months of the extracts with hashing all logs and with building all months.

Also the build of the months that late ratings made stale with a build of all of them.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import psycopg
from pydantic import SecretStr

from benchmarks.extracts import MONTHS, RECOMMENDATIONS, SECRET, SEOUL
from benchmarks.extracts import fill as fill_logs
from benchmarks.runner import Benchmark, Measure, Scale, seconds
from yumai_pipelines.extracts.build import Privacy, apply_server_settings, build_months, month_parameters
from yumai_pipelines.extracts.changes import changed_months, look, reasons
from yumai_pipelines.model.calendar import spans
from yumai_pipelines.model.lock_policy import LockPolicy
from yumai_pipelines.model.months import Month
from yumai_pipelines.model.registry import EXTRACTS
from yumai_pipelines.postgres.connections import connect
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from yumai_pipelines.postgres.connections import Connection

HASH_LOGS = (Path(__file__).parent / "hash_logs.sql").read_text(encoding="utf-8")
RATINGS = 100
LOOKS = 5
RATE = """
    INSERT INTO analytics.user_feedback (
        session_id, user_id, related_recommendation_id, time_stamp, feedback_type, feedback_target_type,
        feedback_target_id, feedback_content
    )
    SELECT r.session_id, r.user_id, r.id, %(now)s, 'rating', 'shop', r.shop_id::text, '{"rating": 5}'
    FROM analytics.recommendations_log AS r
    WHERE r.time_stamp >= %(moment)s
    ORDER BY r.time_stamp
    LIMIT 1
"""


def prepare(url: str, scale: Scale) -> None:
    """Fill the logs with two years of rows, and build all months."""
    fill_logs(url, scale)
    build(url, MONTHS)
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("UPDATE extracts.ledger SET checks_passed = true")
        admin.execute("VACUUM ANALYZE")


def build(url: str, months: Sequence[Month]) -> None:
    """Build adjoining months of all extracts, on as many connections as the default settings allow."""
    with ExitStack() as stack:
        connections = [
            stack.enter_context(connect(url, application_name="benchmark: build"))
            for _ in range(min(Settings().build_connections, len(months)))
        ]
        build_months(connections, EXTRACTS, months, SEOUL, Privacy(SecretStr(SECRET)), LockPolicy())


def rate(connection: Connection, months: Sequence[Month]) -> None:
    """Insert ratings of recommendations all over these months, each in a statement of its own."""
    start, end = months[0].start(SEOUL), months[-1].end(SEOUL)
    for number in range(RATINGS):
        connection.execute(RATE, {"now": end, "moment": start + number * (end - start) / RATINGS})


def find(connection: Connection) -> set[Month]:
    """Find the stale months as the daily build does."""
    return {month for _, month in reasons(look(connection, MONTHS), min_group_users=1)}


def hash_logs(connection: Connection) -> set[Month]:
    """Find the months whose logs have changed by the fingerprints of all rows."""
    with connection.transaction():
        apply_server_settings(connection)
        rows = connection.execute(HASH_LOGS.encode(), month_parameters(MONTHS, SEOUL))
        return {Month.of_day(day) for (day,) in rows}


def milliseconds(url: str, scale: Scale, finds: Callable[[Connection], set[Month]], *, late: bool) -> Measure:
    """Measure how long finding takes, when nothing has changed or after ratings of recommendations of all months."""
    with connect(url, application_name="benchmark: stale months") as owner:
        if late:
            rate(owner, MONTHS)
        if (found := finds(owner)) != (set(MONTHS) if late else set()):
            raise AssertionError(found)
        took = median(seconds(lambda: finds(owner)) for _ in range(LOOKS))
    return Measure(took * 1000, f"{RECOMMENDATIONS[scale]:,} recommendations")


def build_all(url: str, _scale: Scale) -> Measure:
    """Build all months once more, in milliseconds."""
    return Measure(seconds(lambda: build(url, MONTHS)) * 1000)


def build_stale(url: str, _scale: Scale) -> Measure:
    """Find and build the months of late ratings, which were given up to two months after their recommendations."""
    with connect(url, application_name="benchmark: stale months") as owner:
        rate(owner, MONTHS[-3:])

        def build_found() -> None:
            for first, last in spans(changed_months(owner)):
                build(url, list(first.through(last)))

        took = seconds(build_found)
        if found := find(owner) - set(MONTHS[-3:]):
            raise AssertionError(found)
    return Measure(took * 1000, "3 months")


STALE_MONTHS = [
    Benchmark(
        f"stale-{name}",
        f"finding the stale months of 24, {what}",
        "hashing all logs",
        "a cost that follows what has changed, not the history",
        "ms",
        partial(milliseconds, finds=find, late=late),
        partial(milliseconds, finds=hash_logs, late=late),
        prepare=prepare,
    )
    for name, what, late in (
        ("unchanged", "where nothing has changed", False),
        ("late", f"with {RATINGS} late ratings on recommendations of all of them", True),
    )
]
BUILDS = [
    Benchmark(
        "stale-or-all",
        f"finding the stale months of 24, with {RATINGS} late ratings on recommendations of all of them",
        "building all months",
        "a cost that follows what has changed, not the history",
        "ms",
        partial(milliseconds, finds=find, late=True),
        build_all,
        prepare=prepare,
    ),
    Benchmark(
        "stale-build",
        f"finding and building the months of {RATINGS} ratings given up to two months late",
        "building all months",
        "costs what those months hold",
        "ms",
        build_stale,
        build_all,
        prepare=prepare,
    ),
]
