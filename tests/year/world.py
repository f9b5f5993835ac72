"""The world of the year: a server and the pipeline's daemon, each with its clock, and the databases of both."""

from __future__ import annotations

import json
import os
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from subprocess import PIPE
from typing import TYPE_CHECKING, Any, Self
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from tests.processes import PATIENCE, Program, finished, started
from tests.support import Value, server_home
from tests.year.clock import Clock
from yumai_pipelines.local.server import LocalServer
from yumai_pipelines.local.ui import make_instance
from yumai_pipelines.model.months import Month
from yumai_pipelines.postgres.connections import to_url, with_database
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


ROOT = Path(__file__).parents[2]
SEOUL = ZoneInfo("Asia/Seoul")
USER_KEY = "of the year, which nobody has to guess"
MEMORY = "yumai_memory"
TICK = timedelta(seconds=2)
"""How long after the time of a tick the daemon looks."""

_IN_THE_YEAR = """
# Runs run in the daemon itself, one after the other, and what they print goes to its own output.
run_coordinator:
  module: dagster._core.run_coordinator
  class: DefaultRunCoordinator
run_launcher:
  module: dagster._core.launcher.sync_in_memory_run_launcher
  class: SyncInMemoryRunLauncher
compute_logs:
  module: dagster._core.storage.noop_compute_log_manager
  class: NoOpComputeLogManager
"""


@dataclass(frozen=True)
class Run:
    """A run of the daemon, as it told of it."""

    job: str
    success: bool
    at: str
    months: list[str]
    errors: list[str]
    failed_checks: dict[str, str]

    @property
    def day(self) -> date:
        """The day in Seoul on which it was launched."""
        return datetime.fromisoformat(self.at).astimezone(SEOUL).date()


class World:
    """A server with the database and the memory, and the daemon while it runs."""

    def __init__(self, home: Path, at: datetime, settings: Mapping[str, str]) -> None:
        self.home = home
        self.settings = {"YUMAI_FIRST_MONTH": Month.of(at, SEOUL).key, **settings}
        self.code = ROOT
        self.clock = Clock(home / "clock", at)
        self.servers_clock = Clock(home / "clock-of-the-server", at)
        self.server_ahead = timedelta(0)
        self.runs: list[Run] = []
        self.errors: list[str] = []
        self._server = LocalServer(home)
        self._daemon: Program | None = None
        self._programs = ExitStack()
        self._connections = ExitStack()

    @classmethod
    @contextmanager
    def begin(cls, at: datetime, **settings: str) -> Iterator[Self]:
        """Start the server, install the schema and start the daemon, at an instant."""
        with server_home() as home:
            world = cls(home, at, settings)
            with (make_instance(home) / "dagster.yaml").open("a") as configuration:
                configuration.write(_IN_THE_YEAR)
            try:
                world.start_server()
                world.install()
                world.admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE yumai").format(sql.Identifier(MEMORY)))
                world.connect()
                world.start_daemon()
                world.look()
                yield world
            finally:
                world.stop_daemon()
                world.stop_server()

    @property
    def runs_daemon(self) -> bool:
        return self._daemon is not None

    @property
    def runs_server(self) -> bool:
        return self._server.status().running

    # The clocks

    @property
    def now(self) -> datetime:
        """The time by the pipeline's clock."""
        return self.clock.now

    def go_to(self, instant: datetime) -> None:
        """Let the time pass until an instant by the pipeline's clock. The clocks stay as far apart as they are."""
        self.clock.set(instant)
        self.servers_clock.set(instant + self.server_ahead)

    def put_server_ahead(self, by: timedelta) -> None:
        """Set the server's clock so much ahead of the pipeline's."""
        self.server_ahead = by
        self.go_to(self.now)

    # The server and its databases

    def start_server(self) -> None:
        with self.servers_clock.inherited():
            self._server.start()
        self._connections = ExitStack()
        self.admin = self._connections.enter_context(psycopg.connect(self._server.url("postgres"), autocommit=True))
        # What the year writes is deleted afterwards, so it need not reach the disk.
        self.admin.execute("ALTER SYSTEM SET fsync = off")
        self.admin.execute("SELECT pg_reload_conf()")
        self.url = self._server.url()

    def connect(self) -> None:
        """Connect to the database as its superuser and as the chatbot, and to the memory."""
        self.admin.execute(
            "DO $$ BEGIN CREATE ROLE the_chatbot LOGIN PASSWORD 'secret' IN ROLE yumai_app; "
            "EXCEPTION WHEN duplicate_object THEN NULL; END $$"
        )
        url = self._server.url()
        app = to_url({**conninfo_to_dict(url), "user": "the_chatbot", "password": "secret"})
        self.database, self.app, self.memory = (
            self._connections.enter_context(psycopg.connect(each, autocommit=True))
            for each in (url, app, with_database(url, MEMORY))
        )

    def stop_server(self) -> None:
        self._connections.close()
        with self.servers_clock.inherited():
            self._server.stop()

    # The pipeline

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the pipeline's programs."""
        return {
            **os.environ,
            **self.clock.environment,
            "PYTHONPATH": str(self.code),
            "DAGSTER_HOME": str(self.home / "dagster"),
            "YUMAI_HOME": str(self.home),
            "YUMAI_DATABASE_URL": self._server.url(),
            "YUMAI_USER_KEY_SECRET": USER_KEY,
            "YUMAI_ARCHIVE_URL": str(self.home / "archive"),
            **self.settings,
        }

    @property
    def pipelines_settings(self) -> Settings:
        """The settings as the pipeline reads them."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.settings.items():
                patch.setenv(name, value)
            return Settings()

    def install(self) -> None:
        """Install the schema, or bring it up to date, as people do."""
        command = [sys.executable, "-c", "from yumai_pipelines.cli import app; app()", "up"]
        done = finished(command, cwd=self.code, env=self.environment)
        assert done.returncode == 0, done.stdout + done.stderr

    def start_daemon(self) -> None:
        log = self._programs.enter_context((self.home / "daemon.log").open("a"))
        command = [sys.executable, "-m", "tests.year.daemon"]
        self._daemon = self._programs.enter_context(
            started(command, cwd=self.code, env=self.environment, stdin=PIPE, stdout=PIPE, stderr=log)
        )

    def stop_daemon(self) -> None:
        """End the daemon, which ends when there is nothing more to read."""
        if self._daemon is not None and self._daemon.stdin is not None:
            self._daemon.stdin.close()
            self._daemon.wait(PATIENCE)
        self._programs.close()
        self._daemon = None

    def restart_daemon(self) -> None:
        """Start the daemon anew, as after settings have changed."""
        self.stop_daemon()
        self.start_daemon()

    def _ask(self, command: str) -> Value:
        daemon = self._daemon
        assert daemon is not None
        assert daemon.stdin is not None
        assert daemon.stdout is not None
        daemon.stdin.write(command + "\n")
        daemon.stdin.flush()
        answer = daemon.stdout.readline()
        assert answer, (self.home / "daemon.log").read_text()[-5000:]
        return json.loads(answer)

    def look(self) -> list[Run]:
        """Let the daemon look once, and return the runs that it launched."""
        return self._note(self._ask("look"))

    def run(self, job: str, first: Month, last: Month) -> list[Run]:
        """Launch a run for a range of months as a person would, and return it."""
        return self._note(self._ask(f"run {job} {first.partition_key} {last.partition_key}"))

    def _note(self, answer: dict[str, Any]) -> list[Run]:
        self.errors += answer["errors"]
        runs = [Run(**each) for each in answer["runs"]]
        self.runs += runs
        return runs

    def tick_until(self, instant: datetime) -> Iterator[list[Run]]:
        """Let the time pass until an instant. The daemon looks whenever a schedule ticks."""
        while (tick := datetime.fromisoformat(self._ask("when"))) <= instant:
            self.go_to(max(tick + TICK, self.now))
            yield self.look()
        self.go_to(instant)
