"""Building months: exactly once, at Seoul's midnights, never half, no loss of purged rows, and a ledger entry."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from tests.clients import wait_until_waiting
from tests.extracts.dirt import plant
from tests.extracts.support import MONTHS, POLICY, SECRET, ZONE, as_text, build
from tests.support import Connection, every, login, one
from yumai_pipelines.extracts.build import Privacy, build_months
from yumai_pipelines.extracts.code import code_version
from yumai_pipelines.extracts.ledger import PurgedError, entries
from yumai_pipelines.model.months import Month
from yumai_pipelines.model.registry import EXTRACTS, FEEDBACK, RECOMMENDATIONS, extract_of
from yumai_pipelines.model.relations import Relation
from yumai_pipelines.postgres.connections import connect

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NOVEMBER, DECEMBER = MONTHS[:2]


@pytest.fixture
def dirty(connection: Connection) -> Connection:
    """The login's connection to a database with dirty logs."""
    plant(connection, MONTHS, ZONE, rows=200, seed=7)
    return connection


def contents(connection: Connection) -> dict[str, list[str]]:
    """Return every row of every extract as text, since NaN is not equal to itself."""
    return {each.relation.name: as_text(connection, each.relation) for each in EXTRACTS}


def test_months_one_by_one_in_any_order_are_the_same_as_a_range(dirty: Connection) -> None:
    build(dirty)
    together = contents(dirty)
    for extract in EXTRACTS:
        dirty.execute(sql.SQL("TRUNCATE {}").format(extract.relation.identifier))
    for month in (MONTHS[2], MONTHS[0], MONTHS[3], MONTHS[1]):
        for extract in EXTRACTS:
            build(dirty, [month], extracts=[extract])
    assert contents(dirty) == together


def test_a_month_built_again_is_the_same_and_leaves_others_alone(dirty: Connection) -> None:
    build(dirty)
    before = contents(dirty)
    for month in MONTHS[:2]:
        dirty.execute("UPDATE extracts.recommendation_funnel SET users = 77 WHERE month = %s", (month.partition_key,))
    build(dirty, [DECEMBER])
    assert every(dirty, "SELECT DISTINCT month FROM extracts.recommendation_funnel WHERE users = 77") == [
        (date(2024, 11, 1),)
    ]
    build(dirty, [NOVEMBER])
    assert contents(dirty) == before


@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_bounds_are_seouls_midnights_whatever_the_sessions_time_zone(dirty: Connection, zone: str) -> None:
    build(dirty)
    before = contents(dirty)
    dirty.execute("SELECT set_config('TimeZone', %s, false)", (zone,))
    build(dirty)
    dirty.execute("SET TimeZone = 'Asia/Seoul'")
    assert contents(dirty) == before
    assert (
        one(
            dirty,
            "SELECT count(*) FROM extracts.recommendation_outcomes "
            "WHERE date_trunc('month', recommended_at AT TIME ZONE 'Asia/Seoul') <> month",
        )
        == 0
    )


def test_late_feedback_comes_in_when_its_month_is_built_again(dirty: Connection) -> None:
    build(dirty)
    total = "SELECT sum(feedback_count) FROM extracts.feedback_summary WHERE month = %s"
    before = one(dirty, total, NOVEMBER.partition_key), one(dirty, total, DECEMBER.partition_key)
    dirty.execute(
        "INSERT INTO user_feedback (time_stamp, related_recommendation_id, session_id, feedback_content) "
        "SELECT '2024-12-15', id, session_id, '{\"rating\": 3}' FROM recommendations_log "
        "WHERE time_stamp >= '2024-11-01 00:00+09' AND time_stamp < '2024-12-01 00:00+09' LIMIT 1"
    )
    build(dirty)
    assert (one(dirty, total, NOVEMBER.partition_key), one(dirty, total, DECEMBER.partition_key)) == (
        before[0] + 1,
        before[1],
    )


def test_a_month_without_anything_is_empty_and_accounted_for(connection: Connection) -> None:
    summaries = build(connection, [NOVEMBER])
    assert {name: rows[0]["rows"] for name, rows in summaries.items()} == dict.fromkeys(summaries, 0)
    assert every(connection, "SELECT DISTINCT row_count, source_recommendations, source_hash FROM extracts.ledger") == [
        (0, 0, 0)
    ]


def test_nobody_sees_a_month_missing_or_double(database: str, dirty: Connection) -> None:
    build(dirty)
    query = sql.SQL(" UNION ALL ").join(
        sql.SQL("SELECT count(*) FROM {}").format(each.relation.identifier) for each in EXTRACTS
    )
    expected = dirty.execute(query).fetchall()
    seen: list[object] = []

    def watch(until: list[bool]) -> None:
        with psycopg.connect(database, autocommit=True) as reader:
            while not until:
                seen.append(reader.execute(query).fetchall())

    done: list[bool] = []
    with ThreadPoolExecutor(1) as threads:
        watching = threads.submit(watch, done)
        for _ in range(3):
            build(dirty)
        done.append(True)
        watching.result()
    assert len(seen) > 3
    assert all(each == expected for each in seen)


def test_a_run_that_is_killed_leaves_the_old_months_and_the_next_one_finishes(database: str, dirty: Connection) -> None:
    build(dirty)
    before, ledger = contents(dirty), entries(dirty, MONTHS)
    dirty.execute("DELETE FROM recommendations_log WHERE id % 2 = 0")
    with psycopg.connect(database) as other, connect(database, application_name="victim") as victim:
        # The last extract is locked, so all others are filled when the run dies.
        other.execute("LOCK TABLE extracts.score_calibration IN ACCESS EXCLUSIVE MODE")
        with ThreadPoolExecutor(1) as threads:
            running = threads.submit(build, victim)
            wait_until_waiting(dirty, victim.info.backend_pid)
            dirty.execute("SELECT pg_terminate_backend(%s)", (victim.info.backend_pid,))
            with pytest.raises(psycopg.OperationalError):
                running.result()
        other.rollback()
    assert contents(dirty) == before
    assert entries(dirty, MONTHS) == ledger
    build(dirty)
    assert one(dirty, "SELECT count(*) FROM extracts.recommendation_outcomes") < len(before["recommendation_outcomes"])


# Several connections


@pytest.fixture
def builders(database: str) -> Iterator[list[Connection]]:
    """Three connections, for four months."""
    with ExitStack() as stack:
        yield [stack.enter_context(connect(database, application_name="builder")) for _ in range(3)]


def build_at_once(builders: list[Connection], months: Sequence[Month] = MONTHS) -> dict[str, list[dict[str, Any]]]:
    return build_months(builders, EXTRACTS, months, ZONE, Privacy(SecretStr(SECRET)), POLICY)


def test_months_shared_out_among_connections_are_the_same(dirty: Connection, builders: list[Connection]) -> None:
    summaries = build(dirty)
    before, ledger = contents(dirty), entries(dirty, MONTHS)
    for extract in EXTRACTS:
        dirty.execute(sql.SQL("TRUNCATE {}").format(extract.relation.identifier))
    assert build_at_once(builders) == summaries
    assert contents(dirty) == before
    assert {key: entry.source_hash for key, entry in entries(dirty, MONTHS).items()} == {
        key: entry.source_hash for key, entry in ledger.items()
    }
    assert len(build_at_once(builders, [DECEMBER])["feedback_summary"]) == 1


def test_connections_see_the_same_whatever_is_written_meanwhile(
    database: str, dirty: Connection, builders: list[Connection]
) -> None:
    build(dirty)
    before = contents(dirty)
    with psycopg.connect(database) as other, ThreadPoolExecutor(1) as threads:
        # At the lock on the shops, the connections have their snapshot, and have not read the logs of their shares yet.
        other.execute("LOCK TABLE shops IN ACCESS EXCLUSIVE MODE")
        running = threads.submit(build_at_once, builders)
        wait_until_waiting(dirty, builders[0].info.backend_pid)
        other.execute(
            "INSERT INTO recommendations_log (session_id, time_stamp, recommendations, recommendation_count) "
            "SELECT session_id, time_stamp, '[]', 0 FROM recommendations_log"
        )
        other.commit()
        running.result()
    assert contents(dirty) == before


def test_a_share_that_fails_stops_the_others_and_leaves_the_old_months(
    database: str, dirty: Connection, builders: list[Connection]
) -> None:
    build(dirty)
    before, ledger = contents(dirty), entries(dirty, MONTHS)
    dirty.execute("DELETE FROM recommendations_log WHERE id % 2 = 0")
    dirty.execute(
        "ALTER TABLE extracts.recommendation_outcomes ADD CONSTRAINT planted CHECK (month < '2025-02-01') NOT VALID"
    )
    with psycopg.connect(database) as other:
        # If the other connections' work were not stopped, they would wait at this lock for ever.
        other.execute("LOCK TABLE extracts.score_calibration IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(psycopg.errors.CheckViolation, match="planted"):
            build_at_once(builders)
        other.rollback()
    assert contents(dirty) == before
    assert entries(dirty, MONTHS) == ledger


def test_builds_of_the_same_months_come_one_after_the_other(database: str, dirty: Connection) -> None:
    def run(_: int) -> None:
        with connect(database, application_name="test") as owner:
            build(owner)

    build(dirty)
    before = contents(dirty)
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(run, range(3)))
    assert contents(dirty) == before


def test_the_ledger_says_what_a_month_was_built_from(dirty: Connection) -> None:
    build(dirty, run_id="a run")
    rows = entries(dirty, MONTHS)
    assert len(rows) == len(EXTRACTS) * len(MONTHS)
    for extract in EXTRACTS:
        entry = rows[extract.relation.name, DECEMBER]
        assert entry.row_count == sum("2024-12-01" in row for row in as_text(dirty, extract.relation))
        assert (entry.run_id, entry.min_group_users, entry.code_version) == ("a run", 1, code_version(extract))
        assert (entry.checks_passed, entry.purged_at) == (None, None)
        assert datetime.now(UTC) - entry.built_at < timedelta(minutes=1)
    made = every(
        dirty,
        "SELECT count(*), max(id) FROM recommendations_log "
        "WHERE time_stamp >= '2024-12-01 00:00+09' AND time_stamp < '2025-01-01 00:00+09'",
    )
    assert (entry.source_recommendations, entry.last_recommendation_id) == made[0]
    assert entry.source_feedback == one(
        dirty, "SELECT sum(feedback_count) FROM extracts.feedback_summary WHERE month = %s", entry.month
    )


CHANGES = [
    "UPDATE recommendations_log SET user_selection = '{\"shop_id\": 1}' WHERE id = %s",
    "UPDATE recommendations_log SET selection_timestamp = time_stamp WHERE id = %s",
    "UPDATE recommendations_log SET rag_score = 0.123 WHERE id = %s",
    "UPDATE recommendations_log SET recommendations = '[]' WHERE id = %s",
    "DELETE FROM recommendations_log WHERE id = %s",
    "INSERT INTO user_feedback (session_id, related_recommendation_id) SELECT session_id, id FROM recommendations_log "
    "WHERE id = %s",
    "INSERT INTO recommendations_log (session_id, time_stamp, recommendations, recommendation_count) "
    "SELECT session_id, time_stamp, '[]', 0 FROM recommendations_log WHERE id = %s",
]


@pytest.mark.parametrize("change", CHANGES)
def test_the_fingerprint_of_the_source_changes_with_it(dirty: Connection, change: str) -> None:
    build(dirty)
    before = entries(dirty, MONTHS)
    victim = one(
        dirty,
        "SELECT recommendation_id FROM extracts.recommendation_outcomes WHERE month = '2024-12-01' "
        "AND listed_shops > 0 LIMIT 1",
    )
    dirty.execute(change.encode(), (victim,))
    build(dirty)
    after = entries(dirty, MONTHS)
    changed = {month for (_, month), entry in after.items() if entry.source_hash != before[_, month].source_hash}
    assert DECEMBER in changed
    # The feedback of deleted recommendations counts in the month in which it was given.
    assert changed == {DECEMBER} or change.startswith("DELETE")


def test_the_same_change_of_many_rows_does_not_cancel_in_the_fingerprint(connection: Connection) -> None:
    """If the hashes of an even number of rows change by the same amount, their XOR can stay the same."""
    connection.execute("SELECT start_session(NULL)")
    connection.execute(
        "INSERT INTO user_feedback (session_id, feedback_content) "
        "SELECT session_id, '{}' FROM session_master CROSS JOIN generate_series(1, 1600)"
    )
    fingerprints = (
        "SELECT id / 8, bit_xor(yumai_pipelines.source_hash(f)) FROM user_feedback AS f GROUP BY 1 HAVING count(*) = 8"
    )
    before = dict(every(connection, fingerprints))
    connection.execute("UPDATE user_feedback SET feedback_content = NULL")
    after = dict(every(connection, fingerprints))
    assert len(before) > 100
    assert [group for group, value in before.items() if after[group] == value] == []


def test_what_the_extracts_do_not_read_does_not_change_the_fingerprint(dirty: Connection) -> None:
    build(dirty)
    before = {key: entry.source_hash for key, entry in entries(dirty, MONTHS).items()}
    dirty.execute("DELETE FROM shops")
    dirty.execute("UPDATE user_feedback SET context = '{}'")
    dirty.execute("VACUUM FULL recommendations_log")
    build(dirty)
    assert {key: entry.source_hash for key, entry in entries(dirty, MONTHS).items()} == before


def test_a_month_with_purged_sources_is_refused_by_name(dirty: Connection) -> None:
    build(dirty)
    before = contents(dirty)
    dirty.execute(
        "UPDATE extracts.ledger SET purged_at = '2025-03-01 05:00+09', purged_recommendations = 1234 "
        "WHERE month = '2024-12-01'"
    )
    dirty.execute("DELETE FROM recommendations_log")
    with pytest.raises(PurgedError) as refusal:
        build(dirty, extracts=[extract_of("shop_performance")])
    assert "extract 'shop_performance', month 2024-12-01: 1,234 of" in str(refusal.value)
    assert "Nothing was changed" in str(refusal.value)
    assert contents(dirty) == before
    build(dirty, [Month(2025, 1)])


# Privacy


def test_a_users_key_depends_on_the_secret_and_not_on_the_month(dirty: Connection) -> None:
    keys = (
        "SELECT r.user_id, e.user_key FROM extracts.recommendation_outcomes AS e "
        "JOIN recommendations_log AS r ON r.id = e.recommendation_id"
    )
    build(dirty)
    first = set(every(dirty, keys))
    assert len({user for user, _ in first}) == len(first) == len({key for _, key in first})
    assert (None, None) in first
    identity = {entry.user_key_id for entry in entries(dirty, MONTHS).values()}
    build(dirty, secret=SECRET[::-1])
    assert {key for _, key in first} & {key for _, key in every(dirty, keys)} == {None}
    assert identity.isdisjoint(entry.user_key_id for entry in entries(dirty, MONTHS).values())


FORBIDDEN = ("홍길동", "gildong", "010-1234-5678", "와우산로", "203.0.113.7", "Speaker/1", "정말 맛있어요", "비밀")


def test_no_personal_data_gets_into_an_extract(connection: Connection) -> None:
    """Personal data is planted in every column that may hold it, and searched for in every extract."""
    user = one(
        connection,
        "INSERT INTO users (external_user_id, user_name, nickname, email, phone_number, current_address) "
        "VALUES ('비밀', '홍길동', '비밀', 'gildong@example.com', '010-1234-5678', '와우산로 1') RETURNING id",
    )
    session = one(
        connection,
        "SELECT start_session(%s, 'chat', '{\"device\": \"비밀\"}', '203.0.113.7', 'Speaker/1')",
        user,
    )
    made = one(
        connection,
        "INSERT INTO recommendations_log (user_id, session_id, time_stamp, request_food_type, request_location, "
        "recommendations, recommendation_count, user_selection) VALUES (%s, %s, '2024-12-05', '비밀 떡볶이', "
        '\'와우산로 1\', \'[{"shop_id": 1, "reason": "비밀"}]\', 1, \'{"shop_id": 1, "source": "비밀"}\') RETURNING id',
        user,
        session,
    )
    connection.execute(
        "INSERT INTO user_feedback (session_id, user_id, related_recommendation_id, feedback_type, "
        "feedback_target_type, feedback_target_id, feedback_content, context) VALUES (%s, %s, %s, 'text', 'shop', "
        '\'비밀\', \'{"text": "정말 맛있어요", "sentiment": "비밀"}\', \'{"ip": "203.0.113.7"}\')',
        (session, user, made),
    )
    build(connection)
    for extract in EXTRACTS:
        text = str(as_text(connection, extract.relation))
        assert "2024-12-01" in text or extract.relation.name == "score_calibration"
        assert [word for word in FORBIDDEN if word in text] == []
        assert str(session) not in text
    assert one(connection, "SELECT count(*) FROM extracts.recommendation_outcomes WHERE user_key = %s", str(user)) == 0


def test_analysts_read_every_extract_and_the_ledger_and_nothing_else(
    database: str, connection: Connection, dirty: Connection
) -> None:
    build(dirty)
    with (
        login(connection, database, "IN ROLE yumai_analyst") as url,
        psycopg.connect(url, autocommit=True) as analyst,
    ):
        for relation in (*(each.relation for each in EXTRACTS), Relation("extracts", "ledger")):
            assert as_text(analyst, relation)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                analyst.execute(sql.SQL("DELETE FROM {}").format(relation.identifier))
        for relation in (RECOMMENDATIONS, FEEDBACK, Relation("yumai_pipelines", "counted_feedback")):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                as_text(analyst, relation)
