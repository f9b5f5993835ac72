"""A new month gets a partition: the same rows as any other way, with nobody waiting, and nothing left behind."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from tests.clients import wait_until_waiting
from tests.extracts.dirt import plant
from tests.extracts.support import MONTHS, POLICY, SECRET, ZONE, as_text, build
from tests.support import Connection, every, login, one
from yumai_pipelines.extracts.build import Privacy, build_months
from yumai_pipelines.extracts.new_months import attach, beside, list_new
from yumai_pipelines.model.lock_policy import LockPolicy
from yumai_pipelines.model.registry import EXTRACTS, LEDGER, extract_of
from yumai_pipelines.partitions.tables import NameTakenError
from yumai_pipelines.postgres.connections import connect
from yumai_pipelines.postgres.patience import LockNotObtainedError
from yumai_pipelines.postgres.sql_files import read_sql

if TYPE_CHECKING:
    from collections.abc import Iterator

    from yumai_pipelines.model.months import Month

NOVEMBER, DECEMBER = MONTHS[:2]
OUTCOMES = extract_of("recommendation_outcomes")
TABLE = OUTCOMES.relation.quoted
IMPATIENT = LockPolicy(timedelta(milliseconds=50), timedelta(milliseconds=400))
IN_THE_WAY = "LOCK TABLE extracts.recommendation_outcomes IN SHARE UPDATE EXCLUSIVE MODE"
"""What VACUUM, ANALYZE and CREATE INDEX CONCURRENTLY hold, and another run that attaches."""


@pytest.fixture
def dirty(connection: Connection) -> Connection:
    """The login's connection to a database with dirty logs, of which nothing is built."""
    plant(connection, MONTHS, ZONE, rows=200, seed=7)
    return connection


@pytest.fixture
def other(database: str) -> Iterator[Connection]:
    """Another session, in transactions of its own."""
    with psycopg.connect(database) as session:
        yield session


def partitions(connection: Connection) -> dict[str, int]:
    """The partitions of the outcomes and their oids."""
    query = "SELECT inhrelid::regclass::text, inhrelid FROM pg_inherits WHERE inhparent = %s::regclass ORDER BY 1"
    return dict(every(connection, query, TABLE))


def named(*months: Month) -> list[str]:
    return [f"extracts.recommendation_outcomes_{month.suffix}" for month in months]


def tables(connection: Connection) -> list[str]:
    return [name for (name,) in every(connection, "SELECT oid::regclass::text FROM pg_class ORDER BY oid")]


def contents(connection: Connection) -> dict[str, list[str]]:
    return {each.relation.name: as_text(connection, each.relation) for each in EXTRACTS}


def everything(connection: Connection) -> dict[str, list[str]]:
    return {**contents(connection), "ledger": as_text(connection, LEDGER)}


# What a new partition is like


def test_each_month_gets_a_partition_like_the_extract_once(dirty: Connection) -> None:
    assert partitions(dirty) == {}
    dirty.execute("ALTER TABLE extracts.recommendation_outcomes REPLICA IDENTITY FULL")
    build(dirty)
    made = partitions(dirty)
    assert list(made) == named(*MONTHS)
    assert every(dirty, read_sql("partitions", "list_missing_indexes.sql").replace("%(table)s", f"'{TABLE}'")) == []
    of_parts = "SELECT DISTINCT {} FROM pg_class AS c WHERE c.oid = ANY(%s)"
    assert every(dirty, of_parts.format("pg_get_userbyid(c.relowner)"), list(made.values())) == [("yumai_pipeline",)]
    assert every(dirty, of_parts.format("c.relreplident"), list(made.values())) == [("f",)]
    count = (
        "SELECT count(*) FROM pg_class AS c WHERE c.relnamespace = 'yumai_pipelines'::regnamespace AND relname ~ 'out'"
    )
    assert one(dirty, count) == 0
    build(dirty)
    assert partitions(dirty) == made


def test_an_analyst_reads_the_extract_and_no_partition_by_itself(database: str, dirty: Connection) -> None:
    """So what is taken away from them on the extract is taken away."""
    build(dirty, [DECEMBER])
    with login(dirty, database, "IN ROLE yumai_analyst") as url, psycopg.connect(url, autocommit=True) as analyst:
        assert one(analyst, "SELECT count(*) > 0 FROM extracts.recommendation_outcomes") is True
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            analyst.execute(sql.SQL("SELECT FROM {}").format(sql.SQL(named(DECEMBER)[0])))


@pytest.mark.parametrize("first", [[], [DECEMBER], [NOVEMBER, DECEMBER]], ids=["none", "one", "two"])
def test_months_with_and_without_a_partition_come_out_the_same(
    database: str, dirty: Connection, first: list[Month]
) -> None:
    with psycopg.connect(database, autocommit=True) as admin:
        for month in MONTHS:
            part = sql.Identifier("extracts", f"made_{month.suffix}")
            bounds = sql.SQL("{} TO {}").format(*(sql.SQL("({})").format(m.first_day) for m in (month, month + 1)))
            admin.execute(
                sql.SQL("CREATE TABLE {} PARTITION OF {} FOR VALUES FROM {}").format(
                    part, OUTCOMES.relation.identifier, bounds
                )
            )
        summaries = build(dirty)
        replaced = contents(dirty)
        for month in MONTHS:
            admin.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier("extracts", f"made_{month.suffix}")))
        if first:
            build(dirty, first)
        assert build(dirty) == summaries
        assert contents(dirty) == replaced
        assert list(partitions(admin)) == named(*MONTHS)


# Others who use the extract meanwhile


def test_a_reader_with_a_snapshot_sees_a_month_as_it_was_and_then_as_it_is(
    dirty: Connection, other: Connection
) -> None:
    build(dirty, [NOVEMBER])
    other.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    before = everything(other)
    assert any("2024-11-01" in row for row in before["recommendation_outcomes"])
    build(dirty, MONTHS[:3])
    assert everything(other) == before
    other.rollback()
    after = everything(other)
    assert {name: len(rows) for name, rows in after.items()} != {name: len(rows) for name, rows in before.items()}
    assert after == everything(dirty)


def test_nobody_waits_for_a_month_that_is_attached_and_it_waits_for_no_reader(
    dirty: Connection, other: Connection
) -> None:
    build(dirty, [NOVEMBER])
    # A long SELECT and a writer are under way.
    other.execute("SELECT count(*) FROM extracts.recommendation_outcomes")
    other.execute("DELETE FROM extracts.recommendation_outcomes WHERE was_selected")
    with dirty.transaction():
        new = list_new(dirty, OUTCOMES, MONTHS)
        assert [each.month for each in new] == list(MONTHS[1:])
        with beside(dirty, OUTCOMES.relation, new):
            pass
        attach(dirty, new, IMPATIENT)
        other.rollback()
        # The transaction that has attached them is open.
        other.execute("SET lock_timeout = '2s'")
        assert one(other, "SELECT count(*) > 0 FROM extracts.recommendation_outcomes") is True
        other.execute("DELETE FROM extracts.recommendation_outcomes WHERE was_selected")
        other.rollback()
    assert list(partitions(dirty)) == named(*MONTHS)


def test_who_analyzes_or_indexes_the_extract_is_given_way_to(dirty: Connection, other: Connection) -> None:
    other.execute(IN_THE_WAY)
    before = tables(dirty)
    with pytest.raises(LockNotObtainedError, match=r"attach extracts\.recommendation_outcomes_2024_11, .* gave way"):
        build_months([dirty], EXTRACTS, MONTHS, ZONE, Privacy(SecretStr(SECRET)), IMPATIENT)
    assert tables(dirty) == before
    assert not any(everything(dirty).values())

    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(build, dirty)
        wait_until_waiting(other, dirty.info.backend_pid)
        other.rollback()
        running.result()
    assert list(partitions(dirty)) == named(*MONTHS)


@pytest.mark.parametrize("count", [1, 2])
def test_a_run_killed_before_it_attaches_leaves_nothing_and_the_next_one_finishes(
    database: str, dirty: Connection, other: Connection, count: int
) -> None:
    before = tables(dirty)
    other.execute(IN_THE_WAY)
    with ExitStack() as stack:
        victims = [stack.enter_context(connect(database, application_name="victim")) for _ in range(count)]
        threads = stack.enter_context(ThreadPoolExecutor(1))
        running = threads.submit(build_months, victims, EXTRACTS, MONTHS, ZONE, Privacy(SecretStr(SECRET)), POLICY)
        # The last one's months are attached first.
        wait_until_waiting(dirty, victims[-1].info.backend_pid)
        for victim in victims:
            dirty.execute("SELECT pg_terminate_backend(%s)", (victim.info.backend_pid,))
        with pytest.raises(psycopg.OperationalError):
            running.result()
    other.rollback()
    assert tables(dirty) == before
    assert not any(everything(dirty).values())
    build(dirty)
    assert list(partitions(dirty)) == named(*MONTHS)


def test_what_keeps_one_share_from_being_attached_leaves_each_month_as_it_was_or_as_it_is(
    database: str, dirty: Connection, other: Connection
) -> None:
    """The connections commit one after the other, the last one first, since one at a time may attach."""
    theirs = sql.Identifier("extracts", "recommendation_outcomes_2024_11")
    other.execute("LOCK TABLE extracts.score_calibration IN ACCESS EXCLUSIVE MODE")
    with ExitStack() as stack:
        builders = [stack.enter_context(connect(database, application_name="builder")) for _ in range(2)]
        threads = stack.enter_context(ThreadPoolExecutor(1))
        running = threads.submit(build_months, builders, EXTRACTS, MONTHS, ZONE, Privacy(SecretStr(SECRET)), POLICY)
        for builder in builders:
            wait_until_waiting(dirty, builder.info.backend_pid)
        dirty.execute(sql.SQL("CREATE VIEW {} AS SELECT 1 AS theirs").format(theirs))
        other.rollback()
        with pytest.raises(psycopg.errors.DuplicateTable):
            running.result()
    for relation in (*(each.relation for each in EXTRACTS), LEDGER):
        built = every(
            dirty, sql.SQL("SELECT DISTINCT month FROM {} ORDER BY 1").format(relation.identifier).as_string()
        )
        assert built == [(month.first_day,) for month in MONTHS[2:]], relation
    dirty.execute(sql.SQL("DROP VIEW {}").format(theirs))
    build(dirty)
    assert list(partitions(dirty)) == named(*MONTHS)


def test_builders_of_different_months_attach_theirs_at_the_same_time(database: str, dirty: Connection) -> None:
    def run(month: Month) -> None:
        with connect(database, application_name="test") as owner:
            build(owner, [month])

    with ThreadPoolExecutor(len(MONTHS)) as threads:
        list(threads.map(run, MONTHS))
    assert list(partitions(dirty)) == named(*MONTHS)
    separately = contents(dirty)
    build(dirty)
    assert contents(dirty) == separately


# What is in the way


@pytest.mark.parametrize("schema", ["extracts", "yumai_pipelines"])
def test_a_name_that_is_taken_is_said_and_nothing_is_changed(dirty: Connection, schema: str) -> None:
    theirs = sql.Identifier(schema, "recommendation_outcomes_2024_12")
    dirty.execute(sql.SQL("CREATE VIEW {} AS SELECT 1 AS theirs").format(theirs))
    with pytest.raises(NameTakenError, match=rf"^{schema}\.recommendation_outcomes_2024_12: there is a relation"):
        build(dirty)
    assert not any(everything(dirty).values())
    assert dirty.execute(sql.SQL("SELECT theirs FROM {}").format(theirs)).fetchall() == [(1,)]


@pytest.mark.parametrize(
    ("bounds", "new"),
    [
        ("DEFAULT", 0),
        ("FOR VALUES FROM (MINVALUE) TO ('2025-01-01')", 2),
        ("FOR VALUES FROM ('2025-01-01') TO (MAXVALUE)", 2),
        ("FOR VALUES FROM ('2024-12-01') TO ('2025-02-01')", 2),
    ],
)
@pytest.mark.parametrize("style", ["ISO", "German", "SQL, MDY"])
def test_a_month_that_any_partition_takes_is_not_new(dirty: Connection, bounds: str, new: int, style: str) -> None:
    dirty.execute(f"CREATE TABLE extracts.theirs PARTITION OF extracts.recommendation_outcomes {bounds}".encode())
    dirty.execute("SELECT set_config('DateStyle', %s, false)", (style,))
    assert len(list_new(dirty, OUTCOMES, MONTHS)) == new
    build(dirty)
    dirty.execute("SET DateStyle = 'ISO'")
    assert one(dirty, "SELECT count(DISTINCT month) FROM extracts.recommendation_outcomes") == len(MONTHS)
