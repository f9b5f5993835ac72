"""Loading the demonstration into a real database: all of its rows, or none."""

from __future__ import annotations

import signal
import sys
import time
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from psycopg import sql

from tests.processes import finished
from tests.support import Connection, Value, every, one
from yumai_pipelines.demo.generate import Size, generate
from yumai_pipelines.demo.load import NotEmptyError, fill, refuse_rows
from yumai_pipelines.model import registry
from yumai_pipelines.model.lock_policy import LockPolicy
from yumai_pipelines.model.months import Month
from yumai_pipelines.model.relations import Relation
from yumai_pipelines.partitions.ensure import ensure_months
from yumai_pipelines.postgres.connections import connect
from yumai_pipelines.schema.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from yumai_pipelines.demo.generate import Chunk

SEOUL = ZoneInfo("Asia/Seoul")
UNTIL = datetime(2025, 3, 20, 14, 30, tzinfo=SEOUL)
SIZE = Size(sessions=400, months=3, seed=7)
MONTHS = ("2025_01", "2025_02", "2025_03")


def chunks() -> Iterator[Chunk]:
    return generate(SIZE, until=UNTIL, zone=SEOUL)


@pytest.fixture
def owner(database: str) -> Iterator[Connection]:
    """The owner's connection to a database with the months and without rows."""
    with connect(database, application_name="test") as connection:
        ensure_months(connection, [*Month(2025, 1).through(Month(2025, 4))], zone=SEOUL, policy=LockPolicy())
        yield connection


def value(connection: Connection, query: str, *names: sql.Composable) -> Value:
    """Return the first column of the first row of a query with identifiers in place of `{}`."""
    row = connection.execute(sql.SQL(query).format(*names)).fetchone()
    assert row is not None
    return row[0]


def count(connection: Connection, relation: Relation) -> int:
    rows: int = value(connection, "SELECT count(*) FROM {}", relation.identifier)
    return rows


def total(connection: Connection) -> int:
    return sum(count(connection, table.relation) for table in TABLES)


def test_every_row_arrives(owner: Connection) -> None:
    made: Counter[Relation] = Counter()
    for chunk in chunks():
        for batch in chunk.batches:
            made[batch.relation] += batch.rows.num_rows
    reported: list[int] = []
    counts = fill(owner, chunks(), report=lambda chunk: reported.append(chunk.sessions))
    assert counts == made
    assert {table.relation: count(owner, table.relation) for table in TABLES} == made
    assert sum(reported) == SIZE.sessions


def test_every_month_has_its_rows_and_the_default_partition_none(owner: Connection) -> None:
    fill(owner, chunks())
    months = {suffix: count(owner, Relation("chatbot", f"conversations_{suffix}")) for suffix in MONTHS}
    assert all(months.values())
    assert sum(months.values()) == count(owner, registry.CONVERSATIONS)


def test_no_row_refers_to_nothing(owner: Connection) -> None:
    fill(owner, chunks())
    for key in (key for table in TABLES for key in table.foreign_keys):
        orphans = value(
            owner,
            "SELECT count(*) FROM {} AS t "
            "WHERE t.{} IS NOT NULL AND NOT EXISTS (SELECT FROM {} AS r WHERE r.{} = t.{})",
            key.table.identifier,
            sql.Identifier(key.column),
            key.referenced.identifier,
            sql.Identifier(key.referenced_column),
            sql.Identifier(key.column),
        )
        assert orphans == 0, key.name


def test_nothing_is_later_than_until(owner: Connection) -> None:
    fill(owner, chunks())
    for table in TABLES:
        columns = every(
            owner,
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND atttypid = 'timestamptz'::regtype",
            table.relation.quoted,
        )
        for (column,) in columns:
            if (table.relation, column) != (registry.COUPONS, "valid_until"):
                latest = value(owner, "SELECT max({}) FROM {}", sql.Identifier(column), table.relation.identifier)
                assert latest is None or latest <= UNTIL, f"{table.relation}.{column}"


def test_the_next_rows_get_the_next_ids(owner: Connection) -> None:
    counts = fill(owner, chunks())
    user = one(owner, "INSERT INTO chatbot.users (external_user_id) VALUES ('new') RETURNING id")
    assert user == counts[registry.USERS] + 1
    session = one(owner, "SELECT chatbot.start_session(%s)", user)
    turn = "INSERT INTO chatbot.conversations (session_id, user_id) VALUES (%s, %s) RETURNING id"
    assert one(owner, turn, session, user) == counts[registry.CONVERSATIONS] + 1


def test_the_planner_knows_how_many_rows_there_are(owner: Connection) -> None:
    counts = fill(owner, chunks())
    for relation in (registry.SESSIONS, registry.RECOMMENDATIONS, registry.FEEDBACK):
        known = one(owner, "SELECT reltuples FROM pg_class WHERE oid = %s::regclass", relation.quoted)
        assert known == counts[relation]


def test_upkeep_finds_the_sessions_that_nobody_closed(owner: Connection) -> None:
    fill(owner, chunks())
    assert one(owner, "SELECT chatbot.clean_inactive_sessions('24 hours', %s)", UNTIL) > 0


def test_shops_say_when_they_are_open(owner: Connection) -> None:
    fill(owner, chunks())
    assert one(owner, "SELECT count(*) FROM chatbot.shops WHERE chatbot.get_shop_hours(id, '월요일') IS NULL") == 0


def test_a_database_with_rows_is_refused_by_the_names_of_the_tables(owner: Connection) -> None:
    owner.execute("INSERT INTO chatbot.users (external_user_id) VALUES ('somebody')")
    owner.execute("SELECT chatbot.start_session(NULL)")
    with pytest.raises(NotEmptyError, match=r"chatbot\.users, chatbot\.session_master already have rows.*YUMAI_HOME"):
        fill(owner, chunks())
    assert total(owner) == 2


def test_a_second_fill_at_the_same_time_is_refused(owner: Connection, database: str) -> None:
    def meanwhile() -> Iterator[Chunk]:
        with connect(database, application_name="test: second") as second:
            with pytest.raises(NotEmptyError, match="Another"):
                fill(second, chunks())
            yield from chunks()

    fill(owner, meanwhile())
    assert total(owner) > 0


def test_a_fill_that_fails_leaves_the_database_empty(owner: Connection) -> None:
    def breaking() -> Iterator[Chunk]:
        yield from chunks()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fill(owner, breaking())
    assert total(owner) == 0


KILLED = """
import os, signal, sys
from datetime import datetime
from yumai_pipelines.postgres.connections import connect
from yumai_pipelines.demo.generate import Size, generate
from yumai_pipelines.demo.load import fill

loaded = []

def report(chunk):
    loaded.append(chunk)
    if len(loaded) == 2:
        os.kill(os.getpid(), signal.SIGKILL)

until = datetime.fromisoformat(sys.argv[2])
with connect(sys.argv[1], application_name="test: to be killed") as owner:
    fill(owner, generate(Size(sessions=400, months=3), until=until, zone=until.tzinfo), report=report)
"""


def test_a_killed_fill_leaves_the_database_empty_to_be_filled_again(owner: Connection, database: str) -> None:
    ended = finished([sys.executable, "-c", KILLED, database, UNTIL.isoformat()])
    assert ended.returncode == -signal.SIGKILL
    wait_for_backends(owner, "test: to be killed")
    refuse_rows(owner)
    assert fill(owner, chunks())[registry.SESSIONS] == SIZE.sessions


def wait_for_backends(connection: Connection, application_name: str) -> None:
    """Wait until the server notices that a client is gone, and rolls its transaction back."""
    deadline = time.monotonic() + 20
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = %s"
    while one(connection, query, application_name):
        assert time.monotonic() < deadline
        time.sleep(0.05)
