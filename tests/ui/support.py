"""What the tests of the UI look at: a deployment of Dagster, served as in production or as by `yumai dev`."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.processes import Program, started

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from yumai_pipelines.model.months import Month

MONTHS, SESSIONS = 3, 300
OF_PICTURES = 6, 5000
"""Months and sessions that make pictures worth a look."""
# In milliseconds. A slow machine may need more than ten seconds for a page that a fast one shows at once.
PATIENCE = 60_000


@dataclass(frozen=True)
class Deployment:
    """A database with months of data that are all materialized, and the directory of Dagster's instance."""

    url: str
    first: Month
    months: int
    environment: dict[str, str]
    instance_directory: Path


@contextmanager
def served(deployment: Deployment, log: Path, module: str, *arguments: str) -> Iterator[Program]:
    """Run a program of Dagster on the deployment's instance."""
    command = [sys.executable, "-m", module, *arguments]
    environment = os.environ | deployment.environment
    with log.open("w") as output, started(command, env=environment, stdout=output, stderr=output) as process:
        yield process
