"""The examinations of Dagster: its daemon, schedules, runs, checks, records, and whether people hear of trouble."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import dagster as dg
from dagster._core.scheduler.instigation import SensorInstigatorData

from yumai_pipelines.defs.archives.agreement import unlike_history
from yumai_pipelines.defs.watch.sensors import ALERTS, EXAMINATIONS
from yumai_pipelines.defs.watch.telling import Memory
from yumai_pipelines.defs.watch.watches import (
    RUNS_OF,
    failed_checks,
    failed_runs,
    missed_checks,
    missed_schedules,
    schedules,
)
from yumai_pipelines.health.examination import Complaint, Examination, Outcome, advice

if TYPE_CHECKING:
    from collections.abc import Iterable

    from yumai_pipelines.defs.watch.trouble import Trouble, View
    from yumai_pipelines.health.examination import Patient


class Subject(NamedTuple):
    """What is examined: Dagster's records, and the database that they are about."""

    view: View
    database: Patient


DAEMON_SILENT_FOR = timedelta(minutes=5)
RECORDS_JOB = "monthly_records"
PRUNED_EVERY = timedelta(days=62)
DAEMONS = ("SCHEDULER", "SENSOR", "QUEUED_RUN_COORDINATOR", "MONITORING")
"""The parts of dagster-daemon without which nothing runs, or nobody hears of it."""


def _daemon(subject: Subject) -> Outcome:
    view = subject.view
    beats = {name: beat.timestamp for name, beat in view.instance.get_daemon_heartbeats().items()}
    silent = [name for name in DAEMONS if beats.get(name, 0) < (view.now - DAEMON_SILENT_FOR).timestamp()]
    newest = max(beats.values(), default=None)
    last = "never" if newest is None else f"{datetime.fromtimestamp(newest, UTC):%Y-%m-%d %H:%M} UTC"
    complaint = Complaint(
        f"dagster-daemon does not work ({', '.join(silent)}); its last sign of life: {last}. No schedule ticks, and "
        "nobody is alerted.",
        "Start it: `yumai dev`, or in production the service of dagster-daemon; its log says why it ended.",
    )
    return Outcome(f"last sign of life: {last}", [complaint] if silent else [], {"daemon_beat_timestamp": newest or 0})


def _schedules(subject: Subject) -> Outcome:
    view = subject.view
    found = schedules(view)
    off = [each.definition for each in found if each.is_meant_to_be_on and not each.is_on]
    complaints = [
        Complaint(
            f"The schedule {each.name} is switched off.",
            f"Switch it on in Dagster's UI (Automation). Until then launch {each.job_name} by hand.",
        )
        for each in off
    ]
    on = sum(each.is_on for each in found)
    return Outcome(
        f"{on} of {len(found)} on", [*complaints, *_complaints(missed_schedules(view))], {"schedules_on": on}
    )


def _runs(subject: Subject) -> Outcome:
    view = subject.view
    last = {}
    for schedule in schedules(view):
        name = schedule.definition.job_name
        done = dg.RunsFilter(job_name=name, statuses=[dg.DagsterRunStatus.SUCCESS])
        for record in view.instance.get_run_records(done, limit=1):
            last[name] = record.end_time or 0.0
    seen = f"{len(last)} jobs of schedules have succeeded" if last else "none has succeeded yet"
    return Outcome(seen, _complaints(failed_runs(view)), {"last_success_timestamp_seconds": last})


def _checks(subject: Subject) -> Outcome:
    view = subject.view
    complaints = _complaints([*failed_checks(view), *missed_checks(view)])
    return Outcome(f"{len(view.repository.asset_graph.asset_check_keys)} checks", complaints)


def _alerts(subject: Subject) -> Outcome:
    view = subject.view
    complaints = []
    looked = []
    for state in view.instance.all_instigator_state():
        if state.instigator_name not in {ALERTS, EXAMINATIONS}:
            continue
        data = state.instigator_data
        memory = Memory.read(data.cursor if isinstance(data, SensorInstigatorData) else None)
        looked.append(state.instigator_name)
        if not state.is_running:
            complaints.append(
                Complaint(
                    f"The sensor {state.instigator_name} is switched off: nobody is told.",
                    "Switch it on in Dagster's UI (Automation).",
                )
            )
        complaints += [
            Complaint(
                f"Target {number} of YUMAI_ALERT_URLS cannot be reached since "
                f"{datetime.fromtimestamp(since, UTC):%Y-%m-%d %H:%M} UTC.",
                "`yumai alert` sends it a message; put its URL, or the network, right.",
            )
            for number, since in memory.unreachable.items()
        ]
    return Outcome(f"the sensors {', '.join(looked)}" if looked else "no sensor has looked yet", complaints)


def _history(subject: Subject) -> Outcome:
    zone = subject.database.settings.zone
    found = unlike_history(subject.view.instance, subject.database.connection, zone)
    return Outcome(
        "Dagster and the database agree" if not found else f"{len(found)} months differ",
        [Complaint(f"{each.month}: {each.fault}.", each.remedy) for each in found],
    )


def _records(subject: Subject) -> Outcome:
    instance, now = subject.view.instance, subject.view.now
    days = subject.database.settings.history_days
    done = dg.RunsFilter(job_name=RECORDS_JOB, statuses=[dg.DagsterRunStatus.SUCCESS], updated_after=now - PRUNED_EVERY)
    old = instance.get_runs_count(dg.RunsFilter(created_before=now - timedelta(days=days) - PRUNED_EVERY))
    complaint = advice(
        f"{old:,} runs are older than the {days} days of YUMAI_HISTORY_DAYS: {RECORDS_JOB} has not run for two months.",
        f"Launch {RECORDS_JOB}, and switch its schedule on.",
    )
    runs = instance.get_runs_count()
    late = old and not instance.get_runs_count(done)
    return Outcome(f"{runs:,} runs", [complaint] if late else [], {"dagster_runs": runs})


def _complaints(troubles: Iterable[Trouble]) -> list[Complaint]:
    return [Complaint(each.what, each.remedy, each.state) for each in troubles]


DAGSTER_EXAMINATIONS: tuple[Examination[Subject], ...] = (
    Examination("daemon", "dagster-daemon works", _daemon),
    Examination("schedules", "schedules that are meant to be on are on, and tick", _schedules),
    Examination("runs", f"no run of the last {RUNS_OF.days} days has failed for good", _runs),
    Examination("checks", "no check has failed or was missed", _checks),
    Examination("history", "what Dagster takes for made is there", _history),
    Examination("alerts", "people can be reached", _alerts),
    Examination("records", "Dagster's own records stay within bounds", _records),
)
