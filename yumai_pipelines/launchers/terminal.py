"""The runs that a command of a terminal executes in its own process, such as `yumai build`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagster._core.launcher.base import CheckRunHealthResult, RunLauncher, WorkerStatus

if TYPE_CHECKING:
    from dagster import DagsterRun


class OthersRunsToo(RunLauncher):
    """A launcher that is asked for the health of runs it has not launched, and leaves them alone.

    Dagster's launchers say of such a run that its container is missing, and the daemon marks it as failed while it
    works. Nobody but the process itself knows that it lives; the job's `dagster/max_runtime` bounds it.
    """

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Return what is known of the process of a run."""
        if run.remote_job_origin is None:
            return CheckRunHealthResult(WorkerStatus.RUNNING, "A command executes it in its own process.")
        return super().check_run_worker_health(run)
