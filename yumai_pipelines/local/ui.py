"""Dagster's code server, UI and daemon for `yumai dev`: trees of child processes that end with their parent.

Dagster is configured by `dagster.yaml`, and shows what is in `definitions.py`.
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
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import psutil

from yumai_pipelines.local.processes import runs

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

HOST = "127.0.0.1"
_SECONDS_TO_SERVE = 120
_SECONDS_TO_END = 30


class DevServerError(Exception):
    """Dagster cannot be served. The message says why, and what to do."""


def serve(home: Path, port: int, announce: Callable[[str], None]) -> None:
    """Run Dagster until Ctrl-C, SIGTERM or SIGHUP: code server, webserver, daemon. Then end all that they started.

    Args:
        home: an absolute path. Dagster's instance is made in `dagster` below it.
        port: the port of the UI, on 127.0.0.1.
        announce: called with the URL of the UI when that answers.

    Raises:
        DevServerError: the port is taken, or Dagster ended by itself.
    """
    _refuse_taken_port(port)
    instance = make_instance(home)
    environment = {**os.environ, "YUMAI_HOME": str(home), "DAGSTER_HOME": str(instance)}
    programs: list[subprocess.Popen[bytes]] = []

    def start(module: str, *arguments: object) -> None:
        # A session of its own, so that Ctrl-C comes here alone and the children end in order.
        command = [sys.executable, "-m", module, *map(str, arguments)]
        programs.append(subprocess.Popen(command, cwd=instance, env=environment, start_new_session=True, umask=0o077))

    with _signals_as_interrupt(), TemporaryDirectory(prefix="yumai-") as private:
        # Others cannot enter the directory: whoever reaches the socket can launch runs. The path of a socket must be
        # short, as one below the home may not be.
        code, workspace = Path(private, "code"), Path(private, "workspace.yaml")
        workspace.write_text(_WORKSPACE.format(socket=code))
        try:
            # One after the other, since the first makes the tables of Dagster's database.
            start(
                "dagster", "code-server", "start", "--socket", code, "--module-name", "yumai_pipelines.definitions",
                "--location-name", "yumai_pipelines", "--log-level", "warning", "--use-python-environment-entry-point",
            )  # fmt: skip
            _wait_until_answered(programs, socket.AF_UNIX, str(code))
            start("yumai_pipelines.webserver", workspace, port)
            _wait_until_answered(programs, socket.AF_INET, (HOST, port))
            start("dagster._daemon", "run", "--workspace", workspace, "--log-level", "error")
            announce(f"http://{HOST}:{port}")
            while not _ended(programs):
                time.sleep(0.2)
        except KeyboardInterrupt:
            return
        finally:
            _end(programs)
    raise DevServerError(_obituary(programs))


_WORKSPACE = """
load_from:
  - grpc_server:
      socket: {socket}
      location_name: yumai_pipelines
"""
"""One code server for the webserver and the daemon, which would each load all code once more."""


def make_instance(home: Path) -> Path:
    """Make the directory of Dagster's instance, with the packaged dagster.yaml and workspace.yaml."""
    instance = home / "dagster"
    instance.mkdir(mode=0o700, parents=True, exist_ok=True)
    # What runs print is kept there. Earlier versions let others read it.
    if instance.stat().st_uid == os.geteuid():
        instance.chmod(0o700)
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
    """Name the process that has the port; return an empty text if the system does not tell."""
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
    """Treat SIGTERM, and SIGHUP for a lost terminal, as Ctrl-C."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait_until_answered(
    programs: Sequence[subprocess.Popen[bytes]], family: socket.AddressFamily, address: str | tuple[str, int]
) -> None:
    deadline = time.monotonic() + _SECONDS_TO_SERVE
    while time.monotonic() < deadline:
        if _ended(programs):
            raise DevServerError(_obituary(programs))
        with socket.socket(family) as probe:
            probe.settimeout(5)
            try:
                probe.connect(address)
            except OSError:
                time.sleep(0.2)
            else:
                return
    raise DevServerError(f"Dagster did not answer within {_SECONDS_TO_SERVE} s. Its messages stand above.")


def _ended(programs: Sequence[subprocess.Popen[bytes]]) -> list[subprocess.Popen[bytes]]:
    return [each for each in programs if each.poll() is not None]


def _obituary(programs: Sequence[subprocess.Popen[bytes]]) -> str:
    first = _ended(programs)[0]
    return f"Dagster ended by itself, with status {first.returncode}. Its messages stand above."


def _end(programs: Sequence[subprocess.Popen[bytes]]) -> None:
    """End Dagster, by force what has not ended half a minute later, or at a second Ctrl-C."""
    groups = {each.pid for each in programs}
    deadline = time.monotonic() + _SECONDS_TO_END
    try:
        for process in _members(groups):
            process.terminate()
        while _members(groups) and time.monotonic() < deadline:
            time.sleep(0.1)
    finally:
        for process in _members(groups):
            process.kill()
        for each in programs:
            each.wait()


def _members(groups: Collection[int]) -> list[psutil.Process]:
    """The processes of some process groups that run."""
    members = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, ProcessLookupError):
            if os.getpgid(process.pid) in groups and runs(process):
                members.append(process)
    return members
