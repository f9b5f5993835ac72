"""The whole pipeline run over all months, on Dagster's real instance, so that its UI shows all of it afterwards.

What the jobs do stands in `assets` and `checks`; what came of them is read from the events of their runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import dagster as dg

from yumai_pipelines.definitions import build_definitions
from yumai_pipelines.local.ui import make_instance
from yumai_pipelines.model.months import Month

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_CODE_LOCATION = {".dagster/repository": "__repository__@yumai_pipelines"}
"""By this Dagster's UI finds the runs of a job: the name of the location in workspace.yaml."""

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
"""What goes wrong is in the summary; the rest is in Dagster's UI."""


@dataclass(frozen=True)
class Job:
    """A job and the months that it is run over; none for a job without months."""

    name: str
    months: Sequence[Month] = ()

    @property
    def tags(self) -> dict[str, str]:
        """All the months in one run, as the UI asks for them."""
        if not self.months:
            return _CODE_LOCATION
        return {
            **_CODE_LOCATION,
            "dagster/asset_partition_range_start": self.months[0].partition_key,
            "dagster/asset_partition_range_end": self.months[-1].partition_key,
        }


class Verdict(StrEnum):
    """What a check came to. One that warns says what there is to know, and calls nobody."""

    PASSED = "passed"
    WARNED = "warned"
    FAILED = "failed"


@dataclass(frozen=True)
class Check:
    """The outcome of a check, for a month or for the whole."""

    name: str
    month: Month | None
    verdict: Verdict
    description: str


@dataclass(frozen=True)
class Run:
    """What came of a job.

    Attributes:
        job: its name.
        checks: their outcomes, the latest of each.
        errors: what made steps fail, if any did.
    """

    job: str
    checks: tuple[Check, ...]
    errors: tuple[str, ...]


def jobs(first: Month, current: Month, months_ahead: int) -> list[Job]:
    """The jobs in the order of the data's life; extracts of the months that are over."""
    closed = [*first.through(current - 1)]
    return [
        Job("install_schema"),
        Job("monthly_partitions", [*first.through(current + months_ahead)]),
        Job("daily_upkeep"),
        *([Job("monthly_extracts", closed)] if closed else []),
    ]


def run_jobs(wanted: Sequence[Job], home: Path) -> Iterator[Run]:
    """Run the jobs, one after the other, each whatever came of those before.

    Args:
        wanted: which, over which months.
        home: Dagster's instance is in `dagster` below it.
    """
    definitions = build_definitions()
    with _instance(home) as instance:
        for job in wanted:
            outcome = definitions.resolve_job_def(job.name).execute_in_process(
                instance=instance, tags=job.tags, run_config=_QUIET, raise_on_error=False
            )
            yield Run(job.name, tuple(_checks(outcome)), tuple(_errors(outcome)))


def have_run(wanted: Sequence[Job], home: Path) -> bool:
    """Whether each of the jobs has come to a good end before, over whatever months."""
    with _instance(home) as instance:
        return all(
            instance.get_runs_count(dg.RunsFilter(job_name=job.name, statuses=[dg.DagsterRunStatus.SUCCESS]))
            for job in wanted
        )


def _instance(home: Path) -> dg.DagsterInstance:
    return dg.DagsterInstance.from_config(str(make_instance(home.resolve())))


def _checks(outcome: dg.ExecuteInProcessResult) -> Iterator[Check]:
    for each in outcome.get_asset_check_evaluations():
        yield Check(
            name=f"{each.asset_key.to_user_string()}: {each.check_name}",
            month=Month.parse(each.partition) if each.partition else None,
            verdict=_verdict(each),
            description=each.description or "",
        )


def _verdict(evaluation: dg.AssetCheckEvaluation) -> Verdict:
    if evaluation.passed:
        return Verdict.PASSED
    return Verdict.WARNED if evaluation.severity == dg.AssetCheckSeverity.WARN else Verdict.FAILED


def _errors(outcome: dg.ExecuteInProcessResult) -> Iterator[str]:
    """Why the run failed; what a blocking check found is with the checks."""
    if outcome.success:
        return
    for event in outcome.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            cause = error.cause or error if error else None
            yield f"{event.step_key}: {cause.message.strip() if cause else event.message}"
        elif event.is_failure:
            yield event.message or "the run failed"
