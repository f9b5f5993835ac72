"""Retention never deletes what the extracts do not have, in any order of build, purge, late feedback and kill."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg
import psycopg
import pytest
from psycopg import sql
from pyarrow import parquet

from tests.archives.interrupted import Interrupted
from tests.extracts.dirt import plant
from tests.extracts.support import MONTHS, POLICY, ZONE, as_text, build
from tests.graph import Graph, leaving, months
from tests.support import Connection, every, one
from yumai_pipelines.archives.archive import archive_months
from yumai_pipelines.archives.restore import restore_month
from yumai_pipelines.archives.store import Store
from yumai_pipelines.defs.extracts.checks import PROOFS
from yumai_pipelines.defs.retention.assets import expired_sessions
from yumai_pipelines.extracts.ledger import PurgedError, entries, record_checks
from yumai_pipelines.model.calendar import latest_month
from yumai_pipelines.model.lock_policy import LockPolicy
from yumai_pipelines.model.months import Month
from yumai_pipelines.model.registry import EXTRACTS
from yumai_pipelines.partitions.ensure import ensure_months
from yumai_pipelines.postgres.connections import connect
from yumai_pipelines.postgres.endings import EndedError
from yumai_pipelines.postgres.references import StillReferredToError
from yumai_pipelines.retention.purge import Purge, RetentionRefusedError, purge_month

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from yumai_pipelines.model.entries import Extract

MAY, JUNE, JULY, AUGUST = Month(2025, 5).through(Month(2025, 8))
SPAN = (MAY, JUNE, JULY)
NOW = datetime(2025, 9, 5, 12, tzinfo=ZONE)


@pytest.fixture
def logs(connection: Connection) -> Connection:
    """Eight sessions that end in each month, each with two recommendations and their feedback."""
    connection.execute("INSERT INTO users (external_user_id) SELECT 'u' || n FROM generate_series(1, 5) AS n")
    connection.execute("INSERT INTO shops (shop_name, category) VALUES ('밥집', '한식')")
    for month in (*SPAN, AUGUST):
        connection.execute(
            "INSERT INTO session_master (user_id, session_start, session_end, is_active) "
            "SELECT 1 + n %% 5, %(start)s + n * interval '3 days', %(start)s + n * interval '73 hours', false "
            "FROM generate_series(0, 7) AS n",
            {"start": month.start(ZONE)},
        )
    connection.execute(
        "INSERT INTO recommendations_log (session_id, user_id, shop_id, time_stamp, recommendations, "
        "recommendation_count, recommendation_method, user_selection, selection_timestamp, confidence_score) "
        "SELECT session_id, user_id, 1, session_start + n * interval '1 minute', '[{\"shop_id\": 1}]', 1, 'rag', "
        "'{\"shop_id\": 1}', session_start + n * interval '2 minutes', 0.5 FROM session_master "
        "CROSS JOIN generate_series(1, 2) AS n ORDER BY session_start, n"
    )
    connection.execute(
        "INSERT INTO user_feedback (session_id, user_id, related_recommendation_id, time_stamp, feedback_type, "
        "feedback_target_type, feedback_target_id, feedback_content) "
        "SELECT session_id, user_id, id, time_stamp + interval '5 minutes', 'rating', 'shop', '1', "
        "'{\"rating\": 4}'::jsonb FROM recommendations_log UNION ALL "
        "SELECT session_id, user_id, NULL, session_start, 'complaint', 'service', '1', '{}' FROM session_master"
    )
    return connection


def check(connection: Connection, span: Sequence[Month] = SPAN, extracts: Sequence[Extract] = EXTRACTS) -> None:
    """Run the blocking checks, and note their result in the ledger, as the graph does."""
    ledger = entries(connection, span)
    for extract in extracts:
        found = [proof.measure(connection, extract, span, ZONE, ledger) for proof in PROOFS if proof.blocking]
        passed = {month: all(findings[month].passed for findings in found) for month in span}
        record_checks(connection, extract, passed, ledger)


def built(connection: Connection, span: Sequence[Month] = SPAN) -> None:
    build(connection, span)
    check(connection, span)


def purge(connection: Connection, month: Month, *, batch: int = 3, as_of: datetime = NOW) -> Purge:
    return purge_month(connection, month, ZONE, POLICY, as_of=as_of, days=30, batch=batch)


def contents(connection: Connection) -> dict[str, list[str]]:
    return {each.relation.name: as_text(connection, each.relation) for each in EXTRACTS}


def sessions(connection: Connection) -> dict[str, int]:
    """Count the remaining sessions, by the month in which they ended."""
    return dict(
        every(
            connection,
            "SELECT to_char(session_end AT TIME ZONE 'Asia/Seoul', 'YYYY-MM'), count(*) FROM session_master GROUP BY 1",
        )
    )


def test_a_month_is_purged_in_batches_and_its_extracts_stay(logs: Connection) -> None:
    built(logs)
    before = contents(logs)
    assert purge(logs, MAY).deleted == 8
    result = purge(logs, JUNE)
    assert (result.deleted, result.kept, result.batches) == (8, 0, 3)
    assert sessions(logs) == {"2025-07": 8, "2025-08": 8}
    assert one(logs, "SELECT count(*) FROM recommendations_log") == one(logs, "SELECT count(*) FROM user_feedback") - 16
    assert contents(logs) == before
    for extract in EXTRACTS:
        entry = entries(logs, SPAN)[extract.relation.name, JUNE]
        assert (entry.purged_recommendations, entry.purged_feedback) == (16, 24)
        # All rows of the month are gone, so its fingerprint is that of the purged rows.
        assert entry.purged_hash == entry.source_hash
        assert entry.purged_at is not None
    assert entries(logs, SPAN)["shop_performance", JULY].purged_at is None
    check(logs)
    assert {entry.checks_passed for entry in entries(logs, SPAN).values()} == {True}


def test_sessions_that_a_table_of_others_refers_to_stay_and_that_table_is_named(logs: Connection) -> None:
    built(logs)
    logs.execute("CREATE TABLE public.notes (session_id uuid REFERENCES chatbot.session_master)")
    logs.execute("INSERT INTO public.notes SELECT session_id FROM session_master")
    before = sessions(logs)
    with pytest.raises(StillReferredToError, match=r"Rows of public\.notes .* foreign key notes_session_id_fkey"):
        purge(logs, JUNE)
    assert sessions(logs) == before


def test_purged_again_there_is_nothing_to_do(logs: Connection) -> None:
    built(logs)
    purge(logs, JUNE)
    before = entries(logs, SPAN)
    assert (purge(logs, JUNE).deleted, purge(logs, JUNE).batches) == (0, 1)
    assert entries(logs, SPAN) == before


def test_a_purged_month_is_not_built_anew_and_others_are(logs: Connection) -> None:
    built(logs)
    before = contents(logs)
    purge(logs, JUNE)
    with pytest.raises(PurgedError, match="'recommendation_funnel', month 2025-06-01: 16 of 16 recommendations"):
        build(logs, SPAN)
    assert contents(logs) == before
    build(logs, [MAY])
    build(logs, [JULY])
    assert contents(logs) == before


UNPROVEN = {
    "was never built": "DELETE FROM extracts.ledger WHERE extract = 'shop_performance'",
    "was built at .* and not checked since": "UPDATE extracts.ledger SET checks_passed = NULL",
    "failed its checks at": "UPDATE extracts.ledger SET checks_passed = false WHERE extract = 'feedback_summary'",
    "the logs have changed since extracts.recommendation_outcomes was built at": (
        "INSERT INTO user_feedback (session_id, related_recommendation_id, time_stamp) "
        "SELECT session_id, id, '2025-08-20' FROM recommendations_log WHERE time_stamp > '2025-06-10' LIMIT 1"
    ),
    "the logs have changed since extracts.feedback_summary": "UPDATE user_feedback SET feedback_content = NULL "
    "WHERE time_stamp >= '2025-06-01 00:00+09' AND related_recommendation_id IS NULL",
    "the logs have changed since extracts.score_calibration": "UPDATE recommendations_log SET user_selection = NULL "
    "WHERE time_stamp >= '2025-06-01 00:00+09'",
    "the logs have changed since extracts.recommendation_funnel": "DELETE FROM users WHERE id = 3",
}


@pytest.mark.parametrize(("reason", "statement"), UNPROVEN.items(), ids=list(UNPROVEN))
def test_what_the_extracts_do_not_stand_for_stays(logs: Connection, reason: str, statement: str) -> None:
    built(logs)
    logs.execute(statement.encode())
    before = sessions(logs)
    with pytest.raises(RetentionRefusedError, match=reason) as refusal:
        purge(logs, JUNE)
    assert "Nothing was deleted. Materialize the partition 2025-06-01" in str(refusal.value)
    assert sessions(logs) == before
    assert {entry.purged_at for entry in entries(logs, SPAN).values()} == {None}
    built(logs)
    assert purge(logs, JUNE).deleted == before["2025-06"]


def test_what_is_not_built_is_not_purged(logs: Connection) -> None:
    with pytest.raises(RetentionRefusedError, match="recommendation_outcomes was never built"):
        purge(logs, JUNE)
    assert sessions(logs)["2025-06"] == 8


@pytest.mark.parametrize(
    ("now", "days", "latest"),
    [
        ("2025-09-05", 30, "2025-07"),
        ("2025-08-30", 30, "2025-06"),
        # On the first day of a month, the two months before it are built again.
        ("2025-08-31", 30, "2025-06"),
        ("2025-09-01", 30, "2025-07"),
        ("2025-09-30", 1, "2025-07"),
        ("2025-09-05", 90, "2025-05"),
    ],
)
def test_only_months_past_their_age_may_go(logs: Connection, now: str, days: int, latest: str) -> None:
    as_of = datetime.fromisoformat(now).replace(hour=6, tzinfo=ZONE)
    assert latest_month(as_of, ZONE, days).key == latest
    with pytest.raises(RetentionRefusedError, match=f"the latest month that may be is {latest}"):
        purge_month(logs, Month.parse(latest) + 1, ZONE, POLICY, as_of=as_of, days=days)


def reaching(logs: Connection) -> str:
    """Make a session end in June whose recommendations are of May."""
    identifier: str = one(
        logs, "SELECT session_id FROM session_master WHERE session_start = %s", MAY.start(ZONE) + timedelta(days=21)
    )
    logs.execute("UPDATE session_master SET session_end = '2025-06-01 00:30+09' WHERE session_id = %s", (identifier,))
    return identifier


def test_a_session_that_reaches_back_goes_with_the_month_in_which_it_ended(logs: Connection) -> None:
    reaching(logs)
    built(logs)
    before = contents(logs)
    assert purge(logs, JUNE).deleted == 9
    ledger = entries(logs, SPAN)
    purged = {month.key: ledger["recommendation_outcomes", month].purged_recommendations for month in SPAN}
    assert purged == {"2025-05": 2, "2025-06": 16, "2025-07": 0}
    with pytest.raises(PurgedError):
        build(logs, [MAY])
    assert purge(logs, MAY).deleted == 7
    assert contents(logs) == before


def test_a_session_with_rows_in_a_month_that_is_not_proven_stays(logs: Connection) -> None:
    identifier = reaching(logs)
    built(logs, [JUNE, JULY])
    result = purge(logs, JUNE)
    assert (result.deleted, result.kept) == (8, 1)
    assert one(logs, "SELECT session_end FROM session_master WHERE session_id = %s", identifier)
    build(logs, [MAY])
    check(logs, [MAY])
    assert purge(logs, JUNE).deleted == 1


def feedback_across(logs: Connection) -> int:
    """Insert feedback of July, in a session of July, on a recommendation of June."""
    identifier: int = one(
        logs,
        "INSERT INTO user_feedback (session_id, related_recommendation_id, time_stamp, feedback_type, "
        "feedback_target_type, feedback_content) SELECT s.session_id, r.id, s.session_end, 'rating', 'service', "
        "'{\"rating\": 2}' FROM session_master AS s, recommendations_log AS r "
        "WHERE s.session_end > '2025-07-10' AND r.time_stamp > '2025-06-10' "
        "ORDER BY s.session_end, r.time_stamp LIMIT 1 RETURNING id",
    )
    return identifier


@pytest.mark.parametrize("first", [JUNE, JULY], ids=str)
def test_feedback_across_months_counts_once_whichever_month_goes_first(logs: Connection, first: Month) -> None:
    feedback = feedback_across(logs)
    built(logs)
    before = contents(logs)
    second = JULY if first == JUNE else JUNE
    assert purge(logs, first).deleted == 8
    alone = every(logs, "SELECT related_recommendation_id FROM user_feedback WHERE id = %s", feedback)
    assert alone == ([(None,)] if first == JUNE else [])
    if first == JUNE:
        # The feedback has lost its recommendation, and still does not count in July.
        built(logs, [JULY])
        assert contents(logs) == before
    assert purge(logs, second).deleted == 8
    assert contents(logs) == before
    assert every(logs, "SELECT feedback_id FROM yumai_pipelines.counted_feedback") == []
    entry = entries(logs, SPAN)["feedback_summary", JUNE]
    assert (entry.purged_hash, entry.purged_feedback) == (entry.source_hash, 25)


@pytest.mark.parametrize("stays", [None, "giver", "receiver"])
def test_feedback_between_sessions_of_one_batch_leaves_its_month_once(logs: Connection, stays: str | None) -> None:
    (receiver, recommendation), (giver, _), *_ = every(
        logs,
        "SELECT DISTINCT ON (session_id) session_id, id FROM recommendations_log "
        "WHERE time_stamp >= %s AND time_stamp < %s ORDER BY session_id",
        JUNE.start(ZONE),
        JUNE.end(ZONE),
    )
    feedback = one(
        logs,
        "INSERT INTO user_feedback (session_id, related_recommendation_id, time_stamp) "
        "VALUES (%s, %s, '2025-06-29') RETURNING id",
        giver,
        recommendation,
    )
    if stays:  # this session stays, because it has a row in July
        logs.execute(
            "INSERT INTO user_feedback (session_id, time_stamp) VALUES (%s, '2025-07-01')",
            (giver if stays == "giver" else receiver,),
        )
    built(logs)
    assert purge(logs, JUNE, batch=8).deleted == 8 - bool(stays)
    counted = every(logs, "SELECT feedback_id FROM yumai_pipelines.counted_feedback")
    assert counted == ([(feedback,)] if stays == "giver" else [])
    entry = entries(logs, SPAN)["feedback_summary", JUNE]
    assert (entry.purged_recommendations, entry.purged_feedback) == ((14, 22) if stays else (16, 25))
    # The remaining rows and those noted as purged still add up to what the month was built from.
    assert purge(logs, JUNE).deleted == 0


@pytest.mark.parametrize("seed", range(3))
def test_dirt_is_known_by_the_rows_that_the_extracts_were_built_from(connection: Connection, seed: int) -> None:
    plant(connection, MONTHS, ZONE, rows=300, seed=seed)
    # Many sessions shrink to the month before their end. Most feedback is given in the session of its recommendation.
    connection.execute(
        "UPDATE session_master AS s SET session_end = r.last FROM (SELECT session_id, max(time_stamp) AS last "
        "FROM recommendations_log GROUP BY session_id) AS r WHERE r.session_id = s.session_id;"
        "DELETE FROM recommendations_log AS r USING session_master AS s WHERE s.session_id = r.session_id "
        "AND r.time_stamp < s.session_end - interval '25 days';"
        "UPDATE user_feedback AS f SET session_id = r.session_id FROM recommendations_log AS r "
        "WHERE r.id = f.related_recommendation_id AND f.id % 5 > 0;"
        "DELETE FROM user_feedback AS f USING session_master AS s WHERE s.session_id = f.session_id AND f.id % 7 > 0 "
        "AND f.related_recommendation_id IS NULL "
        "AND f.time_stamp NOT BETWEEN s.session_end - interval '25 days' AND s.session_end"
    )
    build(connection)
    connection.execute("UPDATE extracts.ledger SET checks_passed = true")
    before = contents(connection)
    # A purge refuses a month if there is a row too many, too few, or under another month.
    purges = [purge(connection, month) for month in MONTHS]
    assert sum(each.kept for each in purges) > 0
    assert sum(each.deleted for each in purges) >= 40
    # The remaining rows and those noted as purged still add up to what the months were built from.
    for month in MONTHS:
        purge(connection, month)
    assert contents(connection) == before


def test_late_feedback_on_a_purged_month_counts_in_its_own(logs: Connection) -> None:
    built(logs)
    purge(logs, JUNE)
    before = one(logs, "SELECT sum(feedback_count) FROM extracts.feedback_summary WHERE month = '2025-07-01'")
    logs.execute(
        "INSERT INTO user_feedback (session_id, time_stamp, feedback_type) "
        "SELECT session_id, '2025-07-20', 'text' FROM session_master WHERE session_end > '2025-07-10' LIMIT 1"
    )
    build(logs, [JULY])
    assert (
        one(logs, "SELECT sum(feedback_count) FROM extracts.feedback_summary WHERE month = '2025-07-01'") == before + 1
    )


def test_a_session_that_somebody_is_writing_into_stays(database: str, logs: Connection) -> None:
    built(logs)
    with psycopg.connect(database) as writer:
        writer.execute(
            "INSERT INTO user_feedback (session_id, time_stamp) SELECT session_id, '2025-08-20' FROM session_master "
            "WHERE session_end > '2025-06-10' AND session_end < '2025-07-01' LIMIT 1"
        )
        assert purge(logs, JUNE).deleted == 7
    assert sessions(logs)["2025-06"] == 1


def test_what_is_written_while_a_month_is_purged_stays(database: str, logs: Connection) -> None:
    """Late feedback comes between the proof of the month and the batch that would delete its session."""
    built(logs)
    late = (
        "INSERT INTO user_feedback (session_id, related_recommendation_id, time_stamp) SELECT session_id, id, now() "
        "FROM recommendations_log WHERE time_stamp >= %s ORDER BY time_stamp LIMIT 1"
    )
    with connect(database, application_name="test") as owner, psycopg.connect(database) as holder:
        holder.execute("SELECT FROM extracts.ledger WHERE month = '2025-06-01' FOR UPDATE")
        with ThreadPoolExecutor(1) as threads:
            running = threads.submit(purge, owner, JUNE)
            # The first batch waits for the ledger. The feedback belongs to a session of the last batch.
            _wait_for_lock(logs, "ledger")
            logs.execute(late.encode(), (JUNE.start(ZONE) + timedelta(days=20),))
            holder.rollback()
            result = running.result()
    assert (result.deleted, result.kept) == (7, 1)
    assert sessions(logs)["2025-06"] == 1


@pytest.mark.parametrize(
    ("change", "lock"),
    [
        ("UPDATE recommendations_log SET user_selection = NULL", "Locks the recommendations"),
        ("UPDATE user_feedback SET feedback_content = NULL", "Locks the feedback"),
    ],
)
def test_what_changes_while_its_lock_is_waited_for_stays(
    database: str, logs: Connection, change: str, lock: str
) -> None:
    built(logs)
    policy = LockPolicy(timedelta(milliseconds=900), timedelta(seconds=20))
    with connect(database, application_name="test") as owner, psycopg.connect(database) as writer:
        row = sql.SQL(" WHERE id = (SELECT id FROM {} WHERE time_stamp > '2025-06-10' ORDER BY time_stamp LIMIT 1)")
        writer.execute(sql.SQL(change) + row.format(sql.Identifier(change.split()[1])))
        with ThreadPoolExecutor(1) as threads:
            running = threads.submit(purge_month, owner, JUNE, ZONE, policy, as_of=NOW, days=30)
            _wait_for_lock(logs, lock)
            writer.commit()
            result = running.result()
    assert (result.deleted, result.kept) == (7, 1)


def _wait_for_lock(connection: Connection, table: str) -> None:
    waiting = """
        SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock' AND query ~ %s
    """
    until = time.monotonic() + 20
    while not one(connection, waiting, table):
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_purge_that_is_killed_has_done_whole_batches_and_the_next_one_finishes(
    database: str, logs: Connection
) -> None:
    feedback_across(logs)
    built(logs)
    before = contents(logs)
    with connect(database, application_name="victim") as victim, psycopg.connect(database) as holder:
        holder.execute("SELECT FROM user_feedback WHERE time_stamp > '2025-06-20' ORDER BY time_stamp FOR UPDATE")
        with ThreadPoolExecutor(1) as threads:
            running = threads.submit(purge, victim, JUNE)
            _wait_for_lock(logs, "Locks the feedback")
            logs.execute("SELECT pg_terminate_backend(%s)", (victim.info.backend_pid,))
            with pytest.raises(EndedError):
                running.result()
        holder.rollback()
    gone = 8 - sessions(logs)["2025-06"]
    assert gone == 3
    entry = entries(logs, SPAN)["recommendation_outcomes", JUNE]
    assert entry.purged_recommendations == 2 * gone
    with pytest.raises(PurgedError):
        build(logs, [JUNE])
    assert purge(logs, JUNE).deleted == 8 - gone
    entry = entries(logs, SPAN)["recommendation_outcomes", JUNE]
    assert entry.purged_hash == entry.source_hash
    assert contents(logs) == before
    built(logs, [JULY])
    assert contents(logs) == before


def test_what_changes_in_a_frozen_month_is_counted_and_goes_with_its_session(logs: Connection) -> None:
    """May is frozen by its first deletion, while a session that ends in June still has recommendations of May."""
    identifier = reaching(logs)
    built(logs)
    before = contents(logs)
    purge(logs, MAY)
    logs.execute(
        "INSERT INTO user_feedback (session_id, related_recommendation_id, time_stamp) SELECT session_id, id, "
        "'2025-08-01' FROM recommendations_log WHERE session_id = %s LIMIT 1",
        (identifier,),
    )
    logs.execute("UPDATE recommendations_log SET user_selection = NULL WHERE session_id = %s", (identifier,))
    assert purge(logs, MAY).deleted == 0
    ledger = entries(logs, SPAN)
    late = {
        (month.key, entry.late_recommendations, entry.late_feedback)
        for (_, month), entry in ledger.items()
        if entry.late_at
    }
    assert late == {("2025-05", 2, 1)}
    result = purge(logs, JUNE)
    assert (result.deleted, result.kept) == (9, 0)
    assert contents(logs) == before
    assert every(logs, "SELECT month FROM extracts.changed_months") == []


def test_what_retention_deletes_makes_no_month_stale(logs: Connection) -> None:
    feedback_across(logs)
    built(logs)
    for month in SPAN:
        purge(logs, month)
        assert every(logs, "SELECT month FROM extracts.changed_months") == []
        assert {entry.late_at for entry in entries(logs, SPAN).values()} == {None}


@pytest.fixture
def talks(database: str, logs: Connection) -> Connection:
    """Those sessions with a conversation each in their month, and extracts that are proven."""
    with connect(database, application_name="test") as owner:
        ensure_months(owner, [*SPAN, AUGUST], zone=ZONE, policy=POLICY)
    logs.execute(
        "INSERT INTO conversations (session_id, conversation_time) SELECT session_id, session_start FROM session_master"
    )
    built(logs)
    return logs


def archive(database: str, store: Path, *span: Month, kind: type[Store] = Store) -> None:
    with connect(database, application_name="test") as owner:
        to = kind.at(str(store))
        list(archive_months(owner, span, store=to, zone=ZONE, policy=POLICY, kept=1, as_of=NOW))


def purge_archived(connection: Connection, month: Month) -> Purge:
    return purge_month(connection, month, ZONE, POLICY, as_of=NOW, days=30, archived_only=True, batch=3)


def test_a_month_waits_until_its_conversations_are_archived(database: str, talks: Connection, tmp_path: Path) -> None:
    with pytest.raises(
        RetentionRefusedError, match="the conversations of 2025-06 are in the database alone"
    ) as refusal:
        purge_archived(talks, JUNE)
    assert "Nothing was deleted. Launch the job monthly_archive" in str(refusal.value)
    assert "YUMAI_PURGE_ARCHIVED_ONLY=false" in str(refusal.value)
    assert sessions(talks)["2025-06"] == 8

    archive(database, tmp_path, MAY, JUNE)

    assert (purge_archived(talks, JUNE).deleted, purge_archived(talks, MAY).deleted) == (8, 8)
    (file,) = tmp_path.glob("conversations/2025-06/*.parquet")
    assert parquet.read_metadata(file).num_rows == 8


def test_where_archives_are_not_waited_for_there_is_nothing_left_for_them(
    database: str, talks: Connection, tmp_path: Path
) -> None:
    assert purge(talks, JUNE).deleted == 8
    archive(database, tmp_path, JUNE)
    assert one(talks, "SELECT row_count FROM yumai_pipelines.archives WHERE month = '2025-06-01'") == 0


def test_a_session_with_conversations_in_a_month_that_is_not_archived_stays(
    database: str, talks: Connection, tmp_path: Path
) -> None:
    identifier = reaching(talks)
    built(talks)
    archive(database, tmp_path, JUNE)
    result = purge_archived(talks, JUNE)
    assert (result.deleted, result.kept) == (8, 1)
    assert one(talks, "SELECT count(*) FROM conversations WHERE session_id = %s", identifier) == 1
    archive(database, tmp_path, MAY)
    assert purge_archived(talks, JUNE).deleted == 1


def test_no_session_goes_while_a_month_is_half_way_into_its_file(
    database: str, talks: Connection, tmp_path: Path
) -> None:
    archive(database, tmp_path, JUNE)
    with pytest.raises(KeyboardInterrupt):
        archive(database, tmp_path, MAY, kind=Interrupted)
    with pytest.raises(
        RetentionRefusedError, match=r"2025-05 are in the table yumai_pipelines\.conversations_2025_05_"
    ):
        purge_archived(talks, JUNE)
    archive(database, tmp_path, MAY)
    assert purge_archived(talks, JUNE).deleted == 8


def test_a_month_that_was_restored_waits_to_be_archived_again(database: str, talks: Connection, tmp_path: Path) -> None:
    archive(database, tmp_path, JUNE)
    with connect(database, application_name="test") as owner:
        restore_month(owner, JUNE, zone=ZONE, policy=POLICY)
    with pytest.raises(RetentionRefusedError, match="2025-06 are in the database alone"):
        purge_archived(talks, JUNE)


def test_a_month_without_conversations_waits_for_nothing(logs: Connection) -> None:
    built(logs)
    assert purge_archived(logs, JUNE).deleted == 8


def test_the_job_waits_where_there_is_somewhere_to_archive_to(
    graph: Graph, talks: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YUMAI_ARCHIVE_URL", str(tmp_path))
    assert not graph.run("monthly_retention", **leaving("2025-06")).success
    assert sessions(talks)["2025-06"] == 8
    monkeypatch.setenv("YUMAI_PURGE_ARCHIVED_ONLY", "false")
    assert graph.run("monthly_retention", **leaving("2025-06")).success
    assert "2025-06" not in sessions(talks)


def test_the_job_deletes_what_is_proven(graph: Graph, logs: Connection) -> None:
    assert graph.run("monthly_extracts", months("2025-05", "2025-07")).success
    run = graph.run("monthly_retention", **leaving("2025-05", "2025-07"))
    assert run.success
    assert {month: each["deleted"] for month, each in run.materialized("chatbot", "expired_sessions").items()} == {
        "2025-05-01": 8,
        "2025-06-01": 8,
        "2025-07-01": 8,
    }
    assert sessions(logs) == {"2025-08": 8}


def test_a_range_leaves_purged_months_alone_and_a_run_of_such_months_only_is_refused(
    graph: Graph, logs: Connection
) -> None:
    assert graph.run("monthly_extracts", months("2025-05", "2025-07")).success
    assert graph.run("monthly_retention", **leaving("2025-06")).success
    held = every(logs, "SELECT * FROM extracts.shop_performance WHERE month = '2025-06-01' ORDER BY shop_id")
    assert held

    run = graph.run("monthly_extracts", months("2025-05", "2025-07"))
    assert run.success
    performance = run.materialized("extracts", "shop_performance")
    assert {month: each.get("action") for month, each in performance.items()} == {
        "2025-05-01": None,
        "2025-06-01": "left alone",
        "2025-07-01": None,
    }
    assert performance["2025-06-01"]["why"].startswith("retention has deleted rows")
    assert held == every(logs, "SELECT * FROM extracts.shop_performance WHERE month = '2025-06-01' ORDER BY shop_id")

    for refused in (months("2025-06"), months("2025-06", "2025-06")):
        run = graph.run("monthly_extracts", refused)
        assert not run.success
        assert "Rows of extracts.ledger" in str(run.errors())
        # Checks that a failed run does not come to are shown as if they could not be executed.
        for name in ("reconciled", "valid_rows", "like_the_months_before", "of_the_logs_as_they_are"):
            assert run.evaluations("extracts", "shop_performance", name)["2025-06-01"].passed
        assert run.evaluations("extracts", "shop_performance", "has_the_last_month")


def test_the_job_has_a_stale_month_built_first(graph: Graph, logs: Connection) -> None:
    assert graph.run("monthly_extracts", months("2025-05", "2025-06")).success
    logs.execute(
        "INSERT INTO user_feedback (session_id, related_recommendation_id, time_stamp) "
        "SELECT session_id, id, '2025-08-20' FROM recommendations_log WHERE time_stamp > '2025-06-10' LIMIT 1"
    )
    run = graph.run("monthly_retention", **leaving("2025-05", "2025-07"))
    assert run.success
    assert sessions(logs) == {"2025-08": 8}
    ledger = entries(logs, SPAN)
    assert "never built" in ledger["shop_performance", JULY].built_because
    assert "the logs have changed since" in ledger["shop_performance", JUNE].built_because
    assert "(1 feedback)" in ledger["shop_performance", JUNE].built_because
    assert one(logs, "SELECT sum(feedback_count) FROM extracts.feedback_summary WHERE month = '2025-06-01'") == 25
    assert set(run.materialized("extracts", "shop_performance")) == {"2025-06-01", "2025-07-01"}


def test_the_job_deletes_what_it_can_where_a_month_is_refused(graph: Graph, logs: Connection) -> None:
    """Nothing that retention can build makes June right: its table refuses every row."""
    assert graph.run("monthly_extracts", months("2025-05", "2025-07")).success
    logs.execute("UPDATE recommendations_log SET user_selection = NULL WHERE time_stamp > '2025-06-10'")
    logs.execute("ALTER TABLE extracts.shop_performance ADD CONSTRAINT planted CHECK (month <> '2025-06-01') NOT VALID")
    run = graph.run("monthly_retention", **leaving("2025-05", "2025-07"))
    assert not run.success
    assert "planted" in str(run.errors())
    assert sessions(logs) == {"2025-06": 8, "2025-08": 8}
    assert graph.instance.get_materialized_partitions(expired_sessions.key) == {"2025-05-01", "2025-07-01"}


def test_retention_waits_to_be_switched_on(graph: Graph) -> None:
    schedule = graph.definitions.resolve_schedule_def("monthly_retention_schedule")
    assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED


def test_by_hand_it_says_what_would_go_and_deletes_nothing(
    graph: Graph, talks: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sessions(talks)

    def found() -> tuple[object, dict[str, str]]:
        run = graph.run("monthly_retention", first="2025-05", last="2025-07")
        assert run.success
        told = run.told()
        return told["would_be_deleted"], {
            each.data["month"]: f"{each.data['sessions']} {each.data['would be']}" for each in told["months"].records
        }

    assert found() == (0, {"2025-05": "8 refused", "2025-06": "8 refused", "2025-07": "8 refused"})
    monkeypatch.setenv("YUMAI_PURGE_ARCHIVED_ONLY", "false")
    assert found() == (24, {"2025-05": "8 deleted", "2025-06": "8 deleted", "2025-07": "8 deleted"})
    assert sessions(talks) == before
    assert not graph.instance.get_materialized_partitions(expired_sessions.key)
