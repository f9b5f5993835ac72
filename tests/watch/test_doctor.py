"""`yumai doctor` on a healthy database, and on one in which each sickness was planted."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families
from psycopg import sql
from typer.testing import CliRunner

from tests.processes import Finished, finished
from tests.support import Connection, every, present_month, server_home, wait_until
from yumai_pipelines.cli import app
from yumai_pipelines.definitions import defs
from yumai_pipelines.defs.watch.examinations import DAGSTER_EXAMINATIONS, Subject
from yumai_pipelines.defs.watch.trouble import View
from yumai_pipelines.health.examination import Limits, Patient, Result, State, examine
from yumai_pipelines.health.registry import DATABASE_EXAMINATIONS
from yumai_pipelines.postgres.connections import connect
from yumai_pipelines.settings import Settings

YUMAI = Path(sys.executable).with_name("yumai")


def yumai(*arguments: str, **environment: str) -> Finished:
    return finished([str(YUMAI), *arguments], env=os.environ | environment)


@pytest.fixture
def months(database: str, connection: Connection, monkeypatch: pytest.MonkeyPatch) -> Connection:
    """A database with its months, which the environment names."""
    monkeypatch.setenv("YUMAI_DATABASE_URL", database)
    monkeypatch.setenv("YUMAI_FIRST_MONTH", present_month().key)
    assert CliRunner().invoke(app, ["up"]).exit_code == 0
    return connection


USUAL = Limits()


def examined(url: str, name: str, limits: Limits = USUAL) -> Result:
    """Make one examination of a database."""
    chosen = [each for each in DATABASE_EXAMINATIONS if each.name == name]
    with connect(url, application_name="test: doctor", role=None, read_only=True) as connection:
        (result,) = examine(chosen, Patient(connection, Settings(), limits))
    return result


def complaints(result: Result) -> str:
    return "\n".join(f"{each.state}: {each.what} {each.remedy}" for each in result.outcome.complaints)


def test_a_healthy_database_is_quiet() -> None:
    """A server of its own, since the server of the tests has fsync switched off."""
    with server_home() as home:
        own = {
            "YUMAI_HOME": str(home),
            "YUMAI_FIRST_MONTH": present_month().key,
            "YUMAI_ALERT_URLS": "json://127.0.0.1:1",
            "YUMAI_UI_URL": "http://ui",
        }
        assert yumai("up", **own).returncode == 0
        try:
            doctor = yumai("doctor", "--json", "--metrics", str(home / "yumai.prom"), **own)
            told = json.loads(doctor.stdout)
            assert (doctor.returncode, told["healthy"]) == (0, True), doctor.stdout
            assert [
                (each["name"], each["complaints"][0]["what"]) for each in told["examinations"] if each["complaints"]
            ] == [
                ("wal_archive", "WAL is not archived, so nothing can be restored between two backups."),
                ("daemon", "Dagster has never run on this database: no schedule ticks."),
            ]
            text = (home / "yumai.prom").read_text(encoding="utf-8")
            numbers = {each.name: each for each in text_string_to_metric_families(text)}
            assert numbers["yumai_months_ahead"].samples[0].value == 3
            assert {each.labels["examination"] for each in numbers["yumai_examination_state"].samples} == {
                each["name"] for each in told["examinations"]
            }
        finally:
            yumai("down", YUMAI_HOME=str(home))
        down = yumai("doctor", **own)
        assert (down.returncode, "is down. Start it with" in down.stdout) == (1, True)


SICKNESSES = {
    "extensions": ("DROP EXTENSION btree_gin CASCADE", "sick: The extension btree_gin is missing.", "CREATE EXTENSION"),
    "creators": (
        "GRANT CREATE ON SCHEMA chatbot TO PUBLIC",
        "advice: PUBLIC may create objects in the schema chatbot",
        "REVOKE CREATE ON SCHEMA chatbot FROM PUBLIC;",
    ),
    "time_zone": (
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET timezone', current_database()); END $$",
        "advice: New connections to the database get the time zone of the server",
        "Run `yumai up`",
    ),
    "partitions": (
        "DO $$ BEGIN EXECUTE format('DROP TABLE chatbot.conversations_%s', to_char(now() AT TIME ZONE 'Asia/Seoul', "
        "'YYYY_MM')); END $$",
        "have no partition: their rows go to the default partition.",
        "monthly_partitions_schedule",
    ),
    "indexes": (
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'chatbot.idx_session_master_user'::regclass",
        "sick: The index chatbot.idx_session_master_user is invalid",
        "REINDEX INDEX CONCURRENTLY chatbot.idx_session_master_user;",
    ),
    "bloat": (
        "ALTER TABLE chatbot.shops SET (autovacuum_enabled = off)",
        "sick: Autovacuum is switched off for chatbot.shops.",
        "ALTER TABLE chatbot.shops RESET (autovacuum_enabled);",
    ),
    "ledger": (
        "INSERT INTO yumai_pipelines.archives (month, state, partition, uri, row_count, checksum, bytes, detached_at, "
        "archived_at) VALUES ('2025-01-01', 'archived', 'chatbot.conversations_2025_01', '/nowhere/a.parquet', 1, 'a', "
        "1, now(), now())",
        "sick: 2025-01: /nowhere/a.parquet is not there.",
        "Bring the file back from a copy.",
    ),
    "schema": (
        "UPDATE yumai_pipelines.alembic_version SET version_num = '0001'",
        "sick: The schema is at revision 0001",
        "`yumai up` brings it.",
    ),
}


def test_each_sickness_is_named_with_its_remedy(months: Connection, database: str) -> None:
    for name, (plant, what, remedy) in SICKNESSES.items():
        before = complaints(examined(database, name))
        assert what not in before, name
        months.execute(plant.encode())
        after = complaints(examined(database, name))
        assert what in after, name
        assert remedy in after, name


def test_a_sick_database_on_the_command_line(months: Connection) -> None:
    for name in ("bloat", "indexes", "creators"):
        months.execute(SICKNESSES[name][0].encode())
    doctor = CliRunner().invoke(app, ["doctor"])
    assert doctor.exit_code == 1
    assert "bloat: Autovacuum is switched off for chatbot.shops.\n    What to do: ALTER TABLE" in doctor.output
    assert " sick.\n" in doctor.output


def test_settings_that_put_data_at_risk(database: str, connection: Connection) -> None:
    """The server of the tests has fsync off; that of others may not."""
    (fsync,) = every(connection, "SHOW fsync")
    told = complaints(examined(database, "settings"))
    assert ("fsync is off" in told) == (fsync == ("off",))
    assert "Statements are logged" not in told
    name = sql.Identifier(connection.info.dbname)
    for setting in ("log_min_duration_statement = 0", "log_parameter_max_length = 10"):
        connection.execute(sql.SQL("ALTER DATABASE {} SET {}").format(name, sql.SQL(setting)))
    assert "Statements are logged with their parameters" in complaints(examined(database, "settings"))


def test_roles_with_too_many_rights(database: str, connection: Connection) -> None:
    connection.execute("ALTER ROLE yumai_analyst LOGIN")
    try:
        assert "ALTER ROLE yumai_analyst NOLOGIN" in complaints(examined(database, "roles"))
    finally:
        connection.execute("ALTER ROLE yumai_analyst NOLOGIN")
    assert complaints(examined(database, "roles")) == ""


def test_dead_rows_that_nothing_cleans_up(database: str, connection: Connection) -> None:
    connection.execute("ALTER TABLE chatbot.users SET (autovacuum_enabled = false)")
    connection.execute("INSERT INTO chatbot.users (external_user_id) SELECT n::text FROM generate_series(1, 500) AS n")
    connection.execute("DELETE FROM chatbot.users")
    connection.execute("SELECT pg_stat_force_next_flush()")
    limits = Limits(dead_rows=100)
    wait_until(lambda: "500 of 500 rows of chatbot.users" in complaints(examined(database, "bloat", limits)))
    assert "VACUUM (VERBOSE, ANALYZE) chatbot.users;" in complaints(examined(database, "bloat", limits))
    assert "rows of chatbot.users" not in complaints(examined(database, "bloat"))


def test_transactions_that_are_forgotten(database: str) -> None:
    limits = Limits(transaction=timedelta(0))
    assert complaints(examined(database, "transactions", limits)) == ""
    with psycopg.connect(database, application_name="forgotten") as forgotten:
        forgotten.execute("SELECT 1")
        told = complaints(examined(database, "transactions", limits))
        assert "idle in transaction, forgotten" in told
        assert f"SELECT pg_terminate_backend({forgotten.info.backend_pid});" in told
        assert complaints(examined(database, "transactions")) == ""


def test_limits_of_what_cannot_be_planted(database: str) -> None:
    """Billions of transactions, full disks and other clocks: here the limits come to the measures."""
    assert complaints(examined(database, "age")) == ""
    assert "sick: The oldest row of the database" in complaints(examined(database, "age", Limits(freeze_factor=-1)))
    assert complaints(examined(database, "disk", Limits(disk_free=0, disk_free_share=0))) == ""
    assert "sick: Only " in complaints(examined(database, "disk", Limits(disk_free=1 << 60)))
    assert "advice: " in complaints(examined(database, "disk", Limits(disk_free=0, disk_free_share=1)))
    assert "NTP" in complaints(examined(database, "clocks", Limits(clocks=timedelta(seconds=-1))))
    assert "connections are used" in complaints(examined(database, "connections", Limits(connections_share=0)))


def test_a_slot_that_nobody_uses(database: str, connection: Connection) -> None:
    connection.execute("SELECT pg_create_physical_replication_slot('yumai_test_left', true)")
    try:
        assert "advice: Nobody uses the slot yumai_test_left." in complaints(examined(database, "replication"))
        told = complaints(examined(database, "replication", Limits(retained_wal=-1)))
        assert "sick: The slot yumai_test_left keeps " in told
        assert "pg_drop_replication_slot('yumai_test_left')" in told
    finally:
        connection.execute("SELECT pg_drop_replication_slot('yumai_test_left')")


def test_an_examination_that_cannot_be_made_is_a_complaint_and_the_others_go_on(
    database: str, connection: Connection
) -> None:
    connection.execute("DROP TABLE yumai_pipelines.archives CASCADE")
    with connect(database, application_name="test", role=None) as owner:
        results = {each.name: each for each in examine(DATABASE_EXAMINATIONS, Patient(owner, Settings()))}
    assert results["disk"].outcome.seen != "could not look"
    assert set(results) == {each.name for each in DATABASE_EXAMINATIONS}


def test_dagster_is_examined(history: dg.DagsterInstance, database: str) -> None:
    view = View(history, defs.get_repository_def(), datetime.now(UTC))
    with connect(database, application_name="test", role=None, read_only=True) as connection:
        subject = Subject(view, Patient(connection, Settings()))
        results = {each.name: each for each in examine(DAGSTER_EXAMINATIONS, subject)}
        history.report_runless_asset_event(
            dg.AssetMaterialization(dg.AssetKey(["chatbot", "conversations"]), partition="2025-01-01")
        )
        lost = {each.name: each for each in examine(DAGSTER_EXAMINATIONS, subject)}["history"]
    assert "2025-01: Dagster takes it for made, and it has no partition. Launch monthly_partitions" in complaints(lost)
    assert results["daemon"].outcome.state is State.SICK
    assert "dagster-daemon does not work (SCHEDULER, SENSOR," in complaints(results["daemon"])
    others = [each.outcome.state for name, each in results.items() if name != "daemon"]
    assert others == [State.HEALTHY] * len(others)
