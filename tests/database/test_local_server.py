from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import psutil
import psycopg
import pytest

from yumai_pipelines.local_server import LocalServer, LocalServerError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[LocalServer]:
    server = LocalServer(tmp_path / "home")
    server.start()
    yield server
    server.stop()


def test_serves_until_stopped(own_server: LocalServer) -> None:
    with psycopg.connect(own_server.url()) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    own_server.stop()
    assert not own_server.status().running
    with pytest.raises(LocalServerError, match="yumai up"):
        own_server.url()


def test_listens_on_loopback_alone(own_server: LocalServer) -> None:
    listening = [
        connection.laddr.ip
        for connection in psutil.Process(own_server.status().pid).net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening == ["127.0.0.1"]


def test_password_is_required_and_kept_private(own_server: LocalServer) -> None:
    password_file = own_server.status().data_directory.parent / "password"
    assert stat.S_IMODE(password_file.stat().st_mode) == 0o600
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(own_server.url().replace(password_file.read_text(), "guess"))


def test_data_survives_a_killed_server_and_its_stale_pid_file(own_server: LocalServer) -> None:
    with psycopg.connect(own_server.url(), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    postmaster = psutil.Process(own_server.status().pid)
    everybody = [postmaster, *postmaster.children(recursive=True)]
    os.kill(postmaster.pid, signal.SIGKILL)
    psutil.wait_procs(everybody, timeout=30)
    assert not own_server.status().running
    own_server.start()
    with psycopg.connect(own_server.url()) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_two_starts_at_once_make_one_server_that_outlives_them(tmp_path: Path) -> None:
    start = "import sys, pathlib; from yumai_pipelines.local_server import LocalServer as S; "
    start += "print(S(pathlib.Path(sys.argv[1])).start().pid)"
    command = [sys.executable, "-c", start, str(tmp_path / "home")]
    starters = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    pids = {starter.communicate(timeout=120)[0].strip() for starter in starters}
    server = LocalServer(tmp_path / "home")
    try:
        assert pids == {str(server.status().pid)}
    finally:
        server.stop()


def test_half_made_data_directory_is_made_again(tmp_path: Path) -> None:
    server = LocalServer(tmp_path / "home")
    half = server.status().data_directory.with_name("data.new")
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("17")
    try:
        assert server.start().running
    finally:
        server.stop()
