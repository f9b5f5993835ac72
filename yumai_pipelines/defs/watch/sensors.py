"""The sensors that tell people of troubles, by the targets of YUMAI_ALERT_URLS.

Dagster reads the annotations at run time, so this module must not use `from __future__ import annotations`.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import dagster as dg

from yumai_pipelines.defs.resources import PostgresResource
from yumai_pipelines.defs.watch.telling import Memory, targets_of, tell
from yumai_pipelines.defs.watch.trouble import Trouble, View
from yumai_pipelines.defs.watch.watches import WATCHES
from yumai_pipelines.health.examination import Patient, examine
from yumai_pipelines.health.registry import DATABASE_EXAMINATIONS
from yumai_pipelines.postgres.connections import connect
from yumai_pipelines.settings import Settings

EVERY, EVERY_HOUR = 60, 3600
"""Seconds between two looks: at Dagster's records, and at the database."""

LONGEST_SILENCE = timedelta(minutes=15)
"""If nobody looked for longer, dagster-daemon was down."""

ALERTS, EXAMINATIONS = "alerts", "examinations"
"""The names of the sensors."""


@dg.sensor(
    name=ALERTS,
    description="Tells people of failed runs, failed and missed checks, missed schedules and outages of the daemon "
    "(YUMAI_ALERT_URLS): each once, until it is over or a day has passed. docs/operate.md says what to do about each.",
    minimum_interval_seconds=EVERY,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def alerts(context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings]) -> dg.SkipReason:
    """Look at Dagster's records, and tell what is wrong with them."""
    if context.repository_def is None:
        raise TypeError("the sensor was evaluated without its repository")
    now = datetime.now(UTC)
    memory = Memory.read(context.cursor)
    memory.notice(now, LONGEST_SILENCE)
    spans = tuple(
        (datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC)) for start, end in memory.outages
    )
    view = View(context.instance, context.repository_def, now, spans)
    return _tell(context, settings, memory, [trouble for watch in WATCHES for trouble in watch.look(view)], now)


@dg.sensor(
    name=EXAMINATIONS,
    description="Makes the examinations of `yumai doctor` every hour, and tells people which of them found something "
    "sick (YUMAI_ALERT_URLS). docs/operate.md says what to do about each.",
    minimum_interval_seconds=EVERY_HOUR,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def examinations(
    context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings], postgres: PostgresResource
) -> dg.SkipReason:
    """Examine the database, and tell what is sick."""
    now = datetime.now(UTC)
    url = postgres.login_url
    with connect(
        url, application_name="yumai: doctor", role=None, read_only=True, zone=settings.timezone
    ) as connection:
        troubles = [
            Trouble("sick", result.name, result.name, f"{result.name}: {complaint.what}", complaint.remedy)
            for result in examine(DATABASE_EXAMINATIONS, Patient(connection, settings))
            for complaint in result.outcome.complaints
            if complaint.state is complaint.state.SICK
        ]
    return _tell(context, settings, Memory.read(context.cursor), _one_each(troubles), now)


def _one_each(troubles: Iterable[Trouble]) -> list[Trouble]:
    """The first trouble of each key: numbers in the words of a complaint change from look to look."""
    first: dict[str, Trouble] = {}
    for each in troubles:
        first.setdefault(each.key, each)
    return list(first.values())


def _tell(
    context: dg.SensorEvaluationContext, settings: Settings, memory: Memory, troubles: list[Trouble], now: datetime
) -> dg.SkipReason:
    targets = targets_of(settings.alert_urls or ())
    done = tell(troubles, targets, memory, now, settings.ui_url)
    context.update_cursor(memory.written())
    found = f"{len(troubles)} troubles." if troubles else "No trouble."
    if not targets:
        return dg.SkipReason(f"{found} YUMAI_ALERT_URLS names nobody, so nobody is told.")
    return dg.SkipReason(" ".join([found, *done]))


SENSORS = [alerts, examinations]
