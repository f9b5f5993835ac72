"""A history of more than 100,000 events is shortened, and Dagster's UI and schedules read the same as before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg
import psycopg
import pytest
from dagster_postgres.storage import DagsterPostgresStorage
from psycopg import sql

from tests.support import Connection, every, one
from yumai_pipelines.dagster_storage import sqlalchemy_url
from yumai_pipelines.defs.months import accepting
from yumai_pipelines.records.prune import TABLES, RecordsError, prune
from yumai_pipelines.runs import open_instance
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Databases

YEAR = timedelta(days=365)
MONTHS = dg.StaticPartitionsDefinition(["2024-08-01", "2024-09-01", "2024-10-01"])
CHECK = dg.AssetCheckKey(dg.AssetKey("table"), "rows_are_there")

# A run of the asset below, with its events, evaluations and tags, many times over, each an hour older than the last.
MANY = """
    SET search_path = public;
    CREATE TEMP TABLE one_run AS SELECT * FROM runs ORDER BY id DESC LIMIT 1;
    INSERT INTO runs (run_id, snapshot_id, pipeline_name, status, run_body, create_timestamp, update_timestamp)
    SELECT 'old ' || n, r.snapshot_id, r.pipeline_name, r.status, replace(r.run_body, r.run_id, 'old ' || n),
        r.create_timestamp - n * interval '1 hour', r.update_timestamp - n * interval '1 hour'
    FROM one_run AS r, generate_series(1, %(runs)s) AS n;
    INSERT INTO event_logs (run_id, event, dagster_event_type, timestamp, step_key, asset_key, partition)
    SELECT 'old ' || n, e.event, e.dagster_event_type, e.timestamp - n * interval '1 hour', e.step_key, e.asset_key,
        e.partition
    FROM event_logs AS e JOIN one_run AS r ON e.run_id = r.run_id, generate_series(1, %(runs)s) AS n;
    INSERT INTO run_tags (run_id, key, value)
    SELECT 'old ' || n, t.key, t.value
    FROM run_tags AS t JOIN one_run AS r ON t.run_id = r.run_id, generate_series(1, %(runs)s) AS n;
    INSERT INTO asset_check_executions (asset_key, check_name, partition, run_id, execution_status, evaluation_event,
        evaluation_event_timestamp, evaluation_event_storage_id, create_timestamp)
    SELECT c.asset_key, c.check_name, c.partition, 'old ' || n, c.execution_status, c.evaluation_event,
        c.evaluation_event_timestamp - n * interval '1 hour',
        (SELECT max(e.id) FROM event_logs AS e WHERE e.run_id = 'old ' || n),
        c.create_timestamp - n * interval '1 hour'
    FROM asset_check_executions AS c JOIN one_run AS r ON c.run_id = r.run_id, generate_series(1, %(runs)s) AS n;
"""


with accepting(dg.BetaWarning):
    monthly = dg.asset(partitions_def=MONTHS, backfill_policy=dg.BackfillPolicy.single_run())


@monthly
def table() -> None:
    """A table of three months."""


@dg.asset_check(asset=table)
def rows_are_there() -> dg.AssetCheckResult:
    """It passes."""
    return dg.AssetCheckResult(passed=True)


JOB = dg.Definitions(assets=[table], asset_checks=[rows_are_there]).resolve_implicit_global_asset_job_def()
ALL_MONTHS = {
    "dagster/asset_partition_range_start": "2024-08-01",
    "dagster/asset_partition_range_end": "2024-10-01",
}


@pytest.fixture
def history(
    database: str, databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[dg.DagsterInstance, Connection]]:
    """Dagster's instance, and a connection to its database."""
    monkeypatch.setenv("YUMAI_DATABASE_URL", database)
    with databases.create() as name:
        url = databases.url(name)
        monkeypatch.setenv("YUMAI_DAGSTER_URL", url)
        DagsterPostgresStorage(sqlalchemy_url(url))
        with open_instance(Settings().home) as instance, psycopg.connect(url, autocommit=True) as connection:
            yield instance, connection


def what_is_read(instance: dg.DagsterInstance) -> dict[str, Any]:
    """What Dagster's UI and schedules read of the asset and its check."""
    storage = instance.event_log_storage
    latest = instance.get_latest_materialization_event(dg.AssetKey("table"))
    check = storage.get_asset_check_summary_records([CHECK])[CHECK].last_completed_check_execution_record
    return {
        "months": instance.get_materialized_partitions(dg.AssetKey("table")),
        "newest": latest and latest.run_id,
        "ids": storage.get_latest_storage_id_by_partition(
            dg.AssetKey("table"), dg.DagsterEventType.ASSET_MATERIALIZATION
        ),
        "check": (check and check.run_id, check and check.status),
        "months of the check": sorted(map(str, storage.get_asset_check_partition_info([CHECK]))),
        "run": instance.get_run_records(limit=1)[0].dagster_run.run_id,
    }


def sizes(connection: Connection) -> dict[str, int]:
    count = sql.SQL("SELECT count(*) FROM public.{}")
    return {name: one(connection, count.format(sql.Identifier(name)).as_string()) for name in TABLES}


def test_a_long_history_is_shortened_and_what_is_read_stays(
    history: tuple[dg.DagsterInstance, Connection],
) -> None:
    instance, connection = history
    assert JOB.execute_in_process(instance=instance, tags=ALL_MONTHS).success
    events = one(connection, "SELECT count(*) FROM event_logs")
    connection.execute("SET timezone = 'Asia/Seoul'")
    runs = 100_000 // events + 1
    connection.execute((MANY % {"runs": runs}).encode())
    # The run that was made is the oldest now: the latest of each month is the newest by its number.
    connection.execute("UPDATE event_logs SET timestamp = timestamp - interval '9 years'")
    connection.execute("UPDATE runs SET update_timestamp = update_timestamp - interval '9 years'")
    connection.execute("UPDATE asset_check_executions SET create_timestamp = create_timestamp - interval '9 years'")
    before, read = sizes(connection), what_is_read(instance)
    assert before["event_logs"] > 100_000

    now = datetime.now(UTC)
    would = prune(connection, now - YEAR, dry_run=True)
    assert sizes(connection) == before
    pruned = prune(connection, now - YEAR)
    after = sizes(connection)

    assert (would.events, would.checks, would.runs) == (pruned.events, pruned.checks, pruned.runs)
    assert before["event_logs"] - after["event_logs"] == pruned.events > 100_000 * 0.99
    assert before["runs"] - after["runs"] == pruned.runs == len(pruned.removed)
    assert after["runs"] <= 2
    assert after["event_logs"] < 3 * events
    assert after["asset_check_executions"] == 1
    assert one(connection, "SELECT count(*) FROM run_tags WHERE run_id NOT IN (SELECT run_id FROM runs)") == 0
    assert what_is_read(instance) == read
    assert prune(connection, now - YEAR).events == 0


def test_what_is_young_or_goes_on_stays_whole(history: tuple[dg.DagsterInstance, Connection]) -> None:
    instance, connection = history
    assert JOB.execute_in_process(instance=instance, tags=ALL_MONTHS).success
    assert prune(connection, datetime.now(UTC) - YEAR) == prune(connection, datetime.now(UTC) - YEAR, dry_run=True)
    connection.execute("UPDATE event_logs SET timestamp = timestamp - interval '9 years'")
    connection.execute("UPDATE runs SET update_timestamp = update_timestamp - interval '9 years', status = 'STARTED'")
    events = every(connection, "SELECT id FROM event_logs ORDER BY id")
    assert prune(connection, datetime.now(UTC) - YEAR).events == 0
    assert every(connection, "SELECT id FROM event_logs ORDER BY id") == events


def test_a_storage_of_another_version_is_left_alone(connection: Connection) -> None:
    with pytest.raises(RecordsError, match="event_logs"):
        prune(connection, datetime.now(UTC))
