"""Whatever changes in what the extracts read, its months are found, and built again they are right."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import psycopg
import pytest

from tests.clients import wait_until_waiting
from tests.extracts.dirt import plant
from tests.extracts.oracle import differences, expected, extracted
from tests.extracts.support import MONTHS, SECRET, ZONE, build
from tests.support import every, login, one
from yumai_pipelines.extracts.changes import changed_months, look, reasons
from yumai_pipelines.extracts.ledger import entries
from yumai_pipelines.model.calendar import spans
from yumai_pipelines.model.registry import EXTRACTS
from yumai_pipelines.postgres.connections import ANALYST_ROLE, connect
from yumai_pipelines.schema.upgrade import upgrade
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support import Connection
    from yumai_pipelines.model.months import Month

NOVEMBER, DECEMBER, JANUARY, FEBRUARY = MONTHS

DRAWN = """
    CREATE FUNCTION pg_temp.recommendation(seed int) RETURNS bigint STABLE LANGUAGE sql AS
    'SELECT id FROM recommendations_log ORDER BY hashint8(id + seed) LIMIT 1';
    CREATE FUNCTION pg_temp.feedback(seed int) RETURNS bigint STABLE LANGUAGE sql AS
    'SELECT id FROM user_feedback ORDER BY hashint8(id + seed) LIMIT 1';
    CREATE FUNCTION pg_temp.session(seed int) RETURNS uuid STABLE LANGUAGE sql AS
    'SELECT session_id FROM session_master ORDER BY hashtext(session_id::text || seed) LIMIT 1';
    CREATE FUNCTION pg_temp.person(seed int) RETURNS int STABLE LANGUAGE sql AS
    'SELECT id FROM users ORDER BY hashint4(id + seed) LIMIT 1';
    CREATE FUNCTION pg_temp.shop(seed int) RETURNS int STABLE LANGUAGE sql AS
    'SELECT id FROM shops ORDER BY hashint4(id + seed) LIMIT 1';
    CREATE FUNCTION pg_temp.moment(seed int) RETURNS timestamptz STABLE LANGUAGE sql AS
    'SELECT timestamptz ''2024-11-01 00:00+09'' + (hashint4(seed) & 1023) * interval ''2.8 hours''';
"""
"""Functions that draw a row, or a moment of the four months."""

CHANGES = {
    "a recommendation comes": "INSERT INTO recommendations_log (session_id, shop_id, time_stamp, recommendations, "
    "recommendation_count) VALUES (pg_temp.session(%(n)s), pg_temp.shop(%(n)s), pg_temp.moment(%(n)s), "
    "'[{\"shop_id\": 1}]', 1)",
    "many recommendations come": "INSERT INTO recommendations_log (session_id, time_stamp, recommendations, "
    "recommendation_count) SELECT pg_temp.session(%(n)s), pg_temp.moment(%(n)s) + day * interval '7 days', '[]', 0 "
    "FROM generate_series(0, 9) AS day",
    "somebody chooses late": "UPDATE recommendations_log SET user_selection = '{\"shop_id\": 2}', "
    "selection_timestamp = time_stamp + interval '40 days' WHERE id = pg_temp.recommendation(%(n)s)",
    "a recommendation moves": "UPDATE recommendations_log SET time_stamp = pg_temp.moment(%(n)s) "
    "WHERE id = pg_temp.recommendation(%(n)s)",
    "a recommendation is about another shop": "UPDATE recommendations_log SET shop_id = pg_temp.shop(%(n)s) "
    "WHERE id = pg_temp.recommendation(%(n)s)",
    "scores are corrected": "UPDATE recommendations_log SET wide_score = 0.5 WHERE id %% 7 = %(n)s %% 7",
    "a recommendation goes": "DELETE FROM recommendations_log WHERE id = pg_temp.recommendation(%(n)s)",
    "late feedback comes": "INSERT INTO user_feedback (session_id, related_recommendation_id, time_stamp, "
    "feedback_type, feedback_target_type, feedback_target_id, feedback_content) VALUES (pg_temp.session(%(n)s), "
    "pg_temp.recommendation(%(n)s), '2025-02-27', 'rating', 'shop', '1', '{\"rating\": 5}')",
    "feedback on nothing comes": "INSERT INTO user_feedback (session_id, time_stamp, feedback_type) "
    "VALUES (pg_temp.session(%(n)s), pg_temp.moment(%(n)s), 'text')",
    "feedback is corrected": "UPDATE user_feedback SET feedback_content = '{\"rating\": 1}' "
    "WHERE id = pg_temp.feedback(%(n)s)",
    "feedback is linked": "UPDATE user_feedback SET related_recommendation_id = pg_temp.recommendation(%(n)s) "
    "WHERE id = pg_temp.feedback(%(n)s)",
    "feedback is unlinked": "UPDATE user_feedback SET related_recommendation_id = NULL "
    "WHERE id = pg_temp.feedback(%(n)s)",
    "feedback moves": "UPDATE user_feedback SET time_stamp = pg_temp.moment(%(n)s) WHERE id = pg_temp.feedback(%(n)s)",
    "feedback goes": "DELETE FROM user_feedback WHERE id = pg_temp.feedback(%(n)s)",
    "a session goes": "DELETE FROM session_master WHERE session_id = pg_temp.session(%(n)s)",
    "a session is of another kind": "UPDATE session_master SET session_type = "
    "CASE session_type WHEN 'chat' THEN 'voice' ELSE 'chat' END "
    "WHERE session_id = pg_temp.session(%(n)s)",
    "a session began at another time": "UPDATE session_master SET session_start = pg_temp.moment(%(n)s) "
    "WHERE session_id = pg_temp.session(%(n)s)",
    "a user goes": "DELETE FROM users WHERE id = pg_temp.person(%(n)s)",
    "a shop is renamed": "UPDATE shops SET shop_name = 'shop ' || %(n)s WHERE id = pg_temp.shop(%(n)s)",
    "a shop is of another category": "UPDATE shops SET category = CASE category WHEN '일식' THEN '중식' "
    "ELSE '일식' END WHERE id = pg_temp.shop(%(n)s)",
    "a shop takes the food card": "UPDATE shops SET is_food_card_shop = 'Y' WHERE id = pg_temp.shop(%(n)s)",
    "a shop closes": "DELETE FROM shops WHERE id = pg_temp.shop(%(n)s)",
    "a shop comes": "INSERT INTO shops (id, shop_name, category) OVERRIDING SYSTEM VALUE "
    "VALUES (900000000 + %(n)s %% 3, 'came', '한식') ON CONFLICT DO NOTHING",
}
"""What may happen to the logs and to what they name; `n` draws the row."""


WITHIN = "SELECT count(*) FROM recommendations_log WHERE time_stamp >= '2024-11-01+09' AND time_stamp < '2025-03-01+09'"
LATE = """
    INSERT INTO user_feedback (session_id, related_recommendation_id, time_stamp)
    SELECT session_id, id, '2025-02-27' FROM recommendations_log
    WHERE time_stamp >= '2024-12-03' AND time_stamp < '2024-12-30' LIMIT 1
"""


def happen(connection: Connection, name: str, number: int) -> None:
    connection.execute(CHANGES[name].encode(), {"n": number})


def wrong_months(connection: Connection) -> set[Month]:
    """Return the months in which an extract differs from what pandas makes of the rows as they are."""
    wrong = set()
    wanted = expected(connection, MONTHS, ZONE, SECRET)
    for extract in EXTRACTS:
        found, rows = extracted(connection, extract), wanted[extract.relation.name]
        for month in MONTHS:
            here, there = (part[part["month"] == month.first_day] if len(part) else part for part in (found, rows))
            if differences(here, there, extract.key):
                wrong.add(month)
    return wrong


def build_changed(connection: Connection) -> None:
    for first, last in spans(changed_months(connection)):
        build(connection, list(first.through(last)))


@pytest.mark.parametrize("seed", range(3))
def test_the_months_that_a_change_makes_wrong_are_found_and_built_right(connection: Connection, seed: int) -> None:
    plant(connection, MONTHS, ZONE, rows=150, seed=seed)
    connection.execute(DRAWN)
    build(connection)
    assert changed_months(connection) == []
    dice = np.random.default_rng(seed)
    names = [str(name) for name in dice.permutation(list(CHANGES))]
    made_wrong = 0
    for some in (names[first : first + 3] for first in range(0, len(names), 3)):
        for name in some:
            happen(connection, name, int(dice.integers(10**6)))
        wrong, found = wrong_months(connection), changed_months(connection)
        assert wrong <= set(found), some
        made_wrong += len(wrong)
        build_changed(connection)
        assert (wrong_months(connection), changed_months(connection)) == (set(), []), some
    assert made_wrong >= len(MONTHS)


@pytest.fixture
def built(connection: Connection) -> Connection:
    """The login's connection to a database with dirty logs, and extracts of them."""
    plant(connection, MONTHS, ZONE, rows=100, seed=5)
    connection.execute(DRAWN)
    build(connection)
    return connection


@pytest.mark.parametrize("table", ["recommendations_log", "user_feedback", "shops"])
def test_a_table_that_is_emptied_changes_every_month(built: Connection, table: str) -> None:
    built.execute(f"TRUNCATE {table} CASCADE".encode())
    assert changed_months(built) == list(MONTHS)
    build_changed(built)
    assert changed_months(built) == []
    logged = one(built, "SELECT count(*) FROM recommendations_log")
    assert one(built, "SELECT count(*) FROM extracts.recommendation_outcomes") == (logged and one(built, WITHIN))


def test_a_program_that_switches_triggers_off_does_not_switch_off_these(built: Connection) -> None:
    built.execute("SET session_replication_role = replica")
    for name in ("somebody chooses late", "feedback goes", "a shop is renamed", "a session is of another kind"):
        happen(built, name, 3)
        wrong = wrong_months(built)
        assert wrong <= set(changed_months(built)), name
        build_changed(built)


def test_where_triggers_were_disabled_every_month_is_built_once_more(database: str, built: Connection) -> None:
    built.execute("ALTER TABLE recommendations_log DISABLE TRIGGER ALL")
    happen(built, "scores are corrected", 2)
    built.execute("ALTER TABLE recommendations_log ENABLE TRIGGER ALL")
    assert changed_months(built) == []
    upgrade(database, Settings())
    assert changed_months(built) == list(MONTHS)
    build_changed(built)
    assert (wrong_months(built), changed_months(built)) == (set(), [])
    upgrade(database, Settings())
    assert changed_months(built) == []


UNREAD = (
    "UPDATE recommendations_log SET recommendation_count = 77, top_recommendation_shop_id = NULL",
    "UPDATE user_feedback SET feedback_content = feedback_content",
    "UPDATE session_master SET is_active = false, session_end = now(), session_type = session_type",
    "UPDATE shops SET quality_score = 0.5, shop_name = shop_name",
    "UPDATE users SET nickname = '새 이름'",
)


def test_what_the_extracts_do_not_read_makes_no_month_stale(built: Connection) -> None:
    for statement in UNREAD:
        built.execute(statement.encode())
    assert every(built, "SELECT * FROM yumai_pipelines.source_changes") == []


def test_who_commits_while_a_month_is_built_is_noted(database: str, built: Connection) -> None:
    """The writer has inserted before the build's snapshot is taken, and commits after it; the month was never built."""
    built.execute("DELETE FROM extracts.ledger WHERE month = '2024-12-01'")
    with (
        connect(database, application_name="builder") as owner,
        psycopg.connect(database) as holder,
        psycopg.connect(database) as writer,
        ThreadPoolExecutor(1) as threads,
    ):
        writer.execute(
            "INSERT INTO recommendations_log (session_id, time_stamp, recommendations, recommendation_count) "
            "SELECT session_id, '2024-12-20', '[]', 0 FROM session_master LIMIT 1"
        )
        holder.execute("LOCK TABLE extracts.score_calibration IN ACCESS EXCLUSIVE MODE")
        running = threads.submit(build, owner, [DECEMBER])
        wait_until_waiting(built, owner.info.backend_pid)
        writer.commit()
        holder.rollback()
        running.result()
    assert DECEMBER in wrong_months(built)
    assert changed_months(built) == [DECEMBER]
    build_changed(built)
    assert DECEMBER not in wrong_months(built)


@contextmanager
def held_up_at_its_ledger(database: str, month: Month) -> Iterator[None]:
    """Hold a build of the month up, when it has read the logs and filled the first extract; other months go on."""
    with psycopg.connect(database) as holder:
        holder.execute(
            "INSERT INTO extracts.ledger (extract, month, row_count, source_recommendations, source_feedback, "
            "source_hash, min_group_users, code_version) VALUES (%s, %s, 0, 0, 0, 0, 1, 'held up') "
            "ON CONFLICT (extract, month) DO UPDATE SET run_id = 'held up'",
            (EXTRACTS[0].relation.name, month.first_day),
        )
        yield
        holder.rollback()


@pytest.mark.parametrize("is_new", [False, True], ids=["months that were built", "months that were never built"])
def test_builds_of_different_months_go_on_at_the_same_time(database: str, built: Connection, is_new: bool) -> None:
    """One build waits at its end, with its snapshot, while rows of its months come and another begins and ends."""
    if is_new:
        built.execute("DELETE FROM extracts.ledger")
    with (
        connect(database, application_name="one builder") as first,
        connect(database, application_name="another") as second,
        ThreadPoolExecutor(1) as threads,
    ):
        with held_up_at_its_ledger(database, NOVEMBER):
            running = threads.submit(build, first, [NOVEMBER, DECEMBER])
            wait_until_waiting(built, first.info.backend_pid)
            built.execute(LATE)
            build(second, [JANUARY, FEBRUARY])
            assert not running.done()
        running.result()
    assert wrong_months(built) == {DECEMBER}
    assert changed_months(built) == [DECEMBER]
    build_changed(built)
    assert (wrong_months(built), changed_months(built)) == (set(), [])


def test_a_build_that_is_killed_leaves_the_notes(database: str, built: Connection) -> None:
    happen(built, "scores are corrected", 2)
    before = changed_months(built)
    with (
        connect(database, application_name="victim") as victim,
        psycopg.connect(database) as holder,
        ThreadPoolExecutor(1) as threads,
    ):
        holder.execute("LOCK TABLE extracts.score_calibration IN ACCESS EXCLUSIVE MODE")
        running = threads.submit(build, victim, MONTHS)
        wait_until_waiting(built, victim.info.backend_pid)
        built.execute("SELECT pg_terminate_backend(%s)", (victim.info.backend_pid,))
        assert isinstance(running.exception(), psycopg.OperationalError | psycopg.InterfaceError)
        holder.rollback()
    assert before
    assert changed_months(built) == before


def test_one_extract_alone_leaves_its_month_to_the_next_build(built: Connection) -> None:
    built.execute(LATE)
    build(built, [DECEMBER], extracts=EXTRACTS[:1])
    assert changed_months(built) == [DECEMBER]
    build(built, [DECEMBER])
    assert changed_months(built) == []


def test_what_happens_in_months_that_were_never_built_is_not_kept(built: Connection) -> None:
    built.execute(
        "INSERT INTO recommendations_log (session_id, time_stamp, recommendations, recommendation_count) "
        "SELECT session_id, moment, '[]', 0 FROM unnest('{2025-03-05, 2031-01-01, infinity, 4713-01-01 BC}'"
        "::timestamptz[]) AS moment, (SELECT session_id FROM session_master LIMIT 1) AS s"
    )
    assert one(built, "SELECT count(*) FROM yumai_pipelines.source_changes") == 4
    assert changed_months(built) == []
    build(built, [NOVEMBER])
    assert one(built, "SELECT count(*) FROM yumai_pipelines.source_changes") == 0


def test_the_ledger_says_why_a_month_was_built_again_and_as_of_when(built: Connection) -> None:
    def because() -> set[str]:
        return {entry.built_because for (_, month), entry in entries(built, MONTHS).items() if month == DECEMBER}

    assert because() == {"it was never built"}
    built.execute("UPDATE extracts.ledger SET checks_passed = true")
    before = one(built, "SELECT clock_timestamp()")
    built.execute(LATE)
    build_changed(built)
    (said,) = because()
    assert said.startswith("the logs have changed since ")
    assert said.endswith("(1 feedback)")
    entry = entries(built, MONTHS)["score_calibration", DECEMBER]
    assert entry.as_of is not None
    assert before < entry.as_of < entry.built_at
    assert reasons(look(built, [DECEMBER]), 1) == {
        (extract.relation.name, DECEMBER): "its checks have not run" for extract in EXTRACTS
    }
    built.execute("UPDATE extracts.ledger SET checks_passed = true")
    build(built, [DECEMBER])
    assert because() == {"somebody asked for it"}


def test_an_analyst_sees_which_months_have_changed_and_since_when(
    database: str, connection: Connection, built: Connection
) -> None:
    built.execute(LATE)
    with login(connection, database, f"IN ROLE {ANALYST_ROLE}") as url, psycopg.connect(url) as analyst:
        ((month, recommendations, feedback, since),) = every(analyst, "SELECT * FROM extracts.changed_months")
        assert (recommendations, feedback) == (0, 1)
        assert month == DECEMBER.first_day
        assert since <= one(analyst, "SELECT now()")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            analyst.execute("SELECT * FROM yumai_pipelines.source_changes")


def test_spans_are_adjoining_months() -> None:
    assert spans([FEBRUARY, NOVEMBER, DECEMBER, FEBRUARY]) == [(NOVEMBER, DECEMBER), (FEBRUARY, FEBRUARY)]
    assert spans([]) == []
