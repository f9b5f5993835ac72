"""What functions and checks read when there are many sessions, counted by PostgreSQL's own statistics.

The tables hold so many rows, over so many months, that the planner has a choice.
"""

from __future__ import annotations

import re
from collections import Counter
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import psycopg
import pytest
from pydantic import SecretStr

from tests.support import Connection, every, one, present_month
from yumai_pipelines.archives.store import Store
from yumai_pipelines.erasure.erase import erase_user
from yumai_pipelines.integrity.foreign_keys import References
from yumai_pipelines.integrity.scope import Scope
from yumai_pipelines.model.lock_policy import LockPolicy
from yumai_pipelines.model.months import Month
from yumai_pipelines.model.registry import CONVERSATIONS, RECENT_CONVERSATIONS
from yumai_pipelines.partitions.ensure import ensure_months
from yumai_pipelines.postgres.connections import connect
from yumai_pipelines.schema.tables import table_of
from yumai_pipelines.settings import Settings
from yumai_pipelines.views.refresh import refresh

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Databases

SEOUL = Settings().zone
PAST = 12
"""How many months have sessions, with the present one."""

MONTHS = list((present_month() - (PAST - 1)).through(present_month() + 1))
"""Those, and one more, since the present month may end while these tests run."""

SESSIONS, USERS = 40_000, 2_000

# Every month holds the same number of rows, even the present one on its first day: the planner would rightly read a
# partition of a few rows in full.
FILL = """
    SET session_replication_role = replica;
    INSERT INTO users (external_user_id) SELECT n FROM generate_series(1, {users}) AS n;
    INSERT INTO session_master (user_id, session_start, session_end, is_active)
        SELECT 1 + n % {users}, start, CASE WHEN n % 100 > 0 THEN start + interval '1 hour' END, n % 100 = 0
        FROM (SELECT now() AT TIME ZONE '{zone}' AS today) AS t,
            generate_series(1, {sessions}) AS n,
            LATERAL (SELECT date_trunc('month', today) - n % {months} * interval '1 month' AS lower) AS m,
            LATERAL (SELECT least(lower + interval '1 month', today) - lower AS length) AS l,
            LATERAL (SELECT (lower + length * n / {sessions}) AT TIME ZONE '{zone}' AS start) AS s;
    INSERT INTO conversations (session_id, user_id, conversation_time, input_text)
        SELECT session_id, user_id, session_start + n * interval '1 minute', repeat('배고파 ', 10)
        FROM session_master CROSS JOIN generate_series(1, 4) AS n;
    INSERT INTO user_interactions (session_id, user_id, time_stamp)
        SELECT session_id, user_id, session_start FROM session_master;
    INSERT INTO recommendations_log (session_id, user_id, time_stamp, recommendations, recommendation_count)
        SELECT session_id, user_id, session_start, '[]', 0 FROM session_master;
    INSERT INTO user_feedback (session_id, user_id, time_stamp, related_recommendation_id)
        SELECT session_id, user_id, time_stamp, id FROM recommendations_log;
    RESET session_replication_role;
    VACUUM ANALYZE;
"""


@pytest.fixture(scope="module")
def many(databases: Databases, template: str) -> Iterator[Connection]:
    """The owner's connection to a database with many sessions over a year."""
    with (
        databases.clone(template) as url,
        psycopg.connect(url, autocommit=True) as admin,
        connect(url, application_name="test: scale") as owner,
    ):
        ensure_months(owner, MONTHS, zone=SEOUL, policy=LockPolicy())
        for statement in FILL.format(sessions=SESSIONS, users=USERS, months=PAST, zone=SEOUL.key).split(";"):
            admin.execute(statement.encode())
        # The statements are those of the database document, which the chatbot sends.
        owner.execute("SET search_path = chatbot, ml_features, analytics, public")
        yield owner


SCANS = """
    SELECT relname, seq_scan, seq_tup_read + coalesce(idx_tup_fetch, 0)
    FROM pg_stat_user_tables
    WHERE schemaname IN ('chatbot', 'ml_features', 'analytics') AND n_live_tup > 0
"""


def recent() -> set[str]:
    """The view, and the partitions that its rows come from."""
    days = (datetime.now(SEOUL) - timedelta(days=days) for days in range(8))
    return {"recent_conversations"} | {f"conversations_{Month.of(day, SEOUL).suffix}" for day in days}


class Read:
    """What was read of the tables that have rows."""

    in_full: Counter[str]
    """How often each table was read from the first row to the last."""

    rows: Counter[str]


@contextmanager
def watched(connection: Connection) -> Iterator[Read]:
    """Count what the statements inside read, and roll them back."""

    def counts() -> tuple[Counter[str], Counter[str]]:
        one(connection, "SELECT pg_stat_force_next_flush()::text")
        one(connection, "SELECT pg_stat_clear_snapshot()::text")
        scans = every(connection, SCANS)
        return Counter({name: full for name, full, _ in scans}), Counter({name: rows for name, _, rows in scans})

    read = Read()
    in_full, rows = counts()
    with connection.transaction(force_rollback=True):
        yield read
    in_full_now, rows_now = counts()
    read.in_full, read.rows = in_full_now - in_full, rows_now - rows


STATEMENTS = {
    "start_session": "SELECT start_session(7)",
    "end_session": "SELECT end_session((SELECT session_id FROM session_master WHERE user_id = 7 LIMIT 1))",
    "clean_inactive_sessions": "SELECT clean_inactive_sessions()",
    "delete_old_sessions": "SELECT delete_old_sessions(p_limit := 50)",
    "delete a session": "DELETE FROM session_master WHERE session_id IN "
    "(SELECT session_id FROM session_master WHERE user_id = 7 LIMIT 1)",
    "delete a user": "DELETE FROM users WHERE id = 7",
}


@pytest.mark.parametrize("statement", STATEMENTS.values(), ids=STATEMENTS)
def test_nothing_is_read_in_full(many: Connection, statement: str) -> None:
    with watched(many) as read:
        assert many.execute(statement.encode()).rowcount == 1
    assert sum(read.rows.values()) > 0
    assert read.in_full == {}


def test_cleaning_costs_what_is_open_not_what_there_is(many: Connection) -> None:
    """Each session that has been open for long enough costs one look into each table and each month."""
    since = "SELECT count(*) FROM session_master WHERE is_active AND session_start < now() - interval '1 day'"
    opened = one(many, since)
    assert 0 < opened < SESSIONS / 50
    with watched(many) as read:
        assert one(many, "SELECT clean_inactive_sessions()") == opened
    for table in ("user_interactions", "recommendations_log", "user_feedback"):
        assert read.rows[table] == opened


def test_the_plan_of_the_cleaning_takes_the_index_of_each_month(many: Connection) -> None:
    plan = every(
        many,
        "EXPLAIN SELECT "
        "(SELECT max(c.conversation_time) FROM conversations AS c WHERE c.session_id = s.session_id) "
        "FROM session_master AS s WHERE s.is_active AND s.session_start < now() - interval '24 hours'",
    )
    with_rows = {name for (name,) in every(many, "SELECT relname FROM pg_stat_user_tables WHERE n_live_tup > 0")}
    scans = [scan[0] for (line,) in plan if (scan := re.search(r"\w+ Scan.* on (\w+)", line)) and scan[1] in with_rows]
    assert len(scans) == 1 + PAST
    assert not any("Seq Scan" in line for line in scans)


def test_an_erasure_reads_no_log_in_full(many: Connection) -> None:
    with watched(many) as read:
        erasure = erase_user(
            many,
            user_id=7,
            reason="asked for",
            run_id="test",
            zone=SEOUL,
            user_key_secrets=lambda: [SecretStr("")],
            store=Store.at("memory://no-archives"),
            policy=LockPolicy(),
        )
    assert erasure.counts["chatbot.conversations"] == 4 * SESSIONS / USERS
    assert read.in_full.keys() <= recent(), "the view is refreshed"


def test_the_check_of_a_month_reads_what_that_month_refers_to(many: Connection) -> None:
    scope = Scope.of(many, table_of(CONVERSATIONS), [MONTHS[5]], SEOUL)
    with watched(many) as read:
        references = References.follow(many, scope, scope.table.foreign_keys)
    assert not any(references.broken(MONTHS[5], key) for key in references.keys)
    assert 0 < read.rows["session_master"] < SESSIONS / 8
    planned = 10  # the planner reads the first and last rows of each month
    assert [name for name, rows in read.rows.items() if name.startswith("conv") and rows > planned] == [
        f"conversations_{MONTHS[5].suffix}"
    ]


def test_refreshing_the_view_reads_the_months_of_seven_days(many: Connection) -> None:
    with watched(many) as read:
        assert refresh(many, RECENT_CONVERSATIONS).rows > 0
    planned = 10  # the planner reads the first and last rows of each month
    assert {name for name, rows in read.rows.items() if rows > planned} <= recent()
