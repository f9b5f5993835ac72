"""`make_month`, with which a DBA who has psql alone makes a partition: as `ensure_months` does, in one statement."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import psycopg
import pytest

from tests.support import Connection, every, login, one, wait_until
from yumai_pipelines.model.lock_policy import LockPolicy
from yumai_pipelines.model.months import Month
from yumai_pipelines.partitions.ensure import ensure_months
from yumai_pipelines.postgres.connections import connect
from yumai_pipelines.postgres.locks import AdvisoryLock, advisory_lock
from yumai_pipelines.postgres.patience import LockNotObtainedError
from yumai_pipelines.schema.upgrade import configure_database

if TYPE_CHECKING:
    from datetime import date

SEOUL = ZoneInfo("Asia/Seoul")
MAKE = "SELECT yumai_pipelines.make_month(%s)"
INSERT = "INSERT INTO chatbot.conversations (session_id, conversation_time) VALUES (%s, %s)"

LOOK = """
    SELECT
        pg_get_userbyid(c.relowner), ARRAY(SELECT acl::text FROM unnest(c.relacl) AS acl ORDER BY 1),
        c.relreplident, c.reloptions, c.reltablespace,
        replace(obj_description(c.oid), '+09:00', '+09'),
        ARRAY(
            SELECT replace(pg_get_indexdef(i.indexrelid), c.relname, '') || i.indisreplident
            FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisvalid ORDER BY 1
        ),
        ARRAY(
            SELECT k.conname || pg_get_constraintdef(k.oid) FROM pg_constraint AS k WHERE k.conrelid = c.oid ORDER BY 1
        ),
        ARRAY(SELECT t.tgname::text FROM pg_trigger AS t WHERE t.tgrelid = c.oid AND NOT tgisinternal ORDER BY 1),
        ARRAY(
            SELECT concat(a.attname, a.attidentity, a.attgenerated, a.attnotnull)
            FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 ORDER BY a.attnum
        ),
        pg_get_expr(c.relpartbound, c.oid)
    FROM pg_class AS c
    WHERE c.oid = to_regclass('chatbot.conversations_2025_04')
"""


@pytest.fixture
def session(connection: Connection) -> object:
    return one(connection, "INSERT INTO chatbot.session_master DEFAULT VALUES RETURNING session_id")


@pytest.mark.parametrize(
    "identity", ["DEFAULT", "FULL", "USING INDEX conversations_pkey"], ids=lambda each: each.split()[0].lower()
)
def test_it_makes_what_a_run_makes(database: str, connection: Connection, identity: str) -> None:
    connection.execute(f"ALTER TABLE chatbot.conversations REPLICA IDENTITY {identity}".encode())
    connection.execute("GRANT SELECT ON chatbot.conversations TO yumai_analyst WITH GRANT OPTION")
    assert one(connection, MAKE, "2025-04-17") == "created"
    made = every(connection, LOOK)
    assert one(connection, MAKE, "2025-04-01") == "recognized"
    connection.execute("DROP TABLE chatbot.conversations_2025_04")
    with connect(database, application_name="test") as owner:
        ensure_months(owner, [Month(2025, 4)], zone=SEOUL, policy=LockPolicy())
        assert made == every(connection, LOOK) != []
        assert one(owner, MAKE, "2025-04-30") == "recognized"


def test_rows_of_the_default_partition_come_along(connection: Connection, session: object) -> None:
    for time in ("2025-03-31 23:59:59+09", "2025-04-01 00:00:00+09", "2025-04-30 23:59:59+09", "2025-05-01 00:00+09"):
        connection.execute(INSERT, (session, time))
    connection.execute("SET TimeZone = 'UTC'; SET DateStyle = 'German'; SET lock_timeout = '7s'")
    assert one(connection, MAKE, "2025-04-01") == "filled"
    assert one(connection, "SHOW lock_timeout") == "7s"
    assert one(connection, "SELECT count(*) FROM chatbot.conversations_2025_04") == 2
    assert one(connection, "SELECT count(*) FROM chatbot.conversations_default") == 2
    connection.execute("DELETE FROM chatbot.session_master")
    assert one(connection, "SELECT count(*) FROM chatbot.conversations") == 0


def test_what_it_refuses(connection: Connection, session: object) -> None:
    connection.execute(
        "INSERT INTO yumai_pipelines.archives (month, state, partition) "
        "VALUES ('2024-08-01', 'detached', 'chatbot.conversations_2024_08')"
    )
    connection.execute(
        "INSERT INTO chatbot.conversations (session_id, conversation_time) "
        "SELECT %s, '2025-06-10' FROM generate_series(1, 10001)",
        (session,),
    )
    for month, said in (
        ("2024-08-31", "the rows of 2024-08 are archived"),
        ("2025-06-01", "conversations_default is too large"),
        (None, "p_month is"),
        ("infinity", "p_month is infinity"),
    ):
        with pytest.raises(psycopg.Error, match=said):
            connection.execute(MAKE, (month,))
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        with (
            pytest.raises(psycopg.errors.RaiseException, match="the transaction is repeatable read"),
            connection.transaction(),
        ):
            connection.execute(MAKE, ("2025-04-01",))
    assert one(connection, "SELECT count(*) FROM pg_inherits WHERE inhparent = 'chatbot.conversations'::regclass") == 1


def test_it_gives_way_to_a_writer_and_lets_others_pass(database: str, connection: Connection, session: object) -> None:
    waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
    with (
        psycopg.connect(database) as writer,
        psycopg.connect(database, autocommit=True) as dba,
        ThreadPoolExecutor(1) as pool,
    ):
        writer.execute(INSERT, (session, "2025-04-10"))
        made = pool.submit(one, dba, MAKE, "2025-04-01")
        wait_until(lambda: one(connection, waits))
        connection.execute("SET lock_timeout = '10s'")
        connection.execute(INSERT, (session, "2025-04-11"))
        writer.commit()
        assert made.result(60) == "filled"
    assert one(connection, "SELECT count(*) FROM chatbot.conversations_2025_04") == 2


def test_one_works_at_a_time(database: str, connection: Connection) -> None:
    waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
    with (
        connect(database, application_name="a run") as run,
        psycopg.connect(database, autocommit=True) as dba,
        ThreadPoolExecutor(1) as pool,
    ):
        with advisory_lock(run, AdvisoryLock.PARTITIONS, LockPolicy()):
            made = pool.submit(one, dba, MAKE, "2025-04-01")
            wait_until(lambda: one(connection, waits))
            assert every(connection, LOOK) == []
        assert made.result(60) == "created"
        impatient = LockPolicy(timedelta(milliseconds=5), timedelta(milliseconds=50))
        with dba.transaction():
            assert one(dba, MAKE, "2025-05-01") == "created"
            with (
                pytest.raises(LockNotObtainedError, match=r"partitions of chatbot\.conversations"),
                advisory_lock(run, AdvisoryLock.PARTITIONS, impatient),
            ):
                raise AssertionError("two work")


def test_a_stranger_does_not_keep_it_from_its_work(database: str, connection: Connection) -> None:
    with login(connection, database, "IN ROLE yumai_analyst") as url, psycopg.connect(url, autocommit=True) as stranger:
        for key in ("hashtextextended(%s, 0)", "hashtext(%s), 1"):
            query = f"SELECT pg_advisory_lock({key})"
            stranger.execute(query.encode(), (AdvisoryLock.PARTITIONS.value,))
        assert one(connection, MAKE, "2025-04-01") == "created"


# In these, midnight of some month does not exist, or comes twice.
ZONES = ["Asia/Seoul", "UTC", "America/Asuncion", "America/Havana", "Asia/Damascus", "Asia/Beirut", "America/Santiago"]
ZONES += ["Asia/Amman", "Africa/Cairo", "Atlantic/Azores", "America/Campo_Grande", "Australia/Lord_Howe"]


@pytest.mark.parametrize("zone", ZONES)
def test_months_begin_when_those_of_a_run_do(connection: Connection, zone: str) -> None:
    configure_database(connection, zone)
    months = [*Month(1975, 1).through(Month(2026, 12))]
    days: list[date] = [month.first_day for month in months]
    starts = every(connection, "SELECT yumai_pipelines.month_start(day) FROM unnest(%s::date[]) AS day", days)
    assert [start for (start,) in starts] == [month.start(ZoneInfo(zone)) for month in months]
