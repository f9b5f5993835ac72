"""Rows with values that PostgreSQL keeps and Python's types cannot hold: checked, repaired and erased all the same."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg import sql

from tests.adoption.test_adoption import adopted, older
from tests.support import every, one
from yumai_pipelines.archives.store import Store
from yumai_pipelines.erasure.erase import erase_user
from yumai_pipelines.integrity.repair import Broken, Orphans, repair_orphans
from yumai_pipelines.model.lock_policy import LockPolicy
from yumai_pipelines.postgres.connections import connect
from yumai_pipelines.schema.tables import TABLES

if TYPE_CHECKING:
    from tests.conftest import Databases
    from tests.graph import Graph
    from tests.support import Connection

SEOUL = ZoneInfo("Asia/Seoul")

EXTREMES = {
    "timestamp with time zone": ("infinity", "-infinity", "0044-03-15 12:00+00 BC", "20000-01-01 00:00+00"),
    "date": ("infinity", "-infinity", "0044-03-15 BC", "20000-01-01"),
    "numeric": ("NaN", "1e-300", "-1", "0"),
    "json": (r'{"a": "\u0000"}', '{"a": 1, "a": 2}', "[" * 5000 + "]" * 5000, "1e999999"),
    "jsonb": ("1e400", "[]", "[" * 5000 + "]" * 5000, '{"": null}'),
    "inet": ("::/0", "0.0.0.0/0", "255.255.255.255/1", "fe80::1"),
    "interval": ("100000000 years", "-100000000 years", "0", "1 mon -1 day"),
    "text": ("\x01", "\U0010ffff", "'; --", ""),
}
"""Values by the type of a column; the n-th world has the n-th of each."""

REFUSED_BY_JSONB = [EXTREMES["json"][each] for each in (0, 2, 3)]

WORLD = """
    INSERT INTO users (external_user_id) VALUES ('person'), ('other');
    INSERT INTO shops (shop_name) VALUES ('밥집');
    INSERT INTO foodcard_users (user_id) SELECT id FROM users;
    INSERT INTO user_profiles (user_id) SELECT id FROM users;
    INSERT INTO orders (user_id, shop_id, price) SELECT id, 1, 4000 FROM users;
    INSERT INTO reviews (user_id, shop_id, order_id, rating) SELECT user_id, 1, id, 5 FROM orders;
    INSERT INTO nlu_features (user_id) SELECT id FROM users;
    INSERT INTO session_master (user_id) SELECT id FROM users;
    INSERT INTO conversations (session_id, user_id) SELECT session_id, user_id FROM session_master;
    INSERT INTO user_interactions (session_id, user_id) SELECT session_id, user_id FROM session_master;
    INSERT INTO recommendations_log (session_id, user_id, recommendations, recommendation_count)
        SELECT session_id, user_id, '[]', 0 FROM session_master;
    INSERT INTO user_feedback (session_id, user_id, related_recommendation_id)
        SELECT session_id, user_id, id FROM recommendations_log;
"""


@pytest.fixture(params=range(4))
def world(request: pytest.FixtureRequest, connection: Connection) -> Connection:
    """Two people, with the n-th extreme in every column that takes it."""
    connection.execute(WORLD.encode())
    set_values = 0
    for table in TABLES:
        keys = {*table.key, *(key.column for key in table.foreign_keys)}
        columns = every(
            connection,
            "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = %s::regclass "
            "AND attnum > 0 AND NOT attisdropped",
            table.relation.quoted,
        )
        for name, kind in columns:
            if kind in EXTREMES and (name not in keys or kind != "text"):
                update = sql.SQL("UPDATE {} SET {} = {}::{}").format(
                    table.relation.identifier,
                    sql.Identifier(name),
                    sql.Literal(EXTREMES[kind][request.param]),
                    sql.SQL(kind),
                )
                with suppress(psycopg.errors.IntegrityError, psycopg.DataError):
                    set_values += bool(connection.execute(update).rowcount)
    assert set_values > 20
    return connection


def orphan(connection: Connection) -> None:
    """Remove the person and their sessions, past the foreign keys."""
    connection.execute("SET session_replication_role = replica")
    connection.execute("DELETE FROM users WHERE id = 1")
    connection.execute("DELETE FROM session_master WHERE user_id = 1")
    connection.execute("DELETE FROM orders")
    connection.execute("RESET session_replication_role")


def erase(url: str) -> None:
    with connect(url, application_name="test: erasure") as owner:
        erase_user(
            owner,
            user_id=1,
            reason="asked for",
            run_id="erase",
            zone=SEOUL,
            user_key_secrets=list,
            store=Store.at("memory://no-archives"),
            policy=LockPolicy(),
        )


@pytest.mark.parametrize("orphans", Orphans)
def test_such_rows_are_repaired_and_erased(database: str, world: Connection, orphans: Orphans) -> None:
    orphan(world)
    with connect(database, application_name="test: repair") as owner:
        for dry_run in (True, False):
            repairs = repair_orphans(owner, run_id="repair", dry_run=dry_run, orphans=orphans, broken=Broken.QUARANTINE)
            assert len(repairs) > 5
        assert repair_orphans(owner, run_id="look") == []
    if orphans is Orphans.QUARANTINE:
        kept = every(
            world,
            "SELECT source_row -> 'user_selection' FROM yumai_pipelines.quarantine "
            "WHERE source_table = 'analytics.recommendations_log'",
        )
        assert kept
    erase(database)
    left = "SELECT count(*) FROM yumai_pipelines.quarantine WHERE source_row ->> 'user_id' = '1'"
    assert one(world, left) == 0


def test_such_rows_are_erased_where_they_are(database: str, world: Connection) -> None:
    erase(database)
    assert every(world, "SELECT id FROM users") == [(2,)]
    assert one(world, "SELECT count(*) FROM conversations WHERE user_id = 1") == 0


def test_such_rows_are_checked(graph: Graph, world: Connection) -> None:
    orphan(world)
    assert graph.check_everything().failed_checks()


@pytest.mark.parametrize("value", REFUSED_BY_JSONB, ids=["nul", "deep", "large"])
def test_a_row_whose_reference_an_adoption_empties_is_kept_with_what_jsonb_refuses(
    databases: Databases, value: str
) -> None:
    with older(databases) as (url, owner):
        with psycopg.connect(owner, autocommit=True) as application:
            application.execute(
                "ALTER TABLE analytics.recommendations_log DROP CONSTRAINT recommendations_log_shop_id_fkey"
            )
            application.execute(
                "UPDATE analytics.recommendations_log SET shop_id = 77, user_selection = %s::text::json WHERE id = 2",
                (value,),
            )
        adopted(url)
        with psycopg.connect(url) as connection:
            kept = "SELECT source_row ->> 'shop_id', source_row ->> 'user_selection' FROM yumai_pipelines.quarantine"
            assert every(connection, kept) == [("77", value)]
