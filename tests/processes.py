"""Programs that tests start. Every wait for one is bounded, and it is ended together with what it started.

The linter sees to it that tests start them by these functions alone; `watchdog.py` ends what a test left all the same.
"""

from __future__ import annotations

import multiprocessing
import subprocess
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, TypedDict, Unpack

import psutil

from yumai_pipelines.local.processes import wait_for_end

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

PATIENCE = 200.0
"""Seconds within which a program must have ended by itself; below the timeout of a test, which would say less."""

_SECONDS_TO_END = 10.0

Program = subprocess.Popen[str]
Finished = subprocess.CompletedProcess[str]


class Options(TypedDict, total=False):
    """What a program is started with, as `subprocess.Popen` has it."""

    bufsize: int
    cwd: Path | str | None
    env: Mapping[str, str]
    stdin: int | IO[str]
    stdout: int | IO[str]
    stderr: int | IO[str]
    user: int | None


# A fork of the tests' own process would have a copy of the locks that its other threads held at that moment, and could
# wait for them for ever. The fork server has no threads; it imports once what its forks need.
_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["yumai_pipelines.local.server", "pytest"])


def finished(command: Sequence[str], *, timeout: float = PATIENCE, **options: Unpack[Options]) -> Finished:
    """Run a command to its end: its exit status, and as text what it printed."""
    options |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with started(command, **options) as process:
        printed, complained = process.communicate(timeout=timeout)
    return subprocess.CompletedProcess(command, process.returncode, printed, complained)


@contextmanager
def started(command: Sequence[str], **options: Unpack[Options]) -> Iterator[Program]:
    """A command that runs meanwhile. If it has not ended by itself, it is ended then, with all that it started."""
    process = subprocess.Popen(command, text=True, **options)
    try:
        yield process
    finally:
        if process.poll() is None:
            _end(process)
        for pipe in filter(None, (process.stdin, process.stdout, process.stderr)):
            pipe.close()


def _end(process: Program) -> None:
    """Ask a process to end, and then kill what is left of it and of its descendants."""
    descendants = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    try:
        process.wait(_SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(_SECONDS_TO_END)
    kill_what_does_not_end(descendants, _SECONDS_TO_END)


def kill_what_does_not_end(family: Sequence[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Those that have not ended by themselves within some seconds, and were killed. A zombie has ended."""
    late = wait_for_end(family, seconds)
    for each in late:
        with suppress(psutil.NoSuchProcess):
            each.kill()
    return late


def forked(work: Callable[..., object], *arguments: object, timeout: float = PATIENCE) -> int:
    """Call a function of a module in a process of its own, which may give up its rights or be killed.

    Returns: its exit code: 0, 1 after an exception, or the negative number of the signal that ended it.
    """
    child = _forks.Process(target=work, args=arguments)
    child.start()
    child.join(timeout)
    if child.exitcode is None:
        child.kill()
        child.join(_SECONDS_TO_END)
        raise TimeoutError(f"{work.__qualname__} did not end within {timeout:g} s.")
    return child.exitcode
