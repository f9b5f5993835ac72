"""Runs jobs and checks in this process, on Dagster's real instance, so that its UI shows the runs afterwards.

What the jobs do is defined in `defs`. Here the outcomes are read from the events of their runs.
"""

from __future__ import annotations

import signal
import socket
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import uuid4

import dagster as dg
from dagster._core.definitions.repository_definition import SINGLETON_REPOSITORY_NAME
from dagster._core.remote_origin import RemoteRepositoryOrigin
from dagster._core.workspace.load import location_origins_from_yaml_paths

from yumai_pipelines.definitions import build_definitions
from yumai_pipelines.defs.archives.jobs import show_archived
from yumai_pipelines.defs.evaluations import BlockingChecksFailedError, sql_of
from yumai_pipelines.defs.partitions.assets import conversations
from yumai_pipelines.local.ui import make_instance
from yumai_pipelines.model.months import Month

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from yumai_pipelines.archives.restore import RestoreReport
    from yumai_pipelines.postgres.connections import Connection

_CODE_LOCATION = {".dagster/repository": "__repository__@yumai_pipelines"}
"""Tag by which Dagster's UI finds the runs of a job: the name of the code location in workspace.yaml."""

CHECKS = "checks"
"""The name, here alone, of all checks as a job. Those of the extracts' months come with their building."""

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
"""Logging stays quiet: the summary shows the failures, and Dagster's UI has the rest."""


@dataclass(frozen=True)
class Job:
    """A job and the months to run it over. A job without partitions has none."""

    name: str
    months: Sequence[Month] = ()

    @property
    def tags(self) -> dict[str, str]:
        """Return tags that put all months into one run, as the UI does."""
        if not self.months:
            return _CODE_LOCATION
        return {
            **_CODE_LOCATION,
            "dagster/asset_partition_range_start": self.months[0].partition_key,
            "dagster/asset_partition_range_end": self.months[-1].partition_key,
        }


class Verdict(StrEnum):
    """The outcome of a check. A warning tells something worth knowing, but does not fail the demonstration."""

    PASSED = "passed"
    WARNED = "warned"
    FAILED = "failed"


@dataclass(frozen=True)
class Check:
    """The outcome of a check, for one month or for a whole table; `sql` is what each block does, and the block."""

    name: str
    month: Month | None
    verdict: Verdict
    description: str
    sql: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Run:
    """The outcome of a job.

    Attributes:
        job: name of the job.
        checks: outcomes of the checks that it ran.
        errors: why steps failed, if any did.
    """

    job: str
    checks: tuple[Check, ...]
    errors: tuple[str, ...]


def run_jobs(wanted: Sequence[Job], home: Path) -> Iterator[Run]:
    """Run the jobs one after the other, even when an earlier one fails.

    Args:
        wanted: the jobs and their months.
        home: directory that has Dagster's instance in `dagster`.

    Raises:
        KeyboardInterrupt: Ctrl-C. The run that it ended is shown as canceled.
    """
    definitions = build_definitions()
    with open_instance(home) as instance, _interrupts() as interrupted:
        for job in wanted:
            run_id = str(uuid4())
            chosen = _checks_alone(definitions, job) if job.name == CHECKS else definitions.resolve_job_def(job.name)
            try:
                outcome = chosen.execute_in_process(
                    instance=instance, tags=job.tags, run_config=_QUIET, raise_on_error=False, run_id=run_id
                )
            except KeyboardInterrupt:
                _cancel(instance, run_id)
                raise
            finally:
                _place(instance, run_id, home)
            if interrupted():
                _cancel(instance, run_id)
                raise KeyboardInterrupt
            yield Run(job.name, tuple(_checks(outcome)), tuple(_errors(outcome)))


def _checks_alone(definitions: dg.Definitions, job: Job) -> dg.JobDefinition:
    """Return a job of the checks alone, as the UI's button makes one: those of all rows, or those of some months."""
    graph = definitions.resolve_asset_graph()
    chosen = {
        key
        for key in graph.asset_check_keys
        if bool(graph.get(key).partitions_def) <= (key.asset_key.path[0] != "extracts")
        and (graph.get(key).partitions_def or not job.months)
    }
    everything = definitions.resolve_implicit_global_asset_job_def()
    return everything.get_subset(asset_selection=set(), asset_check_selection=chosen)


def _place(instance: dg.DagsterInstance, run_id: str, home: Path) -> None:
    """Note to which code location a run belongs: the timeline of the UI leaves out runs that belong to none."""
    run = instance.get_run_by_id(run_id)
    if run is not None:
        (location,) = location_origins_from_yaml_paths([str(make_instance(home.resolve()) / "workspace.yaml")])
        repository = RemoteRepositoryOrigin(location, SINGLETON_REPOSITORY_NAME)
        instance.run_storage.replace_job_origin(run, repository.get_job_origin(run.job_name))


def _cancel(instance: dg.DagsterInstance, run_id: str) -> None:
    """Show a run as canceled, if it was begun and did not succeed."""
    run = instance.get_run_by_id(run_id)
    if run is not None and not run.is_success:
        instance.report_run_canceled(run, "Ctrl-C ended it.")


def have_run(wanted: Sequence[Job], home: Path) -> bool:
    """Return whether each of the jobs has ever succeeded, over whatever months."""
    with open_instance(home) as instance:
        return all(
            instance.get_runs_count(dg.RunsFilter(job_name=job.name, statuses=[dg.DagsterRunStatus.SUCCESS]))
            for job in wanted
        )


def show_restored(connection: Connection, report: RestoreReport, home: Path) -> None:
    """Have Dagster show that a month of the conversations is back: its history knows no run that did it."""
    with open_instance(home) as instance:
        show_archived(instance, connection)
        instance.report_runless_asset_event(
            dg.AssetMaterialization(
                conversations.key,
                partition=report.month.partition_key,
                description=report.in_words(),
                metadata={
                    "dagster/partition_row_count": report.rows,
                    "action": "restored",
                    "partition": str(report.relation),
                },
            )
        )


def open_instance(home: Path) -> dg.DagsterInstance:
    """Return the instance that `yumai dev` serves, without its processes that copy what steps print: none prints."""
    directory = make_instance(home.resolve())
    configuration = (directory / "dagster.yaml").read_text(encoding="utf-8")
    (directory / _CONFIGURATION).write_text(configuration + _NO_COPIES, encoding="utf-8")
    return dg.DagsterInstance.from_config(str(directory), _CONFIGURATION)


_CONFIGURATION = "terminal.yaml"

_NO_COPIES = """
compute_logs:
  module: dagster._core.storage.noop_compute_log_manager
  class: NoOpComputeLogManager
"""


@contextmanager
def _interrupts() -> Iterator[Callable[[], bool]]:
    """Yield what tells whether there was a Ctrl-C. Dagster takes it for the failure of a run, and may forget it."""
    kept, written = socket.socketpair()
    with kept, written:
        for end in (kept, written):
            end.setblocking(False)
        before = signal.set_wakeup_fd(written.fileno(), warn_on_full_buffer=False)
        try:
            yield lambda: signal.SIGINT in _received(kept)
        finally:
            signal.set_wakeup_fd(before)


def _received(kept: socket.socket) -> bytes:
    """Return the numbers of the signals that came in the meantime."""
    try:
        return kept.recv(4096)
    except BlockingIOError:
        return b""


def _checks(outcome: dg.ExecuteInProcessResult) -> Iterator[Check]:
    for each in outcome.get_asset_check_evaluations():
        yield Check(
            name=f"{each.asset_key.to_user_string()}: {each.check_name}",
            month=Month.parse(each.partition) if each.partition else None,
            verdict=_verdict(each),
            description=each.description or "",
            sql=tuple(sql_of(each.metadata)),
        )


def _verdict(evaluation: dg.AssetCheckEvaluation) -> Verdict:
    if evaluation.passed:
        return Verdict.PASSED
    return Verdict.WARNED if evaluation.severity == dg.AssetCheckSeverity.WARN else Verdict.FAILED


def _errors(outcome: dg.ExecuteInProcessResult) -> Iterator[str]:
    """Yield why the run failed. What a blocking check found is in its own outcome, and is not told again."""
    failures = [event for event in outcome.all_events if event.is_step_failure]
    for event in failures:
        error = event.step_failure_data.error
        cause = error.cause or error if error else None
        if cause is None or cause.cls_name not in ("DagsterAssetCheckFailedError", BlockingChecksFailedError.__name__):
            yield f"{event.step_key}: {cause.message.strip() if cause else event.message}"
    if not failures and not outcome.success:
        yield from (event.message or "the run failed" for event in outcome.all_events if event.is_failure)
