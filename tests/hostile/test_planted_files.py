"""The server's account plants links where root writes: nothing else of the machine is read or overwritten.

Root starts the embedded server under another account. Earlier versions gave that account the directory in which root's
own files are. Such directories are still about, with whatever was planted in them.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import psycopg
import pytest

from tests.processes import forked
from tests.support import server_home
from yumai_pipelines.local.server import LocalServer, LocalServerError
from yumai_pipelines.local.ui import make_instance

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTENT = "what only root may read, and nobody may overwrite\n"


def become(uid: int) -> None:
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)


def plant_link(uid: int, path: Path, target: Path) -> None:
    become(uid)
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def plant_pipe(uid: int, path: Path, _target: Path) -> None:
    become(uid)
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def plant_directory(uid: int, path: Path, _target: Path) -> None:
    become(uid)
    path.unlink(missing_ok=True)
    path.mkdir()


@pytest.fixture(scope="module")
def used_home() -> Iterator[Path]:
    with server_home() as directory:
        home = directory / "home"
        LocalServer(home).start()
        LocalServer(home).stop()
        yield home


def account_of(home: Path) -> int:
    return (home / "server" / "data").stat().st_uid


@pytest.fixture
def older_home(used_home: Path) -> Iterator[Path]:
    """A home with a stopped server, as earlier versions made it: the account owns the directory."""
    server = used_home / "server"
    os.chown(server, account_of(used_home), -1)
    server.chmod(0o755)
    yield used_home
    for each in server.iterdir():
        if each.name in {"lock", "port", "server.log"}:
            each.rmdir() if each.is_dir() and not each.is_symlink() else each.unlink()
    LocalServer(used_home).start()
    LocalServer(used_home).stop()


@pytest.fixture
def target(used_home: Path) -> Iterator[Path]:
    """A file of root's, which the server's account cannot read."""
    target = used_home.parent / "target"
    target.write_text(CONTENT)
    target.chmod(0o600)
    yield target
    target.unlink()


def test_roots_files_are_in_roots_directory(used_home: Path) -> None:
    server = used_home / "server"
    assert (server.stat().st_uid, stat.S_IMODE(server.stat().st_mode) & 0o066) == (os.geteuid(), 0)
    assert {path.name for path in server.iterdir() if path.stat().st_uid != os.geteuid()} <= {"data", "server.log"}
    assert forked(plant_link, 65534, server / "lock", Path("/etc/hostname")) == (1 if os.geteuid() == 0 else 0)


def test_an_older_home_is_taken_back_and_goes_on_working(older_home: Path) -> None:
    server = LocalServer(older_home)
    server.start()
    with psycopg.connect(server.url()) as connection:
        assert connection.execute("SELECT 42").fetchone() == (42,)
    server.stop()
    assert (older_home / "server").stat().st_uid == os.geteuid()


@pytest.mark.parametrize("name", ["lock", "port", "server.log"])
@pytest.mark.parametrize("plant", [plant_link, plant_pipe, plant_directory])
def test_what_was_planted_in_an_older_home_is_left_alone_and_named(
    older_home: Path, target: Path, name: str, plant: object
) -> None:
    assert callable(plant)
    planted = older_home / "server" / name
    assert forked(plant, account_of(older_home), planted, target) == 0
    with pytest.raises(LocalServerError, match=rf"/{name} is a link, or something else .* remove it"):
        LocalServer(older_home).start()
    assert target.read_text() == CONTENT
    assert target.stat().st_uid == os.geteuid()


@pytest.mark.parametrize("name", ["lock", "port", "server.log"])
def test_a_link_to_nothing_makes_no_file(older_home: Path, name: str) -> None:
    nothing = older_home.parent / "nothing"
    planted = older_home / "server" / name
    assert forked(plant_link, account_of(older_home), planted, nothing) == 0
    with pytest.raises(LocalServerError, match="is a link"):
        LocalServer(older_home).start()
    assert not nothing.exists()


def test_a_second_name_of_a_file_is_no_file_of_ours(older_home: Path, target: Path) -> None:
    lock = older_home / "server" / "lock"
    lock.unlink()
    os.link(target, lock)
    with pytest.raises(LocalServerError, match=r"/lock is a link, or something else"):
        LocalServer(older_home).start()
    assert target.read_text() == CONTENT


def test_a_password_that_is_a_link_is_not_read(older_home: Path, target: Path) -> None:
    password = older_home / "server" / "password"
    password.rename(older_home / "kept")
    assert forked(plant_link, account_of(older_home), password, target) == 0
    with pytest.raises(LocalServerError, match=r"/password is a link") as refused:
        LocalServer(older_home).start()
    assert "only root" not in str(refused.value)
    password.unlink()
    (older_home / "kept").rename(password)


def test_data_that_is_a_link_is_not_used(older_home: Path, target: Path) -> None:
    """As owner of what the link points at, root would have been the account that runs the planted programs."""
    data = older_home / "server" / "data"
    account = account_of(older_home)
    data.rename(older_home / "aside")
    try:
        assert forked(plant_link, account, data, target.parent) == 0
        with pytest.raises(
            LocalServerError, match="/data is a link, or belongs to root" if account else "cannot be used"
        ):
            LocalServer(older_home).start()
    finally:
        data.unlink()
        (older_home / "aside").rename(data)


def test_the_pid_file_of_a_killed_server_is_not_written_through(used_home: Path, target: Path) -> None:
    pid = LocalServer(used_home).start().pid
    assert pid is not None
    everybody = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    everybody[0].kill()
    assert not psutil.wait_procs(everybody, timeout=30)[1]
    pid_file = used_home / "server" / "data" / "postmaster.pid"
    assert forked(plant_link, account_of(used_home), pid_file, target) == 0
    with pytest.raises(LocalServerError, match=r"postmaster\.pid is a link"):
        LocalServer(used_home).start()
    assert target.read_text() == CONTENT
    pid_file.unlink()


def test_a_home_of_the_servers_account_is_that_accounts_business(used_home: Path) -> None:
    """Its owner could put another directory in the place of root's at any moment."""
    if os.geteuid() != 0:
        return
    os.chown(used_home, account_of(used_home), -1)
    try:
        with pytest.raises(LocalServerError, match=r"belongs to another user\. Run as that user"):
            LocalServer(used_home).start()
    finally:
        os.chown(used_home, 0, -1)


def test_everything_is_for_its_owner_alone(used_home: Path) -> None:
    for path in [used_home / "server", *(used_home / "server").iterdir()]:
        others = stat.S_IMODE(path.stat().st_mode) & 0o077
        assert others == 0 or (path.is_dir() and others == 0o011), path


def test_what_runs_print_is_for_its_owner_alone(tmp_path: Path) -> None:
    instance = tmp_path / "home" / "dagster"
    instance.mkdir(parents=True, mode=0o755)
    assert make_instance(tmp_path / "home") == instance
    assert stat.S_IMODE(instance.stat().st_mode) == 0o700


PARAMETER = "of the tests, which nobody has to guess"


def test_the_servers_log_has_no_parameters(used_home: Path) -> None:
    """The secret of the user keys is a parameter of the statements that build the extracts."""
    server = LocalServer(used_home)
    server.start()
    try:
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET log_parameter_max_length_on_error = -1")
            connection.execute("ALTER SYSTEM SET log_parameter_max_length = -1")
            connection.execute("ALTER SYSTEM SET log_min_duration_statement = 0")
            connection.execute("SELECT pg_reload_conf()")
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute("SELECT md5(%s) AS succeeds", (PARAMETER,))
            with pytest.raises(psycopg.errors.DivisionByZero):
                connection.execute("SELECT length(%s::text) / (length(%s::text) - 39) AS fails", (PARAMETER, PARAMETER))
    finally:
        server.stop()
    log = server.status().log_file.read_text()
    assert "AS succeeds" in log
    assert "AS fails" in log
    assert PARAMETER not in log
