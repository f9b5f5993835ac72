"""A backfill of 24 months: one run of Dagster for all of them, or a run for each."""

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
    """Runs of `chatbot/conversations`, each in a process of its own, as the run launcher starts them; in seconds."""
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
    """One run."""
    return materialize(url, ["--partition-range", f"{MONTHS[0].partition_key}...{MONTHS[-1].partition_key}"])


def theirs(url: str, _scale: Scale) -> Measure:
    """A run for each month."""
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
