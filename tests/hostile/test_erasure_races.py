"""An erasure meets each other kind of run, in both orders, at several steps. Afterwards nothing of the person is left.

The first run stops in front of a statement until the second has ended, or waits. Then both go on to their end.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import ZoneInfo

import psycopg
import pyarrow.parquet as pq
import pytest
from psycopg import sql
from pydantic import SecretStr

from tests.clients import in_background
from tests.support import Connection, every, one, wait_until
from yumai_pipelines.archives.archive import archive_months
from yumai_pipelines.archives.restore import restore_month
from yumai_pipelines.archives.store import Store
from yumai_pipelines.defs.extracts.checks import PROOFS
from yumai_pipelines.erasure.erase import UnknownUserError, erase_user
from yumai_pipelines.extracts.build import Privacy, build_months
from yumai_pipelines.extracts.ledger import entries, record_checks
from yumai_pipelines.integrity.repair import Broken, Orphans, repair_orphans
from yumai_pipelines.model.lock_policy import LockPolicy
from yumai_pipelines.model.months import Month
from yumai_pipelines.model.registry import EXTRACTS, VIEWS
from yumai_pipelines.partitions.ensure import ensure_months
from yumai_pipelines.postgres import transactions
from yumai_pipelines.postgres.connections import connect
from yumai_pipelines.postgres.endings import EndedError
from yumai_pipelines.postgres.patience import LockNotObtainedError
from yumai_pipelines.postgres.sql_files import read_sql
from yumai_pipelines.retention.purge import RetentionRefusedError, purge_month
from yumai_pipelines.views.refresh import refresh

if TYPE_CHECKING:
    from pathlib import Path

    from psycopg.abc import Params, QueryNoTemplate

    from tests.conftest import Databases

SEOUL = ZoneInfo("Asia/Seoul")
POLICY = LockPolicy(timedelta(milliseconds=5), timedelta(seconds=30))
PRIVACY = Privacy(SecretStr("of the tests, which nobody has to guess"))
AS_OF = datetime(2025, 6, 15, tzinfo=SEOUL)
JULY, AUGUST, SEPTEMBER = (Month(2024, number) for number in (7, 8, 9))

WORLD = """
    INSERT INTO users (external_user_id, user_name) VALUES ('person', 'of user 1'), ('other', 'of user 2');
    INSERT INTO shops (shop_name) VALUES ('밥집');
    INSERT INTO session_master (user_id, session_start, session_end, is_active)
        SELECT u.id, t.start, t.start + interval '3 hours', false FROM users AS u
        CROSS JOIN (
            VALUES ('2024-07-10 12:00+09'::timestamptz), ('2024-08-10 12:00+09'), ('2024-09-10 12:00+09')
        ) AS t (start);
    INSERT INTO session_master (user_id) SELECT id FROM users;
    INSERT INTO conversations (session_id, user_id, conversation_time, input_text)
        SELECT session_id, user_id, session_start, 'of user ' || user_id FROM session_master;
    INSERT INTO recommendations_log
        (session_id, user_id, time_stamp, recommendations, recommendation_count, request_location)
        SELECT session_id, user_id, session_start, '[]', 0, 'of user ' || user_id FROM session_master;
    INSERT INTO user_feedback (session_id, user_id, related_recommendation_id, time_stamp, feedback_content)
        SELECT session_id, user_id, id, time_stamp, to_jsonb('of user ' || user_id) FROM recommendations_log;
    INSERT INTO conversations (session_id, conversation_time, input_text)
        SELECT session_id, '2024-10-10 12:00+09', 'of user ' || user_id FROM session_master;
    INSERT INTO user_interactions (session_id, user_id) SELECT session_id, user_id FROM session_master;
    SET session_replication_role = replica;
    INSERT INTO user_interactions (session_id, user_id) SELECT gen_random_uuid(), user_id FROM session_master;
    INSERT INTO user_feedback (session_id, user_id, related_recommendation_id, time_stamp, feedback_content)
        SELECT session_id, user_id, 4711, '2024-10-11 12:00+09', to_jsonb('of user ' || user_id) FROM session_master;
    RESET session_replication_role;
    REFRESH MATERIALIZED VIEW recent_conversations;
"""


@dataclass(frozen=True)
class World:
    """A database in which two people have left rows, and the store of its archives."""

    url: str
    store: Store
    directory: Path
    admin: Connection


@pytest.fixture(scope="module")
def prepared(databases: Databases, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world that each test gets a copy of: July is archived, the extracts of August are built and checked."""
    directory = tmp_path_factory.mktemp("archives")
    with databases.clone(template) as url:
        with psycopg.connect(url, autocommit=True) as admin, connect(url, application_name="test: prepare") as owner:
            world = World(url, Store.at(str(directory)), directory, admin)
            admin.execute(WORLD.encode())
            ensure_months(owner, [JULY, AUGUST, SEPTEMBER], zone=SEOUL, policy=POLICY)
            archive(world, [owner], months=[JULY])
            build(world, [owner])
            ledger = entries(owner, [AUGUST])
            for extract in EXTRACTS:
                found = [each.measure(owner, extract, [AUGUST], SEOUL, ledger) for each in PROOFS if each.blocking]
                record_checks(owner, extract, {AUGUST: all(each[AUGUST].passed for each in found)}, ledger)
        yield world


@pytest.fixture
def world(prepared: World, databases: Databases, tmp_path: Path) -> Iterator[World]:
    """A copy of the prepared world."""
    shutil.copytree(prepared.directory, tmp_path, dirs_exist_ok=True)
    with databases.clone(databases.name(prepared.url)) as url, psycopg.connect(url, autocommit=True) as admin:
        moved = "UPDATE yumai_pipelines.archives SET uri = replace(uri, %s, %s)"
        admin.execute(moved, (str(prepared.directory), str(tmp_path)))
        yield World(url, Store.at(str(tmp_path)), tmp_path, admin)


def erase(world: World, connections: Sequence[Connection], user: int = 1) -> None:
    erase_user(
        connections[0],
        user_id=user,
        reason="asked for",
        run_id="erase",
        zone=SEOUL,
        user_key_secrets=lambda: [PRIVACY.secret],
        store=world.store,
        policy=POLICY,
    )


def build(_world: World, connections: Sequence[Connection]) -> None:
    build_months(connections, EXTRACTS, [AUGUST, SEPTEMBER], SEOUL, PRIVACY, POLICY)


def build_a_new_month(_world: World, connections: Sequence[Connection]) -> None:
    build_months(connections, EXTRACTS, [JULY, AUGUST], SEOUL, PRIVACY, POLICY)


def archive(world: World, connections: Sequence[Connection], months: Sequence[Month] = (AUGUST,)) -> None:
    list(archive_months(connections[0], months, store=world.store, zone=SEOUL, policy=POLICY, kept=6, as_of=AS_OF))


def restore(_world: World, connections: Sequence[Connection]) -> None:
    restore_month(connections[0], JULY, zone=SEOUL, policy=POLICY)


def quarantine(_world: World, connections: Sequence[Connection]) -> None:
    repair_orphans(
        connections[0],
        run_id="repair",
        dry_run=False,
        orphans=Orphans.QUARANTINE,
        broken=Broken.QUARANTINE,
        batch_rows=3,
        policy=POLICY,
    )


def recover(_world: World, connections: Sequence[Connection]) -> None:
    repair_orphans(connections[0], run_id="repair", dry_run=False, batch_rows=3, policy=POLICY)


def purge(_world: World, connections: Sequence[Connection]) -> None:
    purge_month(connections[0], AUGUST, SEOUL, POLICY, as_of=AS_OF, days=30, batch=1)


def refresh_views(_world: World, connections: Sequence[Connection]) -> None:
    for view in VIEWS:
        refresh(connections[0], view.relation)


def refresh_by_hand(_world: World, connections: Sequence[Connection]) -> None:
    connections[0].execute("REFRESH MATERIALIZED VIEW CONCURRENTLY chatbot.recent_conversations")


def make_partition(_world: World, connections: Sequence[Connection]) -> None:
    ensure_months(connections[0], [Month(2024, 10)], zone=SEOUL, policy=POLICY, batch_rows=1)


def erase_the_other(world: World, connections: Sequence[Connection]) -> None:
    erase(world, connections, user=2)


def erase_again(world: World, connections: Sequence[Connection]) -> None:
    erase(world, connections)


Run = Callable[[World, Sequence[Connection]], None]

STOPS: dict[Run, tuple[str, ...]] = {
    build: ("CREATE TEMPORARY TABLE staged_feedback", "INSERT INTO extracts.ledger"),
    build_a_new_month: ('ALTER TABLE "extracts"."recommendation_outcomes" ATTACH',),
    archive: ("yumai_pipelines.archive_changes", "state = 'archived'"),
    restore: ("pg_constraint", "state = 'restored'"),
    quarantine: ("DELETE FROM", "INSERT INTO yumai_pipelines.quarantine"),
    recover: ("INSERT INTO chatbot.session_master", "DROP TABLE"),
    purge: ("purge_batch", "DELETE FROM chatbot.session_master"),
    refresh_views: ("REFRESH", "INSERT INTO yumai_pipelines.view_refreshes"),
    refresh_by_hand: ("REFRESH",),
    make_partition: ("INSERT INTO", "DETACH PARTITION"),
    erase_the_other: ("FOR UPDATE", "DELETE FROM chatbot.users"),
    erase_again: ("FOR UPDATE", "DELETE FROM chatbot.users"),
}
"""Parts of the statements in front of which each run stops."""

REFUSALS = (RetentionRefusedError, UnknownUserError)
"""What the second run may say instead: the extracts count rows that are gone, or the person is unknown by now."""

STOPS_OF_AN_ERASURE = ("DELETE FROM chatbot.users", "INSERT INTO yumai_pipelines.view_refreshes")


class Stop:
    """A statement in front of which a run stops, once, until it is let go on."""

    def __init__(self, part: str) -> None:
        self.part = part
        self.reached = threading.Event()
        self.over = threading.Event()

    def cursors(self) -> type[psycopg.Cursor[Any]]:
        """Return a class of cursors that stop there."""
        stop = self

        class Stopping(psycopg.Cursor[Any]):
            def execute(
                self,
                query: object,
                params: Params | None = None,
                *,
                prepare: bool | None = None,
                binary: bool | None = None,
            ) -> Stopping:
                text = query.as_string(self) if isinstance(query, sql.Composable) else str(query)
                if stop.part in text and not stop.reached.is_set():
                    stop.reached.set()
                    assert stop.over.wait(60)
                return super().execute(cast("QueryNoTemplate", query), params, prepare=prepare, binary=binary)

        return Stopping


def meet(world: World, first: Run, part: str, second: Run) -> None:
    """Stop the first run in front of a statement until the second has ended or waits. Let both end."""
    stop = Stop(part)
    with ExitStack() as stack:
        connections = {
            run: [stack.enter_context(connect(world.url, application_name=f"test: {name}")) for _ in range(2)]
            for name, run in (("first", first), ("second", second))
        }
        for connection in connections[first]:
            connection.cursor_factory = stop.cursors()
        pids = [connection.info.backend_pid for connection in connections[second]]
        try:
            before = stack.enter_context(in_background(lambda: first(world, connections[first])))
            wait_until(lambda: stop.reached.is_set() or before.done())
            assert stop.reached.is_set(), "the first run stops nowhere"
            after = stack.enter_context(in_background(lambda: unless_refused(world, second, connections[second])))
            wait_until(lambda: after.done() or waits(world.admin, pids))
        finally:
            stop.over.set()


def unless_refused(world: World, run: Run, connections: Sequence[Connection]) -> None:
    with suppress(*REFUSALS):
        run(world, connections)


def waits(admin: Connection, pids: list[int]) -> bool:
    """Return whether one of the sessions waits for a lock, or pauses since others have the advisory lock it needs."""
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE pid = ANY(%s) "
        "AND (cardinality(pg_blocking_pids(pid)) > 0 OR query LIKE '-- Sessions and prepared%%' "
        "AND state = 'idle' AND clock_timestamp() > state_change + interval '25 ms')"
    )
    return bool(one(admin, query, pids))


def traces(world: World) -> dict[str, int]:
    """Count what is left of the person in each table, view and file."""
    relations = every(
        world.admin,
        "SELECT nspname, relname FROM pg_class INNER JOIN pg_namespace ON pg_namespace.oid = relnamespace "
        "WHERE relkind IN ('r', 'm') AND nspname = ANY(%s)",
        ["chatbot", "ml_features", "analytics", "extracts", "yumai_pipelines"],
    )
    key = one(
        world.admin,
        "SELECT left(encode(public.hmac('1', %s, 'sha256'), 'hex'), 32)",
        PRIVACY.secret.get_secret_value(),
    )
    query = "SELECT count(*) FROM {} AS t WHERE to_jsonb(t)::text ~ {}"
    pattern = sql.Literal(f'of user 1|{key}|"user_id": "?1\\M')
    found = {
        f"{schema}.{name}": one(world.admin, sql.SQL(query).format(sql.Identifier(schema, name), pattern).as_string())
        for schema, name in relations
    }
    for path in world.directory.rglob("*.parquet"):
        found[path.name] = pq.read_table(path)["input_text"].to_pylist().count("of user 1")
    return {name: rows for name, rows in found.items() if rows}


def test_the_world_has_something_of_the_person_in_every_place(world: World) -> None:
    found = traces(world)
    assert {"extracts.recommendation_outcomes_2024_08", "chatbot.recent_conversations", "chatbot.users"} < found.keys()
    assert any(name.endswith(".parquet") for name in found)


@pytest.fixture(autouse=True)
def patient_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests stop runs in their transactions for longer than the server would let them."""
    monkeypatch.setattr(transactions, "STOPPING_WRITERS_IDLE", timedelta(minutes=1))


@pytest.mark.parametrize(("other", "part"), [(run, part) for run, parts in STOPS.items() for part in parts])
def test_a_run_under_way_brings_nobody_back_who_is_erased_meanwhile(world: World, other: Run, part: str) -> None:
    meet(world, other, part, erase)
    assert traces(world) == {}


@pytest.mark.parametrize("part", STOPS_OF_AN_ERASURE)
@pytest.mark.parametrize("other", STOPS)
def test_a_run_that_starts_during_an_erasure_brings_nobody_back(world: World, other: Run, part: str) -> None:
    meet(world, erase, part, other)
    assert traces(world) == {}


def test_a_build_whose_lock_is_gone_brings_nobody_back(world: World) -> None:
    """The session that holds the lock is ended while another one builds its share: the error about locks advises it."""
    stop = Stop("INSERT INTO extracts.ledger")
    with ExitStack() as stack:
        holder, builder, eraser = (stack.enter_context(connect(world.url, application_name="test")) for _ in range(3))
        builder.cursor_factory = stop.cursors()

        def share() -> None:
            with suppress(psycopg.Error):
                build(world, [holder, builder])

        try:
            stack.enter_context(in_background(share))
            wait_until(stop.reached.is_set)
            # Its share is done when it has taken out the notes of what has changed.
            done = "SELECT state = 'idle in transaction' AND query LIKE %s || '%%' FROM pg_stat_activity WHERE pid = %s"
            last = read_sql("extracts", "forget_built_changes.sql").splitlines()[1]
            wait_until(lambda: one(world.admin, done, f"%{last}", holder.info.backend_pid))
            one(world.admin, "SELECT pg_terminate_backend(%s)", holder.info.backend_pid)
            erasure = stack.enter_context(in_background(lambda: erase(world, [eraser])))
            wait_until(lambda: erasure.done() or waits(world.admin, [eraser.info.backend_pid]))
        finally:
            stop.over.set()
    assert traces(world) == {}


def test_a_partition_on_its_way_out_is_reached(world: World) -> None:
    """DETACH ... CONCURRENTLY waits for a reader and is given up: the parent hides the partition from then on."""
    world.admin.execute("DELETE FROM conversations WHERE conversation_time >= '2024-10-01'")
    world.admin.execute("DROP TABLE chatbot.conversations_default")
    with connect(world.url, application_name="test: archives") as owner:
        with psycopg.connect(world.url) as reader:
            one(reader, "SELECT count(*) FROM chatbot.conversations")
            archiving = archive_months(
                owner,
                [AUGUST],
                store=world.store,
                zone=SEOUL,
                policy=LockPolicy(timedelta(milliseconds=5), timedelta(milliseconds=50)),
                kept=6,
                as_of=AS_OF,
            )
            with pytest.raises(LockNotObtainedError):
                next(archiving)
        assert one(world.admin, "SELECT count(*) FROM pg_inherits WHERE inhdetachpending") == 1
        assert one(world.admin, "SELECT count(*) FROM chatbot.conversations_2024_08 WHERE user_id = 1") == 1

        erase(world, [owner])

        assert traces(world) == {}
        archive(world, [owner])
    assert traces(world) == {}


@pytest.mark.parametrize(("run", "step"), [(restore, "FOREIGN KEY"), (make_partition, "DETACH PARTITION")])
def test_copies_that_a_killed_run_has_left_are_reached(world: World, run: Run, step: str) -> None:
    stop = Stop(step)
    with ExitStack() as stack:
        killed, eraser = (stack.enter_context(connect(world.url, application_name="test")) for _ in range(2))
        killed.cursor_factory = stop.cursors()

        def until_killed() -> None:
            with suppress(psycopg.Error, EndedError):
                run(world, [killed])

        try:
            stack.enter_context(in_background(until_killed))
            wait_until(stop.reached.is_set)
            one(world.admin, "SELECT pg_terminate_backend(%s)", killed.info.backend_pid)
        finally:
            stop.over.set()
        assert any(name.startswith("yumai_pipelines.conversations") for name in traces(world))
        erase(world, [eraser])
    assert traces(world) == {}
