"""Writes what the examinations found as a textfile for Prometheus's node exporter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from yumai_pipelines.health.examination import State

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from pathlib import Path

    from yumai_pipelines.health.examination import Result


def write(path: Path, results: Iterable[Result], now: datetime) -> None:
    """Replace the file as a whole, so that a scrape never reads half of one.

    `yumai_examination_state` is 0 for healthy, 1 for advice and 2 for sick. `yumai_doctor_timestamp_seconds` says when
    the doctor was there: alert when that is long ago.
    """
    registry = CollectorRegistry()
    Gauge("yumai_doctor_timestamp_seconds", "When the examinations were made.", registry=registry).set(now.timestamp())
    states = Gauge("yumai_examination_state", "0 healthy, 1 advice, 2 sick.", ["examination"], registry=registry)
    for each in results:
        states.labels(each.name).set(list(State).index(each.outcome.state))
        for name, value in each.outcome.measures.items():
            if isinstance(value, (int, float)):
                Gauge(f"yumai_{name}", f"Of the examination {each.name}.", registry=registry).set(value)
                continue
            gauge = Gauge(f"yumai_{name}", f"Of the examination {each.name}.", ["name"], registry=registry)
            for label, number in value.items():
                gauge.labels(label).set(number)
    write_to_textfile(str(path), registry)
