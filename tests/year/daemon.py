"""Dagster's daemon of the year: the scheduler's own code, which looks when it is told to. Its runs run at once, in it.

A program with a clock of its own. For each line on its standard input it answers with one line of JSON:

- `when`: the instant of the next tick of any schedule;
- `look`: one iteration of the scheduler. All schedules are on. Dagster decides which of their ticks are due, as it does
  whenever it looks, and launches their runs. The answer tells of them.
- `run JOB FIRST LAST`: a run that a person launches for a range of months, given by their partition keys.
"""

from __future__ import annotations

import json
import logging
import os
import random
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget
from dagster._daemon.daemon import get_default_daemon_logger
from dagster._scheduler.scheduler import launch_scheduled_runs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dagster._core.remote_representation.external import RemoteSchedule
    from dagster._scheduler.scheduler import ScheduleIterationTimes

MODULE = "yumai_pipelines.definitions"
RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")


class Daemon:
    """The scheduler of one instance, and what its runs did."""

    def __init__(self, instance: dg.DagsterInstance, workspace: WorkspaceProcessContext) -> None:
        self._instance = instance
        self._workspace = workspace
        self._iterations: dict[str, ScheduleIterationTimes] = {}
        self._seen = {run.run_id for run in instance.get_runs()}
        self._logger = get_default_daemon_logger("SchedulerDaemon")
        self._schedules = list(self._find_schedules())
        for schedule in self._schedules:
            state = instance.get_instigator_state(schedule.get_remote_origin_id(), schedule.selector_id)
            if not schedule.get_current_instigator_state(state).is_running:
                instance.start_schedule(schedule)

    def _find_schedules(self) -> Iterator[RemoteSchedule]:
        for entry in self._workspace.create_request_context().get_code_location_entries().values():
            if entry.code_location is None:
                raise RuntimeError(str(entry.load_error))
            for repository in entry.code_location.get_repositories().values():
                yield from repository.get_schedules()

    def when(self) -> str:
        now = datetime.now(UTC).timestamp()
        ticks = [next(iter(schedule.execution_time_iterator(now))) for schedule in self._schedules]
        return min(ticks).isoformat()

    def look(self) -> dict[str, Any]:
        errors = launch_scheduled_runs(
            self._workspace,
            self._logger,
            end_datetime_utc=datetime.now(UTC),
            iteration_times=self._iterations,
        )
        told = [str(each) for each in errors if each]
        return {"errors": told, "runs": list(self._new_runs())}

    def run(self, job: str, *months: str) -> dict[str, Any]:
        from yumai_pipelines.definitions import defs

        definition = defs.resolve_job_def(job)
        definition.execute_in_process(
            instance=self._instance, tags=dict(zip(RANGE, months, strict=True)), raise_on_error=False
        )
        return {"errors": [], "runs": list(self._new_runs())}

    def _new_runs(self) -> Iterator[dict[str, Any]]:
        """Tell of the runs since the last answer, the oldest first."""
        for record in reversed(self._instance.get_run_records(limit=50)):
            run = record.dagster_run
            if run.run_id in self._seen:
                continue
            self._seen.add(run.run_id)
            kinds = {dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.ASSET_CHECK_EVALUATION}
            entries = self._instance.all_logs(run.run_id, of_type=kinds)
            events = [entry.dagster_event for entry in entries if entry.dagster_event]
            checks = [each.asset_check_evaluation_data for each in events if not each.is_step_failure]
            yield {
                "job": run.job_name,
                "success": run.is_success,
                "at": record.create_timestamp.isoformat(),
                "months": [run.tags[name][:7] for name in RANGE if name in run.tags],
                "errors": [str(each.step_failure_data.error) for each in events if each.is_step_failure],
                "failed_checks": {
                    f"{check.asset_key.to_user_string()}:{check.check_name}": check.description or ""
                    for check in checks
                    if not check.passed
                },
            }


def main() -> None:
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    # Schedules that are due at once get their turns in an order that Dagster draws.
    random.seed(14)
    target = LoadableTargetOrigin(executable_path=sys.executable, module_name=MODULE)
    origin = InProcessCodeLocationOrigin(target, location_name="yumai_pipelines")
    with (
        dg.DagsterInstance.get() as instance,
        WorkspaceProcessContext(instance, InProcessWorkspaceLoadTarget([origin])) as workspace,
    ):
        daemon = Daemon(instance, workspace)
        for line in sys.stdin:
            command, *arguments = line.rstrip("\n").split(" ")
            match command:
                case "when":
                    answer: object = daemon.when()
                case "look":
                    answer = daemon.look()
                case _:
                    answer = daemon.run(*arguments)
            print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
