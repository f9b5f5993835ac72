"""Everything that is watched in Dagster's records: failed runs, failed and missed checks, missed schedules, outages.

Each watch says what is wrong now, whenever it is asked, and keeps nothing in mind. To add one, add it to `WATCHES`.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import dagster as dg
from dagster._core.event_api import PartitionKeyFilter
from dagster._core.execution.backfill import BULK_ACTION_TERMINAL_STATUSES
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    ScheduleInstigatorData,
    TickStatus,
)
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.tags import BACKFILL_ID_TAG
from dagster._utils.schedules import schedule_execution_time_iterator

from yumai_pipelines.defs.watch.trouble import Trouble, View, Watch
from yumai_pipelines.health.examination import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from dagster._core.scheduler.instigation import InstigatorTick
    from dagster._core.storage.dagster_run import RunRecord

RUNS_OF = timedelta(days=7)
"""A failed run that nobody has repeated for so long is not told of again."""

RETRIED_WITHIN = timedelta(minutes=10)
"""So soon the daemon starts a failed run again, if it does: it says for ever that it will."""

GRACE = timedelta(minutes=30)
"""So late a schedule may tick: a daemon that was restarted makes up for it by then."""

PURGED_AFTER = timedelta(days=7)
"""dagster.yaml keeps ticks that asked for nothing for so long."""

_LOCATION = "/locations/yumai_pipelines"
_RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
_PARTITION = "dagster/partition"


def failed_runs(view: View) -> Iterator[Trouble]:
    """Runs of the last days that failed, are not going to be retried, and that no later run has made good."""
    since = dg.RunsFilter(updated_after=view.now - RUNS_OF)
    made_good: list[_Work] = []
    told: set[_Work] = set()
    for record in view.instance.get_run_records(since):  # the newest first
        run, work = record.dagster_run, _Work.of(record.dagster_run)
        if run.status is dg.DagsterRunStatus.SUCCESS:
            made_good.append(work)
        if run.status is not dg.DagsterRunStatus.FAILURE or _waits_for_retry(view, record) or work in told:
            continue
        if not any(each.covers(work) for each in made_good):
            told.add(work)
            yield Trouble(
                "failed_run",
                str(work),
                str(work),
                f"A run of {work} failed.",
                "Open the run: its last error says what to do. Put that right, and press Re-execute, or launch the job "
                "again: what is done stays done.",
                f"/runs/{run.run_id}",
            )


def _waits_for_retry(view: View, record: RunRecord) -> bool:
    """Whether Dagster is going to start a failed run again: soon, and one of a backfill only while that goes on."""
    run = record.dagster_run
    if not run.is_complete_and_waiting_to_retry or view.now - record.update_timestamp > RETRIED_WITHIN:
        return False
    backfill_id = run.tags.get(BACKFILL_ID_TAG)
    backfill = view.instance.get_backfill(backfill_id) if backfill_id else None
    return backfill_id is None or (backfill is not None and backfill.status not in BULK_ACTION_TERMINAL_STATUSES)


class _Work(NamedTuple):
    """What a run was to do: a job or some assets, and the months by their partition keys."""

    job: str
    what: str
    first: str
    last: str

    @classmethod
    def of(cls, run: dg.DagsterRun) -> _Work:
        chosen = sorted(key.to_user_string() for key in run.asset_selection or ())
        checks = sorted(f"{key.asset_key.to_user_string()}:{key.name}" for key in run.asset_check_selection or ())
        one = run.tags.get(_PARTITION, "")
        first, last = (run.tags.get(name, one) for name in _RANGE)
        return cls(run.job_name, ", ".join(chosen or checks), first, last)

    def covers(self, other: _Work) -> bool:
        return (
            (self.job, self.what) == (other.job, other.what) and self.first <= other.first and other.last <= self.last
        )

    def __str__(self) -> str:
        name = (self.what or "some assets") if self.job.startswith("__") else self.job
        if not self.first:
            return name
        return f"{name} for {self.first[:7]}" + (f" to {self.last[:7]}" if self.last != self.first else "")


def failed_checks(view: View) -> Iterator[Trouble]:
    """Checks whose latest evaluation failed, of the whole table or of any month."""
    storage = view.instance.event_log_storage
    failed = defaultdict(list)
    for each in storage.get_asset_check_partition_info(_checks(view)):
        if each.latest_execution_status is AssetCheckExecutionRecordStatus.FAILED:
            failed[each.check_key].append(each.partition_key)
    for key, months in sorted(failed.items(), key=lambda item: str(item[0])):
        evaluation = _latest_failure(view, key, months[0])
        asset = key.asset_key.to_user_string()
        of = "".join(f" of {month[:7]}" for month in sorted(filter(None, months))[:1])
        more = f" and {len(months) - 1} more" if len(months) > 1 else ""
        first, *rest = (evaluation.description or "").split("\n\n")
        warns = evaluation.severity == dg.AssetCheckSeverity.WARN
        yield Trouble(
            "failed_check",
            f"{asset}: {key.name}",
            f"{asset}: {key.name}{of}{more}",
            f"The check {key.name} of {asset}{of}{more} {'warns' if warns else 'failed'}. {first}",
            _what_to_do(rest) or "Open the check: it says which rows, why, and what to do.",
            f"/assets/{asset}?view=checks&checkDetail={key.name}",
            State.ADVICE if warns else State.SICK,
        )


def missed_checks(view: View) -> Iterator[Trouble]:
    """Checks that a schedule runs without months, and that were not evaluated at its last two ticks."""
    storage = view.instance.event_log_storage
    for schedule in _running_schedules(view):
        job = view.repository.get_job(schedule.definition.job_name)
        graph = job.asset_layer.asset_graph
        keys = [key for key in graph.asset_check_keys if graph.get(key).partitions_def is None]
        _, before = schedule.last_times(view.now - GRACE)
        if not keys or job.partitions_def is not None or not schedule.was_on(before):
            continue
        missed = sorted(
            str(key.name)
            for key, found in storage.get_asset_check_summary_records(keys).items()
            if found.last_completed_check_execution_record is None
            or found.last_completed_check_execution_record.create_timestamp < before.timestamp()
        )
        if missed:
            yield Trouble(
                "missed_check",
                schedule.definition.job_name,
                job.name,
                f"{len(missed)} checks of {job.name} were not evaluated since {_local(before, schedule)}: "
                f"{', '.join(missed[:5])}{' …' if len(missed) > 5 else ''}.",
                f"Look at the last runs of {job.name}: they failed before these checks, or there was none. Launch it.",
                f"{_LOCATION}/jobs/{job.name}/runs",
            )


def missed_schedules(view: View) -> Iterator[Trouble]:
    """Schedules that are on and did not tick when they should have, and those whose last tick failed."""
    for schedule in _running_schedules(view):
        due, _ = schedule.last_times(view.now - GRACE)
        name = schedule.definition.name
        tick = schedule.last_tick(view.instance)
        if tick is not None and tick.status is TickStatus.FAILURE:
            error = tick.tick_data.error
            said = error.message.strip().splitlines()[0] if error else "It does not say why."
            yield Trouble(
                "failed_schedule",
                name,
                name,
                f"The schedule {name} could not be evaluated. {said}",
                "Open the schedule's last tick: it has the whole error. It tries again at its next time; launch its "
                "job if that is too late.",
                f"{_LOCATION}/schedules/{name}",
            )
        late = tick is None or tick.timestamp < due.timestamp()
        if late and schedule.was_on(due) and due > view.now - PURGED_AFTER:
            yield Trouble(
                "missed_schedule",
                name,
                name,
                f"The schedule {name} should have ticked at {_local(due, schedule)}, and did not.",
                "See that dagster-daemon runs (Deployment, Daemons in the UI). If it does, and the tick is not made up "
                f"for, launch {schedule.definition.job_name} by hand.",
                f"{_LOCATION}/schedules/{name}",
            )


def outages(view: View) -> Iterator[Trouble]:
    """When nobody looked, because dagster-daemon was down, in the last day."""
    for start, end in view.outages:
        names = [each.definition.name for each in _running_schedules(view) if start < each.last_times(end)[0] <= end]
        yield Trouble(
            "daemon_was_down",
            start.isoformat(timespec="minutes"),
            f"{start:%Y-%m-%d %H:%M} – {end:%Y-%m-%d %H:%M} UTC",
            f"dagster-daemon did not work from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC. "
            + (f"In between, these schedules should have ticked: {', '.join(names)}." if names else "No tick was due."),
            "Find out why it was down. It makes up for up to five ticks of each schedule by itself; see in the UI that "
            "these schedules have ticked since.",
            "/deployment/daemons",
            State.SICK if names else State.ADVICE,
            ends=False,
        )


class Schedule(NamedTuple):
    """A schedule, and what Dagster knows of it."""

    definition: dg.ScheduleDefinition
    state: InstigatorState | None

    @property
    def is_on(self) -> bool:
        """Whether it ticks: as somebody has switched it in the UI, or as the code says."""
        if self.state is None or self.state.status is InstigatorStatus.DECLARED_IN_CODE:
            return self.is_meant_to_be_on
        return self.state.status is InstigatorStatus.RUNNING

    @property
    def is_meant_to_be_on(self) -> bool:
        """Whether the code says that it ticks."""
        return self.definition.default_status is dg.DefaultScheduleStatus.RUNNING

    def last_times(self, at: datetime) -> tuple[datetime, datetime]:
        """The last time before an instant at which it should have ticked, and the time before that one."""
        times = schedule_execution_time_iterator(
            at.timestamp(), self.definition.cron_schedule, self.definition.execution_timezone, ascending=False
        )
        last, before = islice(times, 2)
        return last, before

    def was_on(self, at: datetime) -> bool:
        """Whether the daemon had taken notice of it before an instant."""
        data = self.state.instigator_data if self.state else None
        started = data.start_timestamp if isinstance(data, ScheduleInstigatorData) else None
        return started is not None and started < at.timestamp()

    def last_tick(self, instance: dg.DagsterInstance) -> InstigatorTick | None:
        """Its last tick."""
        if self.state is None:
            return None
        return next(iter(instance.get_ticks(self.state.instigator_origin_id, self.state.selector_id, limit=1)), None)


def schedules(view: View) -> list[Schedule]:
    """All schedules of the repository."""
    states = {each.instigator_name: each for each in view.instance.all_instigator_state()}
    return [Schedule(each, states.get(each.name)) for each in view.repository.schedule_defs]


def _running_schedules(view: View) -> list[Schedule]:
    return [each for each in schedules(view) if each.is_on]


def _local(at: datetime, schedule: Schedule) -> str:
    return f"{at:%Y-%m-%d %H:%M} ({schedule.definition.execution_timezone})"


def _checks(view: View) -> list[dg.AssetCheckKey]:
    return sorted(view.repository.asset_graph.asset_check_keys, key=str)


def _latest_failure(view: View, key: dg.AssetCheckKey, month: str | None) -> dg.AssetCheckEvaluation:
    (record,) = view.instance.event_log_storage.get_asset_check_execution_history(
        key,
        limit=1,
        status={AssetCheckExecutionRecordStatus.FAILED},
        partition_filter=PartitionKeyFilter(key=month),
    )
    entry = record.event
    if entry is None or entry.dagster_event is None:
        raise TypeError(f"the failed evaluation {record.id} of {key} has no event")
    return entry.dagster_event.asset_check_evaluation_data


def _what_to_do(paragraphs: Iterable[str]) -> str:
    """The remedy of a check's description, without its sample and its cause."""
    start = "What to do: "
    return next((each.removeprefix(start) for each in paragraphs if each.startswith(start)), "")


WATCHES = (
    Watch("failed_run", failed_runs),
    Watch("failed_check", failed_checks),
    Watch("missed_check", missed_checks),
    Watch("missed_schedule", missed_schedules),
    Watch("daemon_was_down", outages),
)
KINDS = ("failed_run", "failed_check", "missed_check", "missed_schedule", "failed_schedule", "daemon_was_down", "sick")
"""All kinds of troubles, also those of examinations; docs/operate.md has a section on each."""
