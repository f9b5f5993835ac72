"""Processes of this machine: whether they still run. Starting and ending them is the business of whoever has them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Sequence


def runs(process: psutil.Process) -> bool:
    """Whether a process runs. A zombie does not: it stays where nobody collects it, as in a container without init."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_for_end(processes: Sequence[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait until all of the processes have ended, but no longer than some seconds; those that still run then."""
    deadline = time.monotonic() + seconds
    while (running := list(filter(runs, processes))) and time.monotonic() < deadline:
        time.sleep(0.02)
    return running
