from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import psycopg
import pytest

from tests.support import one
from yumai_pipelines.definitions import defs
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
