from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import psycopg
import pytest

from tests.support import one
from yumai_pipelines.definitions import defs
from yumai_pipelines.defs.months import accepting
from yumai_pipelines.defs.schedules import JOBS, QUEUE_TAG

if TYPE_CHECKING:
    from collections.abc import Iterator

INSTANCE_FILE = Path(__file__).parents[1] / "dagster.yaml"


@pytest.fixture
def instance(empty_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """The instance of dagster.yaml, on an empty database."""
    monkeypatch.setenv("YUMAI_DAGSTER_URL", empty_database)
    (tmp_path / "dagster.yaml").write_bytes(INSTANCE_FILE.read_bytes())
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        yield instance


def test_runs_and_events_are_kept_in_the_database(instance: dg.DagsterInstance, empty_database: str) -> None:
    @dg.asset
    def planted() -> dg.MaterializeResult[None]:
        return dg.MaterializeResult(metadata={"rows": 7})

    assert dg.materialize([planted], instance=instance).success

    event = instance.get_latest_materialization_event(dg.AssetKey("planted"))
    assert event is not None
    assert event.asset_materialization is not None
    assert event.asset_materialization.metadata["rows"].value == 7
    with psycopg.connect(empty_database) as connection:
        assert one(connection, "SELECT status FROM runs") == "SUCCESS"


def test_events_share_a_connection(instance: dg.DagsterInstance, empty_database: str) -> None:
    """dagster-postgres itself opens a connection for each event, which is half of the time of a run of many months."""
    with psycopg.connect(empty_database, autocommit=True) as connection:
        sessions = "SELECT sessions FROM pg_stat_database WHERE datname = current_database()"
        before = one(connection, sessions)
        for number in range(100):
            instance.report_runless_asset_event(dg.AssetObservation("talkative", metadata={"number": number}))
        assert one(connection, "SELECT count(*) FROM event_logs") == 100
        assert one(connection, sessions) - before < 20


def test_a_check_of_a_whole_table_is_evaluated_once_in_a_run_of_many_months(instance: dg.DagsterInstance) -> None:
    """Dagster itself plans it for each month, and shows each of them as skipped beside the one that passed."""
    months = dg.MonthlyPartitionsDefinition("2024-08-01", end_date="2026-08-01")

    with accepting(dg.BetaWarning):

        @dg.asset(partitions_def=months, backfill_policy=dg.BackfillPolicy.single_run())
        def built() -> None: ...

    @dg.asset_check(asset=built)
    def whole() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=True)

    range_of = {"dagster/asset_partition_range_start": "2024-08-01", "dagster/asset_partition_range_end": "2026-07-01"}
    graph = dg.Definitions([built], asset_checks=[whole], jobs=[dg.define_asset_job("both", [built])])
    run = graph.resolve_job_def("both").execute_in_process(instance=instance, tags=range_of)

    assert run.success
    planned = [event.dagster_event_type for event in instance.all_logs(run.run_id)]
    assert planned.count(dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED) == 1
    (shown,) = instance.event_log_storage.get_asset_check_execution_history(
        dg.AssetCheckKey(dg.AssetKey("built"), "whole"), limit=100
    )
    assert (shown.partition, shown.status.value) == (None, "SUCCEEDED")


def test_scheduled_runs_that_would_wait_for_each_other_are_started_one_after_the_other(
    instance: dg.DagsterInstance,
) -> None:
    queues = {job.name: defs.resolve_job_def(job.name).tags.get(QUEUE_TAG) for job in JOBS}
    assert {name for name, queue in queues.items() if queue == "extracts"} == {"monthly_extracts", "monthly_retention"}
    config = instance.get_concurrency_config().run_queue_config
    assert config is not None
    assert config.tag_concurrency_limits == [
        {"key": QUEUE_TAG, "value": {"applyLimitPerUniqueValue": True}, "limit": 1}
    ]
