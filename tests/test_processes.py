"""Whatever happens to a test, the processes that it started are ended."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests import processes
from tests.processes import Finished, finished, forked, kill_what_does_not_end, started
from tests.support import wait_until

ROOT = Path(__file__).parents[1]

HANGING_TEST = """
import pathlib, subprocess, threading

def test_that_hangs_and_goes_on_hanging_after_its_timeout():
    left = subprocess.Popen(["sleep", "600"])
    pathlib.Path(__file__).with_name("left").write_text(str(left.pid))
    try:
        threading.Event().wait()
    finally:
        threading.Event().wait()

def test_after_it():
    pass
"""


GROUPED_TESTS = """
import os, pathlib, pytest
pytestmark = pytest.mark.xdist_group("one")

@pytest.mark.parametrize("number", range(6))
def test_of_a_group(number):
    pathlib.Path(__file__).with_name(os.environ["PYTEST_XDIST_WORKER"]).touch()
"""


def run_pytest(directory: Path, tests: str, *arguments: str, options: str = "") -> Finished:
    """Run pytest on these tests alone, with the watchdog that our tests use."""
    (directory / "test_of_its_own.py").write_text(tests)
    configuration = directory / "pytest.ini"
    configuration.write_text(f"[pytest]\n{options}")
    command = [sys.executable, "-m", "pytest", "-p", "tests.watchdog", "-p", "no:cacheprovider", *arguments]
    return finished([*command, "--rootdir", str(directory), "-c", str(configuration), str(directory)], cwd=ROOT)


def test_a_test_that_hangs_is_a_failure_and_what_it_started_is_ended(tmp_path: Path) -> None:
    run = run_pytest(tmp_path, HANGING_TEST, "-n", "1", options="timeout = 1\nwatchdog_grace = 1\n")
    assert run.returncode == 1
    assert "1 failed, 1 passed" in run.stdout
    assert "did not end within 2 s. Its process is ended." in run.stderr
    assert "in test_that_hangs_and_goes_on_hanging_after_its_timeout" in run.stderr, "where it was"
    assert "Left behind by the tests, and ended now:\n  sleep 600" in run.stdout
    left = int((tmp_path / "left").read_text())
    assert all(each.status() == psutil.STATUS_ZOMBIE for each in psutil.process_iter() if each.pid == left)


def test_a_program_that_does_not_heed_is_ended_with_its_children(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(processes, "_SECONDS_TO_END", 0.5)
    shell = 'trap "" TERM; sh -c "trap \\"\\" TERM; touch ready; sleep 600"; sleep 600'
    with started(["sh", "-c", shell], cwd=tmp_path) as program:
        wait_until((tmp_path / "ready").exists)
        family = psutil.Process(program.pid).children(recursive=True)
        assert family
    assert program.returncode == -signal.SIGKILL
    assert kill_what_does_not_end(family, 5) == []


def test_waiting_for_a_program_ends() -> None:
    with pytest.raises(subprocess.TimeoutExpired, match=r"timed out after 0\.1 seconds"):
        finished(["sleep", "600"], timeout=0.1)
    with pytest.raises(TimeoutError, match=r"sleep did not end within 0\.1 s"):
        forked(time.sleep, 600, timeout=0.1)


def test_a_fork_tells_how_it_ended() -> None:
    assert forked(time.sleep, 0) == 0
    assert forked(time.sleep, -1) == 1


def test_the_tests_of_a_group_share_a_worker_and_what_it_made_for_them(tmp_path: Path) -> None:
    """With a version of pytest that it does not know, pytest-xdist would ignore the groups without a warning."""
    run = run_pytest(tmp_path, GROUPED_TESTS, "-n", "2", "--dist=loadgroup", options="timeout = 60\n")
    assert run.returncode == 0, run.stdout
    assert len(list(tmp_path.glob("gw*"))) == 1
