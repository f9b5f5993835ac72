"""Rows that refer to something that is gone get their session again or are moved to quarantine. None is lost."""

from __future__ import annotations

import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from typing import TYPE_CHECKING
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from tests.processes import finished
from tests.support import Connection, every, one
from yumai_pipelines.integrity.repair import Broken, Orphans, Repair, RepairAction, repair_orphans
from yumai_pipelines.model.lock_policy import LockPolicy
from yumai_pipelines.postgres.connections import connect
from yumai_pipelines.postgres.locks import AdvisoryLock, advisory_lock
from yumai_pipelines.postgres.patience import LockNotObtainedError
from yumai_pipelines.schema.tables import SESSION_CHILDREN, TABLES, ForeignKey, OnDelete, table_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Databases

KEYS = [key for table in TABLES for key in table.foreign_keys]
GONE, OTHER = UUID(int=4711), UUID(int=4712)


@pytest.fixture
def owner(database: str) -> Iterator[Connection]:
    """A connection like those of the pipeline."""
    with connect(database, application_name="test: repair") as connection:
        yield connection


WORLD = """
        INSERT INTO users (external_user_id) VALUES ('first'), ('second');
        INSERT INTO shops (shop_name) VALUES ('밥집'), ('국숫집');
        INSERT INTO menus (shop_id, menu_name, price) VALUES (1, '김밥', 4000);
        INSERT INTO coupons (coupon_name, coupon_type, shop_id, valid_until) VALUES ('하나 더', 'BOGO', 1, 'infinity');
        INSERT INTO foodcard_users (user_id) VALUES (1), (2);
        INSERT INTO user_profiles (user_id) VALUES (1), (2);
        INSERT INTO user_wallet (user_id, coupon_id) VALUES (1, 1);
        INSERT INTO orders (user_id, shop_id, menu_id, price) VALUES (1, 1, 1, 4000), (2, 2, NULL, 9000);
        INSERT INTO orders_coupons (order_id, coupon_id) VALUES (1, 1);
        INSERT INTO reviews (user_id, shop_id, order_id, rating, review_comment) VALUES (1, 1, 1, 5, '맛있어요');
        INSERT INTO nlu_features (user_id) VALUES (1);
        INSERT INTO session_master (session_id, user_id, session_start, session_metadata) VALUES
            ('00000000-0000-0000-0000-000000000001', 1, '2024-08-01 12:00+09', '{"device": "mobile"}'),
            ('00000000-0000-0000-0000-000000000002', 2, '2024-08-02 12:00+09', NULL);
        INSERT INTO conversations (session_id, user_id, conversation_time, selected_shop_id, input_text)
            SELECT session_id, user_id, session_start, user_id, '배고파' FROM session_master;
        INSERT INTO user_interactions (session_id, user_id, time_stamp, companion_pattern_extracted)
            SELECT session_id, user_id, session_start, '{"with": "가족"}' FROM session_master;
        INSERT INTO recommendations_log (session_id, user_id, shop_id, time_stamp, recommendations,
            recommendation_count, confidence_score, user_selection, selection_timestamp)
            SELECT session_id, user_id, user_id, session_start, '[{"shop_id": 1, "score": 0.875}]', 1, 0.875,
            '{"shop_id": 1}', session_start + interval '90.000001 seconds' FROM session_master;
        INSERT INTO user_feedback (session_id, user_id, related_recommendation_id, time_stamp)
            SELECT s.session_id, s.user_id, r.id, s.session_start
            FROM session_master AS s CROSS JOIN recommendations_log AS r;
"""
"""Two people with a session each, and rows in every table that refer to each other."""


@pytest.fixture
def world(connection: Connection) -> Connection:
    """The login's connection to a database of its own with the world in it."""
    connection.execute(WORLD.encode())
    return connection


@pytest.fixture(scope="module")
def one_world(databases: Databases, template: str) -> Iterator[Connection]:
    """The login's connection to a database that several tests share. Each rolls its changes back."""
    with databases.clone(template) as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute(WORLD.encode())
        yield connection


def past_the_keys(connection: Connection, statement: sql.SQL | sql.Composed) -> None:
    connection.execute("SET session_replication_role = replica")
    connection.execute(statement)
    connection.execute("RESET session_replication_role")


def break_key(connection: Connection, key: ForeignKey) -> None:
    """Make the first row that has this reference refer to nothing."""
    nothing = sql.Literal(GONE if key == table_of(key.table).session_key else 4711)
    past_the_keys(
        connection,
        sql.SQL(
            "UPDATE {table} SET {column} = {nothing} "
            "WHERE ctid = (SELECT ctid FROM {table} WHERE {column} IS NOT NULL ORDER BY {column} LIMIT 1)"
        ).format(table=key.table.identifier, column=sql.Identifier(key.column), nothing=nothing),
    )


def rows_of(connection: Connection) -> dict[str, list[str]]:
    """Return every row of every table as text, by table, without the time of its last change."""
    return {
        str(table.relation): sorted(
            text
            for (text,) in connection.execute(
                sql.SQL("SELECT (to_jsonb(t) - 'updated_at')::text FROM {} AS t").format(table.relation.identifier)
            )
        )
        for table in TABLES
    }


def quarantined(connection: Connection) -> list[tuple[str, bool, str]]:
    return every(connection, "SELECT source_table, still_there, why FROM yumai_pipelines.quarantine ORDER BY id")


def give_back(connection: Connection) -> None:
    """Do what `docs/integrity.md` says: put the rows in quarantine back, the last first."""
    for number, table in every(
        connection, "SELECT id, source_table FROM yumai_pipelines.quarantine WHERE NOT still_there ORDER BY id DESC"
    ):
        past_the_keys(
            connection,
            sql.SQL(
                "INSERT INTO {table} OVERRIDING SYSTEM VALUE "
                "SELECT (jsonb_populate_record(NULL::{table}, source_row)).* FROM yumai_pipelines.quarantine "
                "WHERE id = {number}"
            ).format(table=sql.Identifier(*table.split(".")), number=sql.Literal(number)),
        )


def violations(owner: Connection) -> list[Repair]:
    return repair_orphans(owner, run_id="look")


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
def test_any_violated_key_is_repaired_and_nothing_is_lost(one_world: Connection, key: ForeignKey) -> None:
    with one_world.transaction(force_rollback=True):
        break_and_repair(one_world, key)


def break_and_repair(world: Connection, key: ForeignKey) -> None:
    break_key(world, key)
    before = rows_of(world)
    (seen,) = repair_orphans(world, run_id="dry")
    assert (seen.key, seen.found, len(seen.sample), seen.done) == (key, 1, 1, {})
    assert rows_of(world) == before, "a dry run changes nothing"

    (repaired,) = repair_orphans(world, run_id="run 1", dry_run=False)

    assert (repaired.key, repaired.found, repaired.sample) == (key, 1, seen.sample)
    assert violations(world) == []
    assert repair_orphans(world, run_id="run 2", dry_run=False) == []
    after = rows_of(world)
    match repaired.action:
        case RepairAction.RECOVER:
            assert quarantined(world) == []
            added = [row for row in after["chatbot.session_master"] if row not in before["chatbot.session_master"]]
            assert len(added) == 1
            assert '"recovered": true' in added[0]
            assert {**after, "chatbot.session_master": before["chatbot.session_master"]} == before
        case RepairAction.EMPTY:
            assert key.on_delete is OnDelete.SET_NULL
            assert quarantined(world) == [(str(key.table), True, f"{key.column} names no row of {key.referenced}")]
        case RepairAction.MOVE:
            assert (str(key.table), False, f"{key.column} names no row of {key.referenced}") in quarantined(world)
            assert len(after[str(key.table)]) < len(before[str(key.table)])
    kept = {table: set(rows) for table, rows in after.items()}
    for table, row in every(
        world, "SELECT source_table, (source_row - 'updated_at')::text FROM yumai_pipelines.quarantine"
    ):
        kept[table].add(row)
    for table, rows in before.items():
        assert set(rows) <= kept[table], f"no row of {table} is lost"


def test_what_is_moved_takes_along_what_hangs_on_it_and_can_be_given_back(world: Connection, owner: Connection) -> None:
    """The user of a session is gone. Deleting the session would have deleted four rows and emptied a fifth."""
    break_key(world, next(key for key in KEYS if key.name == "session_master_user_id_fkey"))
    before = rows_of(world)
    (repaired,) = repair_orphans(owner, run_id="run 1", dry_run=False)
    assert repaired.done == {
        "rows of analytics.user_feedback moved": 2,
        "rows of analytics.user_feedback with related_recommendation_id emptied": 1,
        "rows of analytics.recommendations_log moved": 1,
        "rows of ml_features.user_interactions moved": 1,
        "rows of chatbot.conversations moved": 1,
        "rows of chatbot.session_master moved": 1,
    }
    assert one(world, "SELECT count(*) FROM user_feedback WHERE related_recommendation_id IS NULL") == 1
    give_back(world)
    after = rows_of(world)
    emptied = after.pop("analytics.user_feedback"), before.pop("analytics.user_feedback")
    assert after == before
    assert [len(rows) for rows in emptied] == [4, 4]


def test_a_recovered_session_knows_what_all_its_rows_know(world: Connection, owner: Connection) -> None:
    past_the_keys(world, sql.SQL("DELETE FROM session_master WHERE user_id = 1"))
    world.execute("UPDATE user_feedback SET time_stamp = '2024-09-30 23:00+09' WHERE id = 1")
    repairs = repair_orphans(owner, run_id="run 1", dry_run=False)
    assert [(each.key.table, each.found) for each in repairs] == [
        (child.relation, 2 if child.relation.name == "user_feedback" else 1) for child in SESSION_CHILDREN
    ]
    assert sum((each.done for each in repairs), start=repairs[0].done - repairs[0].done) == {
        "sessions recovered for chatbot.conversations": 1
    }
    assert every(
        world,
        "SELECT user_id, is_active, session_start = '2024-08-01 12:00+09', session_end = '2024-09-30 23:00+09', "
        "session_metadata FROM session_master WHERE user_id = 1",
    ) == [
        (
            1,
            False,
            True,
            True,
            {
                "recovered": True,
                "from": "analytics.recommendations_log, analytics.user_feedback, chatbot.conversations, "
                "ml_features.user_interactions",
                "why": "its rows were there, and it was not",
                "run": "run 1",
            },
        )
    ]


def test_a_recovered_session_of_two_users_is_nobodys(world: Connection, owner: Connection) -> None:
    past_the_keys(world, sql.SQL("UPDATE conversations SET session_id = {}").format(sql.Literal(GONE)))
    (repaired,) = repair_orphans(owner, run_id="run 1", dry_run=False)
    assert repaired.done == {"sessions recovered for chatbot.conversations": 1}
    assert one(world, "SELECT user_id FROM session_master WHERE session_id = %s", GONE) is None


def test_orphans_go_into_quarantine_when_that_is_wanted(world: Connection, owner: Connection) -> None:
    past_the_keys(world, sql.SQL("DELETE FROM session_master"))
    before = rows_of(world)
    repairs = repair_orphans(owner, run_id="run 1", dry_run=False, orphans=Orphans.QUARANTINE)
    assert {each.action for each in repairs} == {RepairAction.MOVE}
    assert one(world, "SELECT count(*) FROM yumai_pipelines.quarantine WHERE NOT still_there") == 10
    assert violations(owner) == []
    give_back(world)
    assert {table: len(rows) for table, rows in rows_of(world).items()} == {t: len(rows) for t, rows in before.items()}


def test_a_row_moves_when_emptying_a_reference_is_not_wanted(world: Connection, owner: Connection) -> None:
    break_key(world, next(key for key in KEYS if key.name == "conversations_selected_shop_id_fkey"))
    (repaired,) = repair_orphans(owner, run_id="run 1", dry_run=False, broken=Broken.QUARANTINE)
    assert repaired.done == {"rows of chatbot.conversations moved": 1}


def test_no_session_is_recovered_for_rows_that_go(world: Connection, owner: Connection) -> None:
    past_the_keys(
        world,
        sql.SQL("UPDATE conversations SET session_id = {}, user_id = 4711 WHERE id = 1").format(sql.Literal(GONE)),
    )
    repair_orphans(owner, run_id="run 1", dry_run=False)
    assert one(world, "SELECT count(*) FROM session_master") == 2
    assert len(quarantined(world)) == 1


def test_triggers_that_are_still_disabled_change_nothing(world: Connection, owner: Connection) -> None:
    past_the_keys(world, sql.SQL("DELETE FROM users WHERE id = 1"))
    for table in TABLES:
        world.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER ALL").format(table.relation.identifier))
    repair_orphans(owner, run_id="run 1", dry_run=False)
    assert violations(owner) == []
    assert one(world, "SELECT count(*) FROM orders WHERE user_id IS NULL") == 1


KILLED = """
import os, signal, sys
from yumai_pipelines.postgres.connections import connect
from yumai_pipelines.postgres.transactions import STEP_EVENT
from yumai_pipelines.integrity.repair import repair_orphans
steps = [0]
def count_down(event, arguments):
    if event == STEP_EVENT:
        steps[0] += 1
        if steps[0] == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(count_down)
with connect(sys.argv[1], application_name="test: killed") as connection:
    repair_orphans(connection, run_id="killed", dry_run=False, batch_rows=2)
"""


@pytest.mark.parametrize("step", [2, 4])
def test_a_run_that_is_killed_keeps_what_it_did_and_the_next_one_goes_on(
    database: str, world: Connection, owner: Connection, step: int
) -> None:
    for _ in range(5):
        world.execute("INSERT INTO user_interactions (session_id, user_id) SELECT session_id, 2 FROM session_master")
    past_the_keys(world, sql.SQL("UPDATE user_interactions SET user_id = 4711 WHERE id > 7"))
    past_the_keys(world, sql.SQL("DELETE FROM session_master WHERE user_id = 2"))
    killed = finished([sys.executable, "-c", KILLED, database, str(step)])
    assert killed.returncode == -9
    assert one(world, "SELECT count(*) FROM yumai_pipelines.quarantine") == min(2 * (step - 1), 5)
    repair_orphans(owner, run_id="next", dry_run=False)
    assert violations(owner) == []
    assert one(world, "SELECT count(*) FROM yumai_pipelines.quarantine") == 5
    assert one(world, "SELECT count(*) FROM user_interactions") == 7
    assert one(world, "SELECT count(*) FROM session_master") == 2


def test_one_repair_at_a_time(database: str, owner: Connection) -> None:
    with (
        psycopg.connect(database, autocommit=True, application_name="another repair") as other,
        advisory_lock(other, AdvisoryLock.REPAIR, LockPolicy()),
        pytest.raises(LockNotObtainedError, match="another repair"),
    ):
        repair_orphans(owner, run_id="run 1", policy=LockPolicy(patience=LockPolicy().lock_timeout))
    assert violations(owner) == []


def test_a_writer_into_a_session_that_is_moved_is_refused_not_lost(
    database: str, world: Connection, owner: Connection
) -> None:
    """The writer waits for the session's lock. Then the session is gone, and the client gets an error."""
    past_the_keys(world, sql.SQL("UPDATE session_master SET user_id = 4711 WHERE user_id = 1"))
    repair_orphans(owner, run_id="run 1", dry_run=False)
    with psycopg.connect(database, autocommit=True) as client, pytest.raises(psycopg.errors.ForeignKeyViolation):
        client.execute("INSERT INTO conversations (session_id) VALUES (%s)", (UUID(int=1),))


@pytest.mark.parametrize("orphans", Orphans)
def test_rows_that_are_written_during_a_repair_are_neither_lost_nor_twice(
    world: Connection, owner: Connection, database: str, orphans: Orphans
) -> None:
    """Other connections insert, change and delete rows of the same session during the repair."""
    world.execute("SET session_replication_role = replica")
    planted = every(
        world,
        "INSERT INTO conversations (session_id, conversation_time, processing_time_ms) "
        "SELECT %s, '2024-08-03 12:00+09', 0 FROM generate_series(1, 400) RETURNING id",
        GONE,
    )
    world.execute("RESET session_replication_role")
    changes = Counter({key: 0 for (key,) in planted})
    done: Counter[str] = Counter()
    deleted: set[int] = set()
    started, ended = Barrier(4), Event()

    def insert(writer: Connection) -> None:
        row = "INSERT INTO conversations (session_id, processing_time_ms) VALUES (%s, 0) RETURNING id"
        try:
            changes[one(writer, row, GONE)] = 0
            done["inserted"] += 1
        except psycopg.errors.ForeignKeyViolation:
            done["refused"] += 1

    def change(writer: Connection) -> None:
        done["tried to change"] += 31
        keys = list(changes)
        key = keys[done["tried to change"] % len(keys)]
        row = "UPDATE conversations SET processing_time_ms = processing_time_ms + 1 WHERE id = %s"
        if writer.execute(row, (key,)).rowcount:
            changes[key] += 1
            done["changed"] += 1

    def delete(writer: Connection) -> None:
        (key,) = planted[done["tried to delete"] % len(planted)]
        done["tried to delete"] = min(done["tried to delete"] + 4, len(planted))  # then it tries the same one again
        if writer.execute("DELETE FROM conversations WHERE id = %s", (key,)).rowcount:
            deleted.add(key)

    def write(act: Callable[[Connection], None]) -> None:
        with psycopg.connect(database, autocommit=True) as writer:
            act(writer)
            started.wait()
            while not ended.is_set():
                act(writer)
            act(writer)

    with ThreadPoolExecutor(3) as threads:
        writers = [threads.submit(write, act) for act in (insert, change, delete)]
        started.wait()
        try:
            repair_orphans(owner, run_id="race", dry_run=False, orphans=orphans, batch_rows=3)
        finally:
            ended.set()
        for writer in writers:
            writer.result()

    there = every(world, "SELECT id, processing_time_ms FROM conversations WHERE session_id = %s", GONE)
    kept = every(
        world,
        "SELECT (source_row ->> 'id')::bigint, (source_row ->> 'processing_time_ms')::int "
        "FROM yumai_pipelines.quarantine WHERE source_table = 'chatbot.conversations' AND NOT still_there",
    )
    assert sorted(there + kept) == sorted((key, times) for key, times in changes.items() if key not in deleted)
    assert bool(there) is (orphans is Orphans.RECOVER)
    assert bool(kept) is (orphans is Orphans.QUARANTINE)
    assert len(deleted) > 1
    assert min(done["changed"], done["inserted" if orphans is Orphans.RECOVER else "refused"]) > 1


def test_repairs_need_short_transactions(database: str) -> None:
    with (
        connect(database, application_name="test", autocommit=False) as one_transaction,
        pytest.raises(ValueError, match="autocommit"),
    ):
        repair_orphans(one_transaction, run_id="run 1")
