"""A plugin of pytest: no test hangs, and no process that a test started outlives the run.

pytest-timeout raises an error in a test that takes too long, but only once. If the cleanup after that error waits as
well, this plugin ends the whole process. pytest-xdist then reports the test as failed, and goes on.
"""

from __future__ import annotations

import faulthandler
import os
import secrets
import signal
import threading
from contextlib import suppress
from typing import IO, TYPE_CHECKING

import psutil
import pytest

from tests.processes import kill_what_does_not_end

if TYPE_CHECKING:
    from collections.abc import Generator

_SECONDS_TO_END = 5

RUN = "PYTEST_WATCHED_RUN"
"""Environment variable of every process that the run starts. Its value is unique to this run."""

STDERR = pytest.StashKey[IO[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("watchdog_grace", default="60", help="seconds from the timeout of a test to the end of its process")


def pytest_configure(config: pytest.Config) -> None:
    # This is still the run's own stderr. During a test, stderr is captured.
    config.stash[STDERR] = os.fdopen(os.dup(2), "w")
    # A background job of a script starts with SIGINT ignored. If it stayed so, Dagster's first run in a process would
    # make all processes started later ignore SIGTERM too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if not _is_worker(config):
        os.environ[RUN] = secrets.token_hex(8)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    timeout = item.config.getoption("timeout") or item.config.getini("timeout")
    limit = float(timeout) + float(item.config.getini("watchdog_grace"))
    reason = f"{item.nodeid} did not end within {limit:.0f} s."
    timer = threading.Timer(limit, _give_up, [reason, item.config.stash[STDERR]])
    timer.daemon = True
    timer.start()
    try:
        return (yield)
    finally:
        timer.cancel()


def _give_up(reason: str, stderr: IO[str]) -> None:
    """End this process, whatever its threads wait for, and print where each thread was."""
    print(f"\n{reason} Its process is ended.", file=stderr, flush=True)
    faulthandler.dump_traceback(stderr)
    os._exit(1)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, object, object]:
    """After the workers have ended, end the processes that tests left behind. If there are any, the run has failed."""
    result = yield
    if not _is_worker(session.config):
        left = end_what_is_left_of(os.environ[RUN])
        if left:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
            terminal = session.config.get_terminal_writer()
            terminal.line("\n  ".join(["\nLeft behind by the tests, and ended now:", *left]))
    return result


def end_what_is_left_of(run: str) -> list[str]:
    """Kill every process that has the mark of a run, and return their commands.

    Processes that are about to end, such as Dagster's watchers of a killed process, get a moment to do so. This process
    and the helpers of its `multiprocessing`, which end with it, are left alone.
    """
    marked = {}
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            command = " ".join(process.cmdline())
            helper = process.ppid() == os.getpid() and "from multiprocessing." in command
            if process.environ().get(RUN) == run and process.pid != os.getpid() and not helper:
                marked[process] = command
    return [marked[process] for process in kill_what_does_not_end(list(marked), _SECONDS_TO_END)]


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")
