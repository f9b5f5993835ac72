"""Compares a backfill of 24 months in one run of Dagster with a run for each month."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks.runner import Benchmark, Measure, Scale, seconds
from yumai_pipelines.model.months import Month

if TYPE_CHECKING:
    from collections.abc import Sequence

FIRST = Month(2024, 8)
MONTHS = list(FIRST.through(FIRST + 23))


def materialize(url: str, *partitions: Sequence[str]) -> Measure:
    """Materialize `chatbot/conversations`, each run in its own process as the run launcher does. Return the seconds."""
    dagster = Path(sys.executable).with_name("dagster")
    command = [str(dagster), "asset", "materialize", "-m", "yumai_pipelines.definitions"]
    command += ["--select", "key:chatbot/conversations"]
    with TemporaryDirectory() as home:
        environment = os.environ | {"YUMAI_DATABASE_URL": url, "DAGSTER_HOME": home}

        def run_all() -> None:
            for each in partitions:
                subprocess.run([*command, *each], env=environment, check=True, capture_output=True)

        return Measure(seconds(run_all))


def ours(url: str, _scale: Scale) -> Measure:
    """Do all months in one run."""
    return materialize(url, ["--partition-range", f"{MONTHS[0].partition_key}...{MONTHS[-1].partition_key}"])


def theirs(url: str, _scale: Scale) -> Measure:
    """Do each month in a run of its own."""
    return materialize(url, *(["--partition", month.partition_key] for month in MONTHS))


BACKFILL = Benchmark(
    name="backfill",
    what="a backfill of 24 months, with the checks of the conversations",
    against="24 separate runs",
    goal="≥ 10 ×",
    unit="s",
    ours=ours,
    theirs=theirs,
)
