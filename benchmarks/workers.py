"""Compares two workers that each build half of 24 months of the extracts with one worker that builds all of them."""

from __future__ import annotations

import psycopg

from benchmarks.extracts import MONTHS, fill, report_of, start
from benchmarks.runner import Benchmark, Measure, Scale, seconds

HALVES = (MONTHS[:12], MONTHS[12:])
BUILDS = "SELECT min(as_of), max(built_at) FROM extracts.ledger WHERE month BETWEEN %s AND %s"


def two_workers(url: str, scale: Scale) -> Measure:
    """Start both at once; what Python and Dagster take to load counts, as it does on each host."""
    fill(url, scale)

    def work() -> None:
        workers = [
            start("benchmarks.extracts_by_dagster", url, half[0].partition_key, half[-1].partition_key)
            for half in HALVES
        ]
        for worker in workers:
            report_of(worker, scale)

    return Measure(seconds(work), overlap(url))


def one_worker(url: str, scale: Scale) -> Measure:
    """Start one that builds all months, counted in the same way."""
    fill(url, scale)
    return Measure(seconds(lambda: report_of(start("benchmarks.extracts_by_dagster", url), scale)))


def overlap(url: str) -> str:
    """Return how long both were building at the same time."""
    with psycopg.connect(url) as connection:
        (first, last), (second, end) = (
            connection.execute(BUILDS, (half[0].first_day, half[-1].first_day)).fetchone() or (None, None)
            for half in HALVES
        )
    together = (min(last, end) - max(first, second)).total_seconds()
    return f"both were building for {together:.1f} s of {(max(last, end) - min(first, second)).total_seconds():.1f} s"


WORKERS = Benchmark(
    "workers",
    "all five extracts, two workers with 12 months each",
    "one worker with 24 months",
    "≤ 1 × on two cores; ≤ 0.56 × where each connection has a core; both at the same time",
    "s",
    two_workers,
    one_worker,
)
