"""Tells whether processes of this machine still run. It neither starts nor ends them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Sequence


def runs(process: psutil.Process) -> bool:
    """Return whether a process runs.

    A zombie does not count, since it remains for ever if no parent collects it, as in a container without init.
    """
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_for_end(processes: Sequence[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait until the processes have ended, but no longer than `seconds`, and return those that still run."""
    deadline = time.monotonic() + seconds
    while (running := list(filter(runs, processes))) and time.monotonic() < deadline:
        time.sleep(0.02)
    return running
