"""What is read on a real streaming replica, and what on the primary: when it is late, paused, gone, or another's."""

from __future__ import annotations

import json
import logging
import time
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import psycopg
import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from tests.extracts.dirt import plant
from tests.extracts.support import MONTHS, ZONE, build
from tests.graph import Graph, months
from tests.standby import standby_of
from tests.support import Connection, login, one, server_home, wait_until
from yumai_pipelines.cli import app
from yumai_pipelines.definitions import build_definitions
from yumai_pipelines.defs.resources import PostgresResource
from yumai_pipelines.extracts.reading import export, read_extract
from yumai_pipelines.health.examination import Patient, State, examine
from yumai_pipelines.health.traffic import TRAFFIC_EXAMINATIONS
from yumai_pipelines.integrity.scope import Scope
from yumai_pipelines.integrity.times import misplaced_times
from yumai_pipelines.local.server import LocalServer
from yumai_pipelines.model.registry import SESSIONS
from yumai_pipelines.postgres.connections import connect
from yumai_pipelines.postgres.replicas import Read, Reader, Replica, read
from yumai_pipelines.schema.tables import table_of
from yumai_pipelines.schema.upgrade import upgrade
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import dagster as dg

pytestmark = pytest.mark.xdist_group("a replica")

SHORT, LONG = timedelta(milliseconds=200), timedelta(seconds=60)


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    """A primary with the schema."""
    with server_home() as home:
        server = LocalServer(home)
        server.start()
        try:
            upgrade(server.url(), Settings())
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="module")
def follower(server: LocalServer) -> Iterator[LocalServer]:
    """A streaming replica of it."""
    with standby_of(server) as follower:
        yield follower


@pytest.fixture
def admin(server: LocalServer) -> Iterator[Connection]:
    """A superuser's connection to the primary, with a table of numbers."""
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("CREATE TABLE public.numbers (number integer)")
        yield connection
        connection.execute("DROP TABLE public.numbers")


@pytest.fixture
def standby(follower: LocalServer) -> Iterator[Connection]:
    """A superuser's connection to the replica, which replays again at the end."""
    with psycopg.connect(follower.url(), autocommit=True) as connection:
        yield connection
        # Not all settings: pg_basebackup has written there how to find the primary.
        for setting in ("recovery_min_apply_delay", "max_standby_streaming_delay"):
            connection.execute(f"ALTER SYSTEM RESET {setting}")
        connection.execute("SELECT pg_reload_conf(), pg_wal_replay_resume()")


def set_on(connection: Connection, setting: str) -> None:
    connection.execute(f"ALTER SYSTEM SET {setting}")
    connection.execute("SELECT pg_reload_conf()")
    # No function says when the process that replays has read it.
    time.sleep(0.3)


OPEN = partial(connect, application_name="test: replica", role=None, read_only=True)


def counted(reader: Reader) -> int:
    count: int = one(reader.connection, "SELECT count(*) FROM public.numbers")
    return count


def count(primary: str, replica: Replica) -> Read[int]:
    with OPEN(primary) as connection:
        return read(counted, connection, replica, OPEN)


def add(admin: Connection) -> None:
    admin.execute("INSERT INTO public.numbers VALUES (1)")


def test_a_replica_is_read_and_has_what_was_just_written(
    server: LocalServer, follower: LocalServer, admin: Connection
) -> None:
    replica = Replica(follower.url(), LONG)
    for wanted in range(1, 30):
        add(admin)
        found = count(server.url(), replica)
        assert found.value == wanted
        assert found.source.server == f"the replica 127.0.0.1:{follower.status().port}"
    # Nothing was written since: it is not behind, however long ago the last transaction was.
    idle = count(server.url(), replica)
    assert (idle.value, idle.source.behind, idle.source.waited) == (29, 0, timedelta(0))
    assert idle.source.metadata == {
        "read_from": str(idle.source.server),
        "replica_behind_bytes": 0,
        "replica_waited_seconds": 0.0,
    }


def test_a_commit_that_does_not_wait_for_the_disk_is_read_too(
    server: LocalServer, follower: LocalServer, admin: Connection
) -> None:
    set_on(admin, "wal_writer_delay = '10s'")
    try:
        with login(admin, server.url(), "SUPERUSER") as hasty:
            user = psycopg.conninfo.conninfo_to_dict(hasty)["user"]
            admin.execute(f"ALTER ROLE {user} SET synchronous_commit = off")
            with psycopg.connect(hasty, autocommit=True) as writer:
                for wanted in range(1, 6):
                    add(writer)
                    assert count(hasty, Replica(follower.url(), SHORT)).value == wanted
    finally:
        admin.execute("ALTER SYSTEM RESET ALL")
        admin.execute("SELECT pg_reload_conf()")


def test_a_paused_replica_is_read_only_while_it_has_everything(
    server: LocalServer, follower: LocalServer, admin: Connection, standby: Connection
) -> None:
    add(admin)
    count(server.url(), Replica(follower.url(), LONG))
    standby.execute("SELECT pg_wal_replay_pause()")
    wait_until(lambda: one(standby, "SELECT pg_get_wal_replay_pause_state()") == "paused")
    add(admin)
    found = count(server.url(), Replica(follower.url(), LONG))
    assert (found.value, found.source.behind) == (2, None)
    assert found.source.server == f"the primary 127.0.0.1:{server.status().port}"
    assert "was not read: its replay is paused, " in str(found.source)
    assert found.source.metadata["read_from"].startswith(found.source.server)


def test_a_late_replica_is_waited_for_as_long_as_the_setting_says(
    server: LocalServer, follower: LocalServer, admin: Connection, standby: Connection
) -> None:
    set_on(standby, "recovery_min_apply_delay = '1h'")
    for rows in range(1, 50):
        add(admin)
        replica = Replica(follower.url(), SHORT)
        late = count(server.url(), replica)
        assert late.value == rows
        if late.source.refusal is not None:
            break
    assert "bytes behind after 0.2 s (YUMAI_REPLICA_LAG_S)" in str(late.source.refusal)
    set_on(standby, "recovery_min_apply_delay = 0")
    again = Replica(follower.url(), LONG)
    assert count(server.url(), again).source.refusal is None
    # What was found out holds for a while, so that not each check of a run waits.
    assert count(server.url(), replica).source.refusal == late.source.refusal


def test_a_replica_that_is_gone_is_asked_once(server: LocalServer, admin: Connection) -> None:
    asked = []

    def dial(url: str) -> Connection:
        asked.append(url)
        return OPEN(url)

    replica = Replica("postgresql://nobody@127.0.0.1:1/yumai", LONG)
    add(admin)
    with OPEN(server.url()) as primary:
        for _ in range(3):
            found = read(counted, primary, replica, dial)
            assert found.value == 1
            assert "The replica (YUMAI_REPLICA_URL) was not read: connection" in str(found.source.refusal)
    assert len(asked) == 1


def test_another_server_or_database_is_not_read(
    server: LocalServer, follower: LocalServer, database: str, admin: Connection
) -> None:
    cases = [
        (server.url(), database, "it is no standby, but takes writes of its own"),
        (database, follower.url(), "it is a standby of another server than YUMAI_DATABASE_URL names"),
        (server.url(), follower.url("yumai_dagster"), "yumai_dagster is another database than yumai"),
        (follower.url(), follower.url(), "YUMAI_DATABASE_URL names a standby itself"),
    ]
    assert admin.info.dbname == "yumai"
    for primary, replica, said in cases:
        with OPEN(primary) as connection:
            found = read(lambda reader: reader.connection.info.port, connection, Replica(replica, LONG), OPEN)
            assert found.value == connection.info.port
        assert said in str(found.source.refusal)


def test_a_standby_of_a_promoted_copy_is_not_read(server: LocalServer) -> None:
    with standby_of(server) as copy, psycopg.connect(copy.url(), autocommit=True) as connection:
        connection.execute("SELECT pg_promote()")
        connection.execute("CHECKPOINT")
        with standby_of(copy) as stranger, OPEN(server.url()) as primary:
            found = read(lambda reader: reader.connection.info.port, primary, Replica(stranger.url(), LONG), OPEN)
            assert found.value == primary.info.port
            assert "it is on timeline 2, and the primary on 1" in str(found.source.refusal)


def test_a_conflict_with_recovery_is_answered_by_the_primary(
    server: LocalServer, follower: LocalServer, admin: Connection, standby: Connection
) -> None:
    set_on(standby, "max_standby_streaming_delay = 0")
    add(admin)
    servers = []

    def slowly(reader: Reader) -> int:
        servers.append(reader.connection.info.port)
        with reader.connection.transaction():
            reader.connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            before = counted(reader)
            if reader.connection is not reader.primary:
                admin.execute("DELETE FROM public.numbers")
                admin.execute("VACUUM public.numbers")
                add(admin)
                wait_until(lambda: one(standby, "SELECT confl_snapshot FROM pg_stat_database_conflicts "
                                       "WHERE datname = current_database()"))  # fmt: skip
            return before + counted(reader)

    with OPEN(server.url()) as primary:
        found = read(slowly, primary, Replica(follower.url(), LONG), OPEN)
    assert found.value == 2
    assert servers == [follower.status().port, server.status().port]
    assert "it ended the reading: " in str(found.source.refusal)
    assert "conflict with recovery" in str(found.source.refusal)


def test_a_replica_that_ends_the_connection_is_answered_by_the_primary(
    server: LocalServer, follower: LocalServer, admin: Connection, standby: Connection
) -> None:
    def ended(reader: Reader) -> int:
        if reader.connection is not reader.primary:
            standby.execute("SELECT pg_terminate_backend(%s)", (reader.connection.info.backend_pid,))
        return counted(reader)

    add(admin)
    with OPEN(server.url()) as primary:
        found = read(ended, primary, Replica(follower.url(), LONG), OPEN)
    assert (found.value, found.source.behind) == (1, None)


def test_what_is_wrong_with_a_reading_is_no_fault_of_the_replica(
    server: LocalServer, follower: LocalServer, admin: Connection
) -> None:
    def add_here(reader: Reader) -> None:
        add(reader.connection)

    with OPEN(server.url()) as primary, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        read(add_here, primary, Replica(follower.url(), LONG), OPEN)
    assert one(admin, "SELECT count(*) FROM public.numbers") == 0


def test_times_are_compared_with_the_clock_of_the_server_that_writes(database: str, connection: Connection) -> None:
    """A function in front of PostgreSQL's own has a clock that is an hour behind, as that of another server may be."""
    connection.execute("INSERT INTO chatbot.users (external_user_id) VALUES ('somebody')")
    connection.execute("SELECT chatbot.start_session((SELECT min(id) FROM chatbot.users))")
    connection.execute("CREATE SCHEMA late")
    connection.execute(
        "CREATE FUNCTION late.clock_timestamp() RETURNS timestamptz LANGUAGE sql "
        "AS $$ SELECT pg_catalog.clock_timestamp() - interval '1 hour' $$"
    )
    scope = Scope(table_of(SESSIONS), (), whole=True, zone=ZONE)
    with OPEN(database) as read_there, OPEN(database) as writes:
        assert misplaced_times(read_there, scope, clock=writes)[None].count == 0
        read_there.execute("SET search_path = late, pg_catalog")
        assert misplaced_times(read_there, scope, clock=writes)[None].count == 0
        assert misplaced_times(read_there, scope)[None].count == 1


def graph_on(server: LocalServer, replica: str, instance: dg.DagsterInstance) -> Graph:
    return Graph(build_definitions({"postgres": PostgresResource(url=server.url(), replica_url=replica)}), instance)


@pytest.fixture(scope="module")
def filled(server: LocalServer) -> LocalServer:
    """The primary with dirty logs."""
    with psycopg.connect(server.url(), autocommit=True) as connection:
        plant(connection, MONTHS, ZONE, rows=40, seed=3)
    return server


def read_from(run_evaluations: dict[str | None, dg.AssetCheckEvaluation]) -> set[str]:
    return {str(each.metadata["read_from"].value) for each in run_evaluations.values()}


def test_a_run_builds_on_the_primary_and_checks_on_the_replica(
    filled: LocalServer,
    follower: LocalServer,
    standby: Connection,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("YUMAI_REPLICA_LAG_S", "60")
    there, here = (f"127.0.0.1:{each.status().port}" for each in (follower, filled))
    graph = graph_on(filled, follower.url(), instance)
    run = graph.run("monthly_extracts", months("2024-12"))
    assert run.success, run.errors()
    for check in ("reconciled", "valid_rows", "like_the_months_before", "of_the_logs_as_they_are"):
        evaluations = run.evaluations("extracts", "recommendation_funnel", check)
        assert evaluations
        assert all(each.passed for each in evaluations.values())
        assert read_from(evaluations) == {f"the replica {there}"}
    report = run.materialized("extracts", "monthly_report")
    assert {each["read_from"] for each in report.values()} == {f"the replica {there}"}
    with psycopg.connect(filled.url()) as connection:
        assert one(connection, "SELECT bool_and(checks_passed) FROM extracts.ledger")

    checks = graph.check_everything()
    where = {
        f"{each.asset_key.to_user_string()}:{each.check_name}": each.metadata.get("read_from")
        for each in checks.outcome.get_asset_check_evaluations()
    }
    on_primary = {"schema:clocks_agree", "chatbot/archived_conversations:files_hold_what_was_archived"}
    assert {name for name, value in where.items() if value is None} == on_primary
    assert {str(value.value) for value in where.values() if value} == {f"the replica {there}"}

    # A replica that stands still makes no check pass: what was written since is found, on the primary.
    standby.execute("SELECT pg_wal_replay_pause()")
    wait_until(lambda: one(standby, "SELECT pg_get_wal_replay_pause_state()") == "paused")
    with psycopg.connect(filled.url(), autocommit=True) as connection:
        connection.execute(
            "UPDATE extracts.recommendation_funnel SET feedback_count = feedback_count + 1 WHERE month = %s",
            ("2024-12-01",),
        )
    run = graph.check("extracts", "recommendation_funnel", "reconciled", tags=months("2024-12"))
    (evaluation,) = run.evaluations("extracts", "recommendation_funnel", "reconciled").values()
    assert not evaluation.passed
    assert str(evaluation.metadata["read_from"].value).startswith(f"the primary {here}. The replica")


def test_extracts_are_read_and_exported_there(
    filled: LocalServer,
    follower: LocalServer,
    standby: Connection,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with (
        psycopg.connect(filled.url(), autocommit=True) as connection,
        login(connection, filled.url(), "IN ROLE yumai_analyst") as analyst,
    ):
        build(connection)
        monkeypatch.setenv("YUMAI_DATABASE_URL", analyst)
        monkeypatch.setenv(
            "YUMAI_REPLICA_URL", analyst.replace(f":{filled.status().port}/", f":{follower.status().port}/")
        )
        monkeypatch.setenv("YUMAI_REPLICA_LAG_S", "60")
        frame = read_extract("shop_performance")
        assert frame.attrs["read_from"] == f"the replica 127.0.0.1:{follower.status().port}"
        outcome = CliRunner().invoke(app, ["export", "shop_performance", str(tmp_path / "there.csv")])
        assert outcome.exit_code == 0, outcome.output
        assert not caplog.records

        standby.execute("SELECT pg_wal_replay_pause()")
        wait_until(lambda: one(standby, "SELECT pg_get_wal_replay_pause_state()") == "paused")
        connection.execute("CREATE TABLE public.later (number integer)")
        connection.execute("DROP TABLE public.later")
        with caplog.at_level(logging.WARNING):
            assert export("shop_performance", tmp_path / "here.csv") == len(frame)
        assert "was not read: its replay is paused" in caplog.text
        assert (tmp_path / "here.csv").read_bytes() == (tmp_path / "there.csv").read_bytes()
        assert read_extract("shop_performance").attrs["read_from"].startswith("the primary")
        # A server that is named is read, and no other.
        assert read_extract("shop_performance", url=analyst).attrs["read_from"].startswith("the primary")


def test_doctor_and_status_know_the_replica(
    server: LocalServer, follower: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def examined(replica: str | None) -> tuple[State, str]:
        settings = Settings(replica_url=SecretStr(replica) if replica else None, replica_lag_s=60)
        with OPEN(server.url()) as connection:
            chosen = [each for each in TRAFFIC_EXAMINATIONS if each.name == "replica"]
            (result,) = examine(chosen, Patient(connection, settings))
        return result.outcome.state, result.outcome.seen + "".join(each.what for each in result.outcome.complaints)

    there = f"127.0.0.1:{follower.status().port}"
    assert examined(None) == (State.HEALTHY, "none in YUMAI_REPLICA_URL")
    assert examined(follower.url()) == (
        State.HEALTHY,
        f"Read from the replica {there}.",
    )
    assert examined(server.url()) == (
        State.SICK,
        "not readThe replica of YUMAI_REPLICA_URL is not read: it is no standby, but takes writes of its own.",
    )
    monkeypatch.setenv("YUMAI_DATABASE_URL", server.url())
    monkeypatch.setenv("YUMAI_REPLICA_URL", follower.url())
    monkeypatch.setenv("YUMAI_REPLICA_LAG_S", "60")
    told = json.loads(CliRunner().invoke(app, ["status", "--json"]).output)
    assert f"replica {there}, " in told["replica"]
    monkeypatch.setenv("YUMAI_REPLICA_URL", server.url())
    assert "not read: it is no standby" in CliRunner().invoke(app, ["status"]).output
