"""The functions that clients call, especially where the document's own SQL is wrong (sections 5 and 7)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from tests.support import Connection, every, one

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2024, 9, 15, 12, tzinfo=ZoneInfo("Asia/Seoul"))
HOUR = timedelta(hours=1)
SHOP = "INSERT INTO shops (shop_name, business_hours) VALUES ('밥집', %s) RETURNING id"


@pytest.fixture
def user(connection: Connection) -> int:
    number: int = one(connection, "INSERT INTO users (external_user_id) VALUES ('a') RETURNING id")
    return number


def session(connection: Connection, start: datetime, *, end: datetime | None = None) -> UUID:
    identifier: UUID = one(
        connection,
        "INSERT INTO session_master (session_start, session_end, is_active) VALUES (%s, %s, %s) RETURNING session_id",
        start,
        end,
        end is None,
    )
    return identifier


WRITES = {
    "conversations": "INSERT INTO conversations (session_id, conversation_time) VALUES (%s, %s)",
    "user_feedback": "INSERT INTO user_feedback (session_id, time_stamp) VALUES (%s, %s)",
}


def test_start_session_keeps_what_it_is_told(connection: Connection, user: int) -> None:
    identifier = one(
        connection,
        "SELECT start_session(p_user_id := %s, p_session_type := 'voice', p_ip_address := '203.0.113.7', "
        "p_user_agent := 'Speaker/1')",
        user,
    )
    assert every(
        connection,
        "SELECT session_id, user_id, session_type, host(ip_address), user_agent, is_active, session_end "
        "FROM session_master",
    ) == [(identifier, user, "voice", "203.0.113.7", "Speaker/1", True, None)]


def test_start_session_takes_nobody_and_refuses_a_stranger(connection: Connection) -> None:
    assert one(connection, "SELECT start_session(NULL, NULL)")
    assert every(connection, "SELECT user_id, session_type FROM session_master") == [(None, "chat")]
    with pytest.raises(psycopg.errors.ForeignKeyViolation, match="there is no user 4711") as refusal:
        connection.execute("SELECT start_session(4711)")
    assert refusal.value.diag.message_hint == (
        "Insert the user into chatbot.users first, or pass NULL for somebody who has not signed in."
    )
    with pytest.raises(psycopg.errors.CheckViolation, match="session_type"):
        connection.execute("SELECT start_session(NULL, 'telepathy')")
    assert one(connection, "SELECT count(*) FROM session_master") == 1


def test_end_session_ends_once(connection: Connection) -> None:
    identifier = session(connection, NOW)
    ended = "SELECT end_session(%s)"
    assert one(connection, ended, identifier) is True
    at = one(connection, "SELECT session_end FROM session_master")
    assert one(connection, ended, identifier) is False
    assert one(connection, ended, uuid4()) is False
    assert one(connection, ended, None) is False
    assert every(connection, "SELECT is_active, session_end FROM session_master") == [(False, at)]


def test_a_session_that_starts_in_the_future_does_not_end_before_it_starts(connection: Connection) -> None:
    start = datetime(2999, 1, 1, tzinfo=UTC)
    assert one(connection, "SELECT end_session(%s)", session(connection, start)) is True
    assert one(connection, "SELECT session_end FROM session_master") == start


def clean(connection: Connection) -> int:
    number: int = one(connection, "SELECT clean_inactive_sessions(p_as_of := %s)", NOW)
    return number


def test_a_new_session_without_a_word_stays_open_for_a_day(connection: Connection) -> None:
    """Correction 4: the document's function closes such a session even if it was opened a second ago."""
    new = session(connection, NOW - timedelta(seconds=1))
    old = session(connection, NOW - 25 * HOUR)
    ended = session(connection, NOW - 48 * HOUR, end=NOW - 47 * HOUR)
    assert clean(connection) == 1
    assert dict(every(connection, "SELECT session_id, session_end FROM session_master")) == {
        new: None,
        old: NOW - 25 * HOUR,
        ended: NOW - 47 * HOUR,
    }
    assert clean(connection) == 0


def test_a_session_that_somebody_is_ending_is_left_to_them(database: str, connection: Connection) -> None:
    identifier = session(connection, NOW - 48 * HOUR)
    with psycopg.connect(database) as other:
        other.execute("SELECT end_session(%s)", (identifier,))
        assert clean(connection) == 0
    assert one(connection, "SELECT session_end > '2024-09-16' FROM session_master")


def delete(connection: Connection, days: int = 30, limit: int | None = None) -> int:
    number: int = one(connection, "SELECT delete_old_sessions(%s, p_limit := %s, p_as_of := %s)", days, limit, NOW)
    return number


def test_sessions_are_deleted_by_their_end_the_oldest_first(connection: Connection) -> None:
    day = timedelta(days=1)
    for end in (NOW - 40 * day, NOW - 31 * day, NOW - 29 * day, None):
        identifier = session(connection, NOW - 60 * day, end=end)
        connection.execute(WRITES["conversations"].encode(), (identifier, NOW - 60 * day))
    assert delete(connection, limit=1) == 1
    assert one(connection, "SELECT min(session_end) FROM session_master") == NOW - 31 * day
    assert delete(connection) == 1
    assert delete(connection) == 0
    assert one(connection, "SELECT count(*) FROM session_master") == 2
    assert one(connection, "SELECT count(*) FROM conversations") == 2


@pytest.mark.parametrize("arguments", ["-1", "NULL", "30, -5"])
def test_nonsense_is_refused_before_anything_is_deleted(connection: Connection, arguments: str) -> None:
    session(connection, NOW, end=NOW)
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="delete_old_sessions: p_days is"):
        connection.execute(f"SELECT delete_old_sessions({arguments})".encode())
    assert one(connection, "SELECT count(*) FROM session_master") == 1


def test_the_plan_of_the_session_functions_scans_no_partition(connection: Connection) -> None:
    """The functions read the conversations of one session at a time, by the index on the session."""
    connection.execute(
        "INSERT INTO session_master (session_start, is_active) SELECT %s, true FROM generate_series(1, 2000)",
        (NOW - 48 * HOUR,),
    )
    connection.execute(
        "INSERT INTO conversations (session_id, conversation_time) "
        "SELECT session_id, %s FROM session_master CROSS JOIN generate_series(1, 10)",
        (NOW - 30 * HOUR,),
    )
    connection.execute("ANALYZE")
    scans = "SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'conversations_default'"
    connection.execute("SELECT pg_stat_force_next_flush()")
    before = one(connection, scans)
    assert clean(connection) == 2000
    connection.execute("SELECT pg_stat_force_next_flush()")
    assert one(connection, scans) == before


@pytest.mark.parametrize("day", ["monday", "Mon", "MONDAY", " 월요일", "월"])
def test_hours_of_a_day_by_any_of_its_names(connection: Connection, day: str) -> None:
    hours = {"monday": {"open": "11:00", "close": "21:00"}, "tue": "closed"}
    shop = one(
        connection, "INSERT INTO shops (shop_name, business_hours) VALUES ('밥집', %s) RETURNING id", Jsonb(hours)
    )
    assert one(connection, "SELECT get_shop_hours(%s, %s)", shop, day) == hours["monday"]
    assert one(connection, "SELECT get_shop_hours(%s, '화요일')", shop) == "closed"
    assert one(connection, "SELECT get_shop_hours(%s, 'sun')", shop) is None


def test_hours_of_today_are_those_of_the_business(connection: Connection) -> None:
    shop = one(
        connection,
        "INSERT INTO shops (shop_name, business_hours) SELECT '밥집', jsonb_object_agg(day, number) "
        "FROM unnest(ARRAY['mon','tue','wed','thu','fri','sat','sun']) WITH ORDINALITY AS d (day, number) RETURNING id",
    )
    connection.execute("SET TimeZone = 'Pacific/Honolulu'")
    assert one(connection, "SELECT get_shop_hours(%s)", shop) == one(
        connection, "SELECT extract(isodow FROM now() AT TIME ZONE 'Asia/Seoul')::int"
    )


@pytest.mark.parametrize("hours", [None, [], "always", {}])
def test_hours_that_are_not_known(connection: Connection, hours: object) -> None:
    shop = one(
        connection, "INSERT INTO shops (shop_name, business_hours) VALUES ('밥집', %s) RETURNING id", Jsonb(hours)
    )
    assert one(connection, "SELECT get_shop_hours(%s, 'monday')", shop) is None
    assert one(connection, "SELECT get_shop_hours(4711, 'monday')") is None
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="'someday' is no day of the week"):
        connection.execute("SELECT get_shop_hours(1, 'someday')")


def test_references_to_shops_that_are_gone_are_taken_out(connection: Connection, user: int) -> None:
    kept = one(connection, "INSERT INTO shops (shop_name) VALUES ('밥집') RETURNING id")
    identifier = session(connection, NOW)
    lists: tuple[list[int] | None, ...] = ([9, kept, 8], [kept, kept], [], None)
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO conversations (session_id, conversation_time, recommended_shop_ids) VALUES (%s, %s, %s)",
            [(identifier, NOW, shops) for shops in lists],
        )
    connection.execute("INSERT INTO user_profiles (user_id, favorite_shops) VALUES (%s, %s)", (user, [kept, 9]))
    connection.execute(
        "INSERT INTO recommendations_log (session_id, recommendations, recommendation_count, "
        "top_recommendation_shop_id) VALUES (%(s)s, '[]', 0, 9), (%(s)s, '[]', 0, %(kept)s)",
        {"s": identifier, "kept": kept},
    )
    assert one(connection, "SELECT clean_invalid_shop_references()") == 3
    assert every(connection, "SELECT recommended_shop_ids FROM conversations ORDER BY id") == [
        ([kept],),
        ([kept, kept],),
        ([],),
        (None,),
    ]
    assert one(connection, "SELECT favorite_shops FROM user_profiles") == [kept]
    assert every(connection, "SELECT top_recommendation_shop_id FROM recommendations_log ORDER BY id") == [
        (None,),
        (kept,),
    ]
    assert one(connection, "SELECT clean_invalid_shop_references()") == 0


def test_old_conversations_go_by_whole_months_of_the_business(connection: Connection) -> None:
    connection.execute("SET TimeZone = 'America/New_York'")
    identifier = session(connection, NOW)
    for at in ("2024-02-29 23:59:59+09", "2024-03-01 00:00:00+09"):
        connection.execute(WRITES["conversations"].encode(), (identifier, at))
    assert one(connection, "SELECT auto_delete_old_conversations(p_as_of := %s)", NOW) == 1
    assert one(connection, "SELECT conversation_time = '2024-03-01 00:00+09' FROM conversations")
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="p_months is -1"):
        connection.execute("SELECT auto_delete_old_conversations(-1)")


@pytest.mark.parametrize(
    ("content", "rating"),
    [
        ({"rating": 4}, Decimal(4)),
        ({"rating": 4.5}, Decimal("4.5")),
        ({"rating": "3"}, Decimal(3)),
        ({"rating": " 3.5 "}, Decimal("3.5")),
        ({"rating": 5, "text": "맛있어요"}, Decimal(5)),
        ({"rating": 0}, None),
        ({"rating": 9}, None),
        ({"rating": 1e300}, None),
        ({"rating": "five"}, None),
        ({"rating": "9"}, None),
        ({"rating": ""}, None),
        ({"rating": None}, None),
        ({"rating": {"value": 4}}, None),
        ({"rating": [4]}, None),
        ({"rating": True}, None),
        ({}, None),
        ([4], None),
        (4, None),
        ("4", None),
    ],
)
def test_ratings(connection: Connection, content: object, rating: Decimal | None) -> None:
    assert one(connection, "SELECT extracts.rating_of(%s)", Jsonb(content)) == rating


def test_the_rating_of_nothing(connection: Connection) -> None:
    assert one(connection, "SELECT extracts.rating_of(NULL)") is None


@pytest.mark.parametrize("table", ["session_master", "shops", "users"])
def test_the_time_of_the_last_change_is_noted(connection: Connection, user: int, table: str) -> None:
    assert user
    session(connection, NOW)
    connection.execute("INSERT INTO shops (shop_name) VALUES ('밥집')")
    query: Callable[[str], str] = "UPDATE {} SET created_at = created_at RETURNING updated_at > created_at".format
    assert one(connection, query(table)) is True


@pytest.mark.parametrize("client_zone", ["Asia/Seoul", None])
def test_a_literal_without_a_zone_is_seoul_wall_time(database: str, client_zone: str | None) -> None:
    """This matches the older system, whose logs had timestamps without a zone."""
    with psycopg.connect(database, autocommit=True) as client:
        if client_zone:
            client.execute("SELECT set_config('TimeZone', %s, false)", (client_zone,))
        identifier = session(client, NOW)
        client.execute(WRITES["user_feedback"].encode(), (identifier, "2024-09-01 00:30:00"))
        assert one(client, "SELECT time_stamp FROM user_feedback") == datetime(2024, 8, 31, 15, 30, tzinfo=UTC)


DELETIONS = ["session", "other session", "user", "other user"]


@pytest.mark.parametrize("gone", DELETIONS)
def test_any_session_and_any_user_can_be_deleted(connection: Connection, gone: str) -> None:
    """Correction 1: this includes feedback on a recommendation of another session, in every order of deletion."""
    users = [one(connection, "INSERT INTO users (external_user_id) VALUES (%s) RETURNING id", n) for n in "xy"]
    shop = one(connection, "INSERT INTO shops (shop_name) VALUES ('밥집') RETURNING id")
    sessions = [one(connection, "SELECT start_session(%s)", u) for u in users]
    recommendation = one(
        connection,
        "INSERT INTO recommendations_log (session_id, user_id, shop_id, recommendations, recommendation_count) "
        "VALUES (%s, %s, %s, '[]', 0) RETURNING id",
        sessions[0],
        users[0],
        shop,
    )
    connection.execute(
        "INSERT INTO user_feedback (session_id, user_id, related_recommendation_id) VALUES (%s, %s, %s)",
        (sessions[1], users[1], recommendation),
    )
    order = one(
        connection, "INSERT INTO orders (user_id, shop_id, price) VALUES (%s, %s, 9000) RETURNING id", users[0], shop
    )
    connection.execute(
        "INSERT INTO reviews (user_id, shop_id, order_id, rating) VALUES (%s, %s, %s, 5)", (users[0], shop, order)
    )
    statements = {
        "session": ("DELETE FROM session_master WHERE session_id = %s", sessions[0]),
        "other session": ("DELETE FROM session_master WHERE session_id = %s", sessions[1]),
        "user": ("DELETE FROM users WHERE id = %s", users[0]),
        "other user": ("DELETE FROM users WHERE id = %s", users[1]),
    }
    for turn in [gone, *(each for each in DELETIONS if each != gone)]:
        statement, key = statements[turn]
        connection.execute(statement.encode(), (key,))
        if turn == gone and gone in ("session", "user"):
            assert every(connection, "SELECT related_recommendation_id FROM user_feedback") == [(None,)]
    for table in ("recommendations_log", "user_feedback", "session_master", "users"):
        assert connection.execute(sql.SQL("SELECT FROM {}").format(sql.Identifier(table))).rowcount == 0, table
    assert every(connection, "SELECT user_id, price FROM orders") == [(None, 9000)], "a record of the business"
    assert every(connection, "SELECT user_id, rating FROM reviews") == [(None, 5)], "a record of the business"
