"""Starts programs for tests. Every wait is bounded, and a program is ended with everything that it started.

The linter makes sure that tests start programs only with these functions. `watchdog.py` ends what a test still leaves.
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
"""Seconds within which a program must end by itself. It is less than the timeout of a test, which would say less."""

_SECONDS_TO_END = 10.0

Program = subprocess.Popen[str]
Finished = subprocess.CompletedProcess[str]


class Options(TypedDict, total=False):
    """Options for starting a program, as in `subprocess.Popen`."""

    bufsize: int
    cwd: Path | str | None
    env: Mapping[str, str]
    stdin: int | IO[str]
    stdout: int | IO[str]
    stderr: int | IO[str]
    user: int | None
    start_new_session: bool


# A fork of the tests' own process would copy the locks that its other threads hold at that moment, and could wait for
# them for ever. The fork server has no threads, and imports once what its forks need.
_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["yumai_pipelines.local.server", "pytest"])


def finished(
    command: Sequence[str], *, typed: str | None = None, timeout: float = PATIENCE, **options: Unpack[Options]
) -> Finished:
    """Run a command to its end, with `typed` as its input. Return its exit status and what it printed, as text."""
    options |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    if typed is not None:
        options["stdin"] = subprocess.PIPE
    with started(command, **options) as process:
        printed, complained = process.communicate(typed, timeout=timeout)
    return subprocess.CompletedProcess(command, process.returncode, printed, complained)


@contextmanager
def started(command: Sequence[str], **options: Unpack[Options]) -> Iterator[Program]:
    """Run a command in the background. At the end, end it with everything that it started, if it still runs."""
    process = subprocess.Popen(command, text=True, **options)
    try:
        yield process
    finally:
        if process.poll() is None:
            _end(process)
        for pipe in filter(None, (process.stdin, process.stdout, process.stderr)):
            pipe.close()


def _end(process: Program) -> None:
    """Ask a process to end. Then kill it if it does not, and all of its descendants."""
    descendants = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    try:
        process.wait(_SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(_SECONDS_TO_END)
    kill_what_does_not_end(descendants, _SECONDS_TO_END)


def kill_what_does_not_end(family: Sequence[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait for processes, and kill those that do not end in time. Return the killed ones. A zombie has ended."""
    late = wait_for_end(family, seconds)
    for each in late:
        with suppress(psutil.NoSuchProcess):
            each.kill()
    return late


def forked(work: Callable[..., object], *arguments: object, timeout: float = PATIENCE) -> int:
    """Call a module's function in another process, which may give up its rights or be killed.

    Returns: the exit code: 0, 1 after an exception, or the negative number of the signal that ended the process.
    """
    child = _forks.Process(target=work, args=arguments)
    child.start()
    child.join(timeout)
    if child.exitcode is None:
        child.kill()
        child.join(_SECONDS_TO_END)
        raise TimeoutError(f"{work.__qualname__} did not end within {timeout:g} s.")
    return child.exitcode
