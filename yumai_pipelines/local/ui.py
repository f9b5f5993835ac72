"""Dagster's UI and daemon for `yumai dev`: a tree of child processes that ends with its parent.

How Dagster is set up stands in `dagster.yaml`; what it shows, in `definitions.py`.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from yumai_pipelines.local.private import DIRECTORY, make_private
from yumai_pipelines.local.processes import runs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HOST = "127.0.0.1"
_SECONDS_TO_SERVE = 120
_SECONDS_TO_END = 30


class DevServerError(Exception):
    """Dagster cannot be served. The message says why, and what to do."""


def serve(home: Path, port: int, announce: Callable[[str], None]) -> None:
    """Run Dagster's webserver and daemon until Ctrl-C, SIGTERM or SIGHUP; then end every process that they started.

    Args:
        home: absolute; Dagster's instance is made in `dagster` below it.
        port: of the UI, on 127.0.0.1.
        announce: called with the UI's URL when it answers.

    Raises:
        DevServerError: the port is taken, or Dagster ended by itself.
    """
    _refuse_taken_port(port)
    instance = make_instance(home)
    command = [
        sys.executable, "-m", "dagster_dg_cli.cli", "dev", "--workspace", str(instance / "workspace.yaml"),
        "--host", HOST, "--port", str(port), "--log-level", "error",
    ]  # fmt: skip
    environment = {**os.environ, "YUMAI_HOME": str(home), "DAGSTER_HOME": str(instance)}
    with _signals_as_interrupt():
        # A session of its own, so that Ctrl-C comes here alone and the children end in order.
        dagster = subprocess.Popen(command, cwd=instance, env=environment, start_new_session=True, umask=0o077)
        try:
            _wait_until_served(dagster, port)
            announce(f"http://{HOST}:{port}")
            dagster.wait()
        except KeyboardInterrupt:
            return
        finally:
            _end(dagster)
    raise DevServerError(f"Dagster ended by itself, with status {dagster.returncode}. Its messages stand above.")


def make_instance(home: Path) -> Path:
    """The directory of Dagster's instance, with the packaged dagster.yaml and workspace.yaml."""
    instance = home / "dagster"
    make_private(instance)
    instance.chmod(DIRECTORY)  # what runs print is below it
    package = Path(__file__).parents[1]
    for name in ("dagster.yaml", "workspace.yaml"):
        packaged, in_checkout = package / name, package.parent / name
        shutil.copyfile(packaged if packaged.exists() else in_checkout, instance / name)
    return instance


def _refuse_taken_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise DevServerError(
                f"Port {port} of {HOST} cannot be had: {error.strerror}{_listener(port)}. Choose another, as in "
                f"`yumai dev --port {port + 1}`."
            ) from error


def _listener(port: int) -> str:
    """Who has the port, as far as the system tells."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr[1:2] == (port,) and connection.pid:
                command = " ".join(psutil.Process(connection.pid).cmdline())
                return f" (process {connection.pid}, {command:.60})"
    except psutil.Error:
        pass
    return ""


@contextmanager
def _signals_as_interrupt() -> Iterator[None]:
    """Being told to end, or losing the terminal, is what Ctrl-C is."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait_until_served(dagster: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _SECONDS_TO_SERVE
    while time.monotonic() < deadline:
        if dagster.poll() is not None:
            raise DevServerError(f"Dagster did not start, status {dagster.returncode}. Its messages stand above.")
        try:
            socket.create_connection((HOST, port), timeout=5).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise DevServerError(f"Dagster did not answer on port {port} within {_SECONDS_TO_SERVE} s.")


def _end(dagster: subprocess.Popen[bytes]) -> None:
    """End Dagster, by force what has not ended half a minute later, or at a second Ctrl-C."""
    deadline = time.monotonic() + _SECONDS_TO_END
    try:
        for process in _members(dagster.pid):
            process.terminate()
        while _members(dagster.pid) and time.monotonic() < deadline:
            time.sleep(0.1)
    finally:
        for process in _members(dagster.pid):
            process.kill()
        dagster.wait()


def _members(group: int) -> list[psutil.Process]:
    """The processes of a process group that run."""
    members = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, ProcessLookupError):
            if os.getpgid(process.pid) == group and runs(process):
                members.append(process)
    return members
