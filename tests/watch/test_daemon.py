"""The sensors as dagster-daemon runs them: by its own code, with their cursors in Dagster's storage."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

import pytest
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget
from dagster._daemon.sensor import execute_sensor_iteration

from tests.watch.test_alerts import run
from yumai_pipelines.definitions import defs
from yumai_pipelines.defs.watch.sensors import SENSORS
from yumai_pipelines.defs.watch.telling import Memory

if TYPE_CHECKING:
    import dagster as dg

    from tests.watch.listener import Listener


@pytest.mark.filterwarnings("ignore:Property `ScheduleDefinition.environment_vars`:DeprecationWarning")
def test_the_daemon_tells_of_a_failed_run_once(history: dg.DagsterInstance, listener: Listener) -> None:
    run(history, "daily_upkeep", fails=True)
    target = LoadableTargetOrigin(executable_path=sys.executable, module_name="yumai_pipelines.definitions")
    origin = InProcessCodeLocationOrigin(target, location_name="yumai_pipelines")
    logger = logging.getLogger("test: daemon")
    with WorkspaceProcessContext(history, InProcessWorkspaceLoadTarget([origin])) as workspace:
        for _ in range(2):
            assert [error for error in execute_sensor_iteration(workspace, logger, None, None) if error] == []
    heard = [each["title"] for each in listener.heard()]
    assert heard.count("YUMAI: A run of daily_upkeep failed.") == 1
    states = {each.instigator_name: each for each in history.all_instigator_state()}
    assert {each.name for each in SENSORS} <= states.keys()
    memory = Memory.read(states["alerts"].instigator_data.cursor)  # type: ignore[union-attr]
    assert list(memory.told) == ["failed_run: daily_upkeep"]
    assert {each.name for each in defs.sensors or ()} == {each.name for each in SENSORS}
