"""Months get their partitions: bounds, inherited objects, what is recognized or refused, what a killed run leaves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from psycopg import sql

from tests.support import Connection, every, one
from yumai_pipelines.defs.partitions.checks import tiling
from yumai_pipelines.model.lock_policy import LockPolicy
from yumai_pipelines.model.months import Month
from yumai_pipelines.partitions.ensure import MonthReport, ensure_months
from yumai_pipelines.partitions.tables import (
    SCAN_LIMIT,
    BoundsError,
    NameTakenError,
    PartitionError,
    describe_partitions,
)
from yumai_pipelines.postgres.connections import connect

SEOUL = ZoneInfo("Asia/Seoul")
POLICY = LockPolicy(lock_timeout=timedelta(milliseconds=100), patience=timedelta(seconds=20))
PARENT = "chatbot.conversations"


def ensure(url: str, *months: str, zone: ZoneInfo = SEOUL, client_zone: str = "Asia/Seoul") -> list[MonthReport]:
    with connect(url, application_name="test: partitions", zone=client_zone) as owner:
        return ensure_months(owner, [Month.parse(m) for m in months], zone=zone, policy=POLICY, batch_rows=40)


def add_rows(connection: Connection, *times: str) -> None:
    session = one(connection, "INSERT INTO chatbot.session_master DEFAULT VALUES RETURNING session_id")
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO chatbot.conversations (session_id, conversation_time) VALUES (%s, %s)",
            [(session, time) for time in times],
        )


def bounds(connection: Connection, zone: ZoneInfo = SEOUL) -> dict[str, tuple[datetime | None, datetime | None]]:
    return {p.relation.name: (p.lower, p.upper) for p in describe_partitions(connection, zone) if not p.is_default}


def leftovers(connection: Connection) -> list[Any]:
    """Return what a finished run must not leave: tables aside, mirror triggers, an old default, a check of bounds."""
    return every(
        connection,
        """
        SELECT oid::regclass::text FROM pg_class
         WHERE relname ~ '(_next|_retired|_second_look)' OR obj_description(oid) LIKE 'Unfinished%%'
        UNION ALL SELECT tgname FROM pg_trigger WHERE tgname LIKE 'yumai_mirror%%'
        UNION ALL SELECT proname FROM pg_proc WHERE proname = 'mirror_default_changes'
        UNION ALL SELECT conname FROM pg_constraint WHERE conname = 'yumai_bounds'
        UNION ALL SELECT array_to_string(reloptions, ' ') FROM pg_class WHERE reloptions::text ~ 'autovacuum'
        """,
    )


def test_a_month_gets_all_that_the_parent_has(database: str, connection: Connection) -> None:
    connection.execute("CREATE INDEX extra_index ON chatbot.conversations (conversation_turn)")
    connection.execute("ALTER TABLE chatbot.conversations ADD CONSTRAINT extra_check CHECK (conversation_turn < 9999)")
    connection.execute(
        "ALTER TABLE chatbot.conversations ADD turn_doubled int GENERATED ALWAYS AS (conversation_turn * 2) STORED"
    )
    connection.execute("GRANT SELECT ON chatbot.conversations TO yumai_analyst")
    add_rows(connection, "2024-09-10 12:00+09")

    created, filled = ensure(database, "2024-08", "2024-09")

    assert (created.action, filled.action, filled.moved_rows) == ("created", "filled", 1)
    indexes = "SELECT count(*) FROM pg_index WHERE indrelid = %s::regclass AND indisvalid"
    constraints = """
        SELECT conname, pg_get_constraintdef(oid), convalidated, confdeltype::text FROM pg_constraint
         WHERE conrelid = %s::regclass AND contype IN ('c', 'f') ORDER BY conname"""
    owner = "SELECT relowner::regrole::text FROM pg_class WHERE oid = %s::regclass"
    grants = """
        SELECT grantee::regrole::text, privilege_type FROM pg_class, aclexplode(relacl) WHERE oid = %s::regclass"""
    for partition in (str(created.relation), str(filled.relation), "chatbot.conversations_default"):
        for query in (indexes, constraints, owner):
            assert every(connection, query, partition) == every(connection, query, PARENT), partition
        assert set(every(connection, grants, partition)) >= set(every(connection, grants, PARENT)) - {
            ("yumai_analyst", "SELECT")
        }
    assert ("yumai_analyst", "SELECT") in every(connection, grants, str(created.relation))


def test_a_month_gets_keys_and_triggers_that_were_added_by_hand(database: str, connection: Connection) -> None:
    connection.execute(
        """
        ALTER TABLE chatbot.conversations
            ADD ordered int CONSTRAINT by_hand REFERENCES chatbot.menus (id) ON DELETE SET NULL,
            ADD CONSTRAINT once UNIQUE (session_id, conversation_turn, conversation_time);
        CREATE FUNCTION public.nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE TRIGGER by_hand BEFORE INSERT ON chatbot.conversations
           FOR EACH ROW EXECUTE FUNCTION public.nothing();
        """
    )
    add_rows(connection, "2024-09-10 12:00+09")
    for report in ensure(database, "2024-08", "2024-09"):
        added = """
            SELECT conname, contype::text, convalidated FROM pg_constraint
             WHERE conrelid = %(table)s::regclass AND pg_get_constraintdef(oid) ~ '(ordered|UNIQUE)'
            UNION ALL
            SELECT tgname, 't', tgenabled = 'O' FROM pg_trigger
             WHERE tgrelid = %(table)s::regclass AND tgname = 'by_hand'
             ORDER BY 2
        """
        found = connection.execute(added, {"table": str(report.relation)}).fetchall()
        assert [(kind, sound) for _, kind, sound in found] == [("f", True), ("t", True), ("u", True)]


def test_months_come_in_any_order_and_only_once(database: str, connection: Connection) -> None:
    assert [r.action for r in ensure(database, "2024-12", "2024-08")] == ["created", "created"]
    before = bounds(connection)
    reports = ensure(database, "2024-12", "2024-11", "2024-10", "2024-09", "2024-08")
    assert [(r.month.key, r.action) for r in reports] == [
        ("2024-08", "recognized"),
        ("2024-09", "created"),
        ("2024-10", "created"),
        ("2024-11", "created"),
        ("2024-12", "recognized"),
    ]
    after = bounds(connection)
    assert before.items() <= after.items()
    edges = list(after.values())
    assert all(left[1] == right[0] for left, right in pairwise(edges)), "the months tile"
    assert leftovers(connection) == []


def test_a_partition_made_by_hand_is_recognized_under_any_name(database: str, connection: Connection) -> None:
    connection.execute(
        "CREATE TABLE chatbot.autumn PARTITION OF chatbot.conversations "
        "FOR VALUES FROM ('2024-09-01 00:00+09') TO ('2024-10-01 00:00+09')"
    )
    (report,) = ensure(database, "2024-09")
    assert (str(report.relation), report.action) == ("chatbot.autumn", "recognized")


@pytest.mark.parametrize(
    ("lower", "upper", "complaint"),
    [
        ("2024-09-01 00:00+00", "2024-10-01 00:00+00", "these are midnights in UTC"),
        ("2024-09-01 00:00+09", "2024-11-01 00:00+09", r"more than one month \(2024-09, 2024-10\)"),
        ("2024-09-15 00:00+09", "2024-10-01 00:00+09", "these are not the bounds of a month"),
        ("2024-08-20 00:00+09", None, "it is unbounded"),
    ],
)
def test_wrong_bounds_are_reported_and_nothing_is_changed(
    database: str, connection: Connection, lower: str, upper: str | None, complaint: str
) -> None:
    connection.execute(
        sql.SQL("CREATE TABLE chatbot.wrong PARTITION OF chatbot.conversations FOR VALUES FROM ({}) TO ({})").format(
            sql.Literal(lower), sql.SQL("MAXVALUE") if upper is None else sql.Literal(upper)
        )
    )
    before = bounds(connection)
    with pytest.raises(BoundsError, match=complaint) as refusal:
        ensure(database, "2024-07", "2024-09")
    assert "chatbot.wrong" in str(refusal.value)
    assert bounds(connection) == before


def test_a_table_that_only_has_the_name_is_left_alone(database: str, connection: Connection) -> None:
    connection.execute("CREATE TABLE chatbot.conversations_2024_09 AS SELECT 42 AS answer")
    with pytest.raises(NameTakenError, match=r"chatbot\.conversations_2024_09"):
        ensure(database, "2024-08", "2024-09")
    assert one(connection, "SELECT answer FROM chatbot.conversations_2024_09") == 42
    assert bounds(connection) == {}


@pytest.mark.parametrize("client_zone", ["UTC", "America/New_York"])
def test_the_time_zone_of_the_client_makes_no_difference(
    database: str, connection: Connection, client_zone: str
) -> None:
    connection.execute(
        sql.SQL("ALTER DATABASE {} SET DateStyle = 'SQL, DMY'").format(sql.Identifier(connection.info.dbname))
    )
    ensure(database, "2024-02", "2024-12", client_zone=client_zone)
    assert bounds(connection) == {
        "conversations_2024_02": (
            datetime(2024, 1, 31, 15, tzinfo=UTC),
            datetime(2024, 2, 29, 15, tzinfo=UTC),
        ),
        "conversations_2024_12": (
            datetime(2024, 11, 30, 15, tzinfo=UTC),
            datetime(2024, 12, 31, 15, tzinfo=UTC),
        ),
    }


def test_months_of_a_zone_with_daylight_saving_time_tile(database: str, connection: Connection) -> None:
    new_york = ZoneInfo("America/New_York")
    for _ in range(2):
        ensure(database, "2025-03", "2025-04", "2025-11", zone=new_york, client_zone="UTC")
    utc = {
        name: (low.astimezone(UTC), up.astimezone(UTC))
        for name, (low, up) in bounds(connection, new_york).items()
        if low and up
    }
    assert utc["conversations_2025_03"] == (datetime(2025, 3, 1, 5, tzinfo=UTC), datetime(2025, 4, 1, 4, tzinfo=UTC))
    assert utc["conversations_2025_04"][0] == utc["conversations_2025_03"][1]
    assert utc["conversations_2025_11"] == (datetime(2025, 11, 1, 4, tzinfo=UTC), datetime(2025, 12, 1, 5, tzinfo=UTC))


def test_the_last_instant_of_a_leap_february_belongs_to_it(database: str, connection: Connection) -> None:
    ensure(database, "2024-02", "2024-03")
    add_rows(connection, "2024-02-29 23:59:59.999999+09", "2024-03-01 00:00+09")
    where = "SELECT tableoid::regclass::text FROM chatbot.conversations ORDER BY conversation_time"
    assert [name.removeprefix("chatbot.") for (name,) in every(connection, where)] == [
        "conversations_2024_02",
        "conversations_2024_03",
    ]


def plant_rows(connection: Connection) -> None:
    """Insert rows into the default partition: of two months to be made, of one that is not, and of 1970."""
    days = [f"2024-{month:02}-{day:02} 00:00+09" for month in (8, 9, 10) for day in range(1, 29)]
    add_rows(connection, *days, "1970-01-01 00:00+00", "2099-12-31 23:00+09")


def test_rows_leave_the_default_partition_for_their_months(database: str, connection: Connection) -> None:
    plant_rows(connection)
    rows = every(connection, "SELECT * FROM chatbot.conversations ORDER BY id")
    indexes = """
        SELECT indexrelid::regclass::text FROM pg_index
         WHERE indrelid = 'chatbot.conversations_default'::regclass ORDER BY 1"""
    names = every(connection, indexes)

    reports = ensure(database, "2024-07", "2024-08", "2024-10")

    assert [(r.action, r.rows, r.moved_rows) for r in reports] == [
        ("created", 0, 0),
        ("filled", 28, 28),
        ("filled", 28, 28),
    ]
    assert every(connection, "SELECT * FROM chatbot.conversations ORDER BY id") == rows
    assert one(connection, "SELECT count(*) FROM chatbot.conversations_default") == 28 + 2
    assert every(connection, indexes) == names
    assert leftovers(connection) == []
    add_rows(connection, "2024-08-05 00:00+09", "1985-01-01 00:00+09")
    assert one(connection, "SELECT count(*) FROM chatbot.conversations_default") == 28 + 3


def test_a_large_default_partition_is_not_scanned_under_the_lock(database: str, connection: Connection) -> None:
    add_rows(connection, "1970-01-01 00:00+00")
    connection.execute(
        "INSERT INTO chatbot.conversations (session_id, conversation_time, input_text) "
        "SELECT session_id, timestamptz '1970-01-01' + n * interval '1 s', repeat('x', 900) "
        "FROM chatbot.conversations, generate_series(1, 10000) AS n"
    )
    assert one(connection, "SELECT pg_relation_size('chatbot.conversations_default')") > SCAN_LIMIT
    (report,) = ensure(database, "2024-09")
    assert (report.action, report.rows) == ("created", 0)
    assert one(connection, "SELECT count(*) FROM chatbot.conversations_default") == 10_001


def test_a_missing_default_partition_is_made(database: str, connection: Connection) -> None:
    connection.execute("DROP TABLE chatbot.conversations_default")
    ensure(database, "2024-09")
    add_rows(connection, "1970-01-01 00:00+00")
    assert one(connection, "SELECT count(*) FROM chatbot.conversations_default") == 1
    assert leftovers(connection) == []


def test_an_orphan_in_the_default_partition_is_named(database: str, connection: Connection) -> None:
    plant_rows(connection)
    connection.execute("SET session_replication_role = replica")
    connection.execute("DELETE FROM chatbot.session_master")
    connection.execute("RESET session_replication_role")
    with pytest.raises(PartitionError, match="conversations_session_id_fkey"):
        ensure(database, "2024-08")
    assert one(connection, "SELECT count(*) FROM chatbot.conversations_default") == 86
    connection.execute("DELETE FROM chatbot.conversations")
    assert [r.action for r in ensure(database, "2024-08")] == ["created"]
    assert leftovers(connection) == []


@pytest.mark.parametrize(
    ("name", "odd"),
    [
        ("America/Asuncion", "2023-10"),
        ("America/Havana", "2012-04"),
        ("Asia/Damascus", "2011-04"),
        ("America/Havana", "2020-11"),
    ],
)
def test_a_month_whose_midnight_does_not_exist_or_comes_twice_is_recognized(
    database: str, connection: Connection, name: str, odd: str
) -> None:
    zone = ZoneInfo(name)
    months = [Month.parse(odd) + step for step in (-1, 0, 1)]
    keys = [month.key for month in months]
    for month in months:
        add_rows(connection, str(month.start(zone)), str(month.end(zone) - timedelta(microseconds=1)))
    assert [(each.action, each.rows) for each in ensure(database, *keys, zone=zone)] == [("filled", 2)] * 3
    assert [(each.action, each.rows) for each in ensure(database, *keys, zone=zone)] == [("recognized", 2)] * 3
    with connect(database, application_name="test", zone=name) as owner:
        partitions = describe_partitions(owner, zone)
    assert [each.month for each in partitions] == [*months, None]
    assert tiling(partitions, [], zone).passed


def test_new_months_take_the_tablespace_and_the_replica_identity_of_the_conversations(
    database: str, connection: Connection
) -> None:
    connection.execute("SET allow_in_place_tablespaces = on")
    space = sql.Identifier(f"yumai_test_{uuid4().hex[:12]}")
    connection.execute(sql.SQL("CREATE TABLESPACE {} LOCATION ''").format(space))
    try:
        connection.execute(sql.SQL("GRANT CREATE ON TABLESPACE {} TO yumai_pipeline").format(space))
        connection.execute(sql.SQL("ALTER TABLE chatbot.conversations SET TABLESPACE {}").format(space))
        identities = {
            "FULL": "2024-08",
            "NOTHING": "2024-09",
            "USING INDEX conversations_pkey": "2024-10",
            "DEFAULT": "2024-11",
        }
        for identity, month in identities.items():
            statement = sql.SQL("ALTER TABLE chatbot.conversations REPLICA IDENTITY {}").format(sql.SQL(identity))
            connection.execute(statement)
            if month == "2024-10":
                add_rows(connection, "2024-10-20 12:00+09")
            ensure(database, month)
        found = every(
            connection,
            "SELECT right(c.relname, 2), t.spcname, c.relreplident::text, x.relname "
            "FROM pg_class AS c LEFT JOIN pg_tablespace AS t ON t.oid = c.reltablespace "
            "LEFT JOIN pg_index AS i ON i.indrelid = c.oid AND i.indisreplident "
            "LEFT JOIN pg_class AS x ON x.oid = i.indexrelid "
            "WHERE c.relname ~ '^conversations_2024_..$' ORDER BY 1",
        )
        name = space.as_string(None).strip('"')
        assert found == [
            ("08", name, "f", None),
            ("09", name, "n", None),
            ("10", name, "i", "conversations_2024_10_pkey"),
            ("11", name, "d", None),
        ]
        moved = "SELECT relreplident::text FROM pg_class WHERE oid = 'chatbot.conversations_default'::regclass"
        assert one(connection, moved) == "i"
    finally:
        connection.execute("DROP TABLE chatbot.conversations CASCADE")
        connection.execute(sql.SQL("DROP TABLESPACE {}").format(space))
