"""The sensors and the retries as dagster-daemon runs them: by its own code, with their cursors in Dagster's storage."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg
import pytest
from dagster._core.events import JobFailureData, RunFailureReason
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget
from dagster._daemon.auto_run_reexecution.event_log_consumer import EventLogConsumerDaemon
from dagster._daemon.sensor import execute_sensor_iteration

from tests.watch.test_alerts import run
from yumai_pipelines import dagster_storage
from yumai_pipelines.definitions import defs
from yumai_pipelines.defs.watch.sensors import SENSORS
from yumai_pipelines.defs.watch.telling import Memory

if TYPE_CHECKING:
    from tests.watch.listener import Listener


def loaded(history: dg.DagsterInstance) -> WorkspaceProcessContext:
    """What the daemon has loaded."""
    target = LoadableTargetOrigin(executable_path=sys.executable, module_name="yumai_pipelines.definitions")
    origin = InProcessCodeLocationOrigin(target, location_name="yumai_pipelines")
    return WorkspaceProcessContext(history, InProcessWorkspaceLoadTarget([origin]))


@pytest.mark.filterwarnings("ignore:Property `ScheduleDefinition.environment_vars`:DeprecationWarning")
def test_the_daemon_tells_of_a_failed_run_once(history: dg.DagsterInstance, listener: Listener) -> None:
    run(history, "daily_upkeep", fails=True)
    logger = logging.getLogger("test: daemon")
    with loaded(history) as workspace:
        for _ in range(2):
            assert [error for error in execute_sensor_iteration(workspace, logger, None, None) if error] == []
    heard = [each["title"] for each in listener.heard()]
    assert heard.count("YUMAI: A run of daily_upkeep failed.") == 1
    states = {each.instigator_name: each for each in history.all_instigator_state()}
    assert {each.name for each in SENSORS} <= states.keys()
    memory = Memory.read(states["alerts"].instigator_data.cursor)  # type: ignore[union-attr]
    assert list(memory.told) == ["failed_run: daily_upkeep"]
    assert {each.name for each in defs.sensors or ()} == {each.name for each in SENSORS}


def failed(history: dg.DagsterInstance, at: datetime) -> tuple[dg.DagsterRun, dg.EventLogEntry]:
    """A run, and the event of its failure."""
    run = history.create_run_for_job(defs.resolve_job_def("daily_upkeep"))
    data = JobFailureData(error=None, failure_reason=RunFailureReason.RUN_EXCEPTION)
    event = dg.DagsterEvent("PIPELINE_FAILURE", run.job_name, event_specific_data=data)
    return run, dg.EventLogEntry(None, "INFO", "", run.run_id, at.timestamp(), None, run.job_name, event)  # type: ignore[no-untyped-call]


@pytest.mark.filterwarnings("ignore:Property `ScheduleDefinition.environment_vars`:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated:DeprecationWarning")
def test_a_failure_is_not_overlooked_while_its_run_does_not_say_so_yet(
    history: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dagster stores an event, and then notes it in the run. The daemon may look in between, and never looks again."""
    now = datetime.now(UTC)
    made, failure = failed(history, now)
    daemon = EventLogConsumerDaemon()
    with loaded(history) as workspace:
        list(daemon.run_iteration(workspace))
        history.event_log_storage.store_event(failure)
        list(daemon.run_iteration(workspace))
        history.run_storage.handle_run_event(made.run_id, failure.get_dagster_event(), now)
        monkeypatch.setattr(dagster_storage, "SETTLED_AFTER_S", 0.0)
        list(daemon.run_iteration(workspace))
    # It has no code location from which it could be started again.
    assert [each.message for each in history.all_logs(made.run_id) if "unable to retry the run" in each.message]


def test_a_host_whose_clock_is_ahead_does_not_hold_up_the_others(history: dg.DagsterInstance) -> None:
    storage = history.event_log_storage
    for at in (datetime.now(UTC) + timedelta(days=1), datetime.now(UTC) - timedelta(hours=1)):
        storage.store_event(failed(history, at)[1])
    assert len(storage.get_logs_for_all_runs_by_log_id(dagster_event_type=dg.DagsterEventType.RUN_FAILURE)) == 2
