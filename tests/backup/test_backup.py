"""What docs/backup.md says, on a server of its own: base backup and WAL, and a return to a moment."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import dagster as dg
import psycopg
import pytest
from fsspec.core import url_to_fs
from psycopg import sql

from tests.support import Connection, every, one, server_home, wait_until
from yumai_pipelines.archives.agreement import disagreements
from yumai_pipelines.archives.archive import archive_months
from yumai_pipelines.archives.store import Store
from yumai_pipelines.defs.archives.agreement import unlike_history
from yumai_pipelines.local.server import Account, LocalServer, _installed, _run
from yumai_pipelines.model.lock_policy import LockPolicy
from yumai_pipelines.model.months import Month
from yumai_pipelines.partitions import archived
from yumai_pipelines.partitions.ensure import ensure_months
from yumai_pipelines.postgres.connections import connect
from yumai_pipelines.schema.upgrade import upgrade
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

SEOUL = ZoneInfo("Asia/Seoul")
FIRST, SECOND = Month(2024, 8), Month(2024, 9)
POLICY = LockPolicy()

CONVERSE = """
    INSERT INTO chatbot.conversations (session_id, conversation_time, input_text)
    SELECT s.session_id, %s, %s
    FROM chatbot.session_master AS s
    LIMIT 1
"""


class Machine:
    """A server whose WAL is archived, and the directories of its backups."""

    def __init__(self, home: Path) -> None:
        self.server = LocalServer(home)
        self.server.start()
        self.account = self.server._account()
        self.binaries = self.server._reachable_copy(*_installed(), self.account)
        self.wal, self.base, self.store = (self._directory(home / name) for name in ("wal", "base", "archive"))
        with psycopg.connect(self.server.url(), autocommit=True) as admin:
            admin.execute("ALTER SYSTEM SET archive_mode = on")
            command = f"test ! -f {self.wal}/%f && cp %p {self.wal}/%f"
            admin.execute(sql.SQL("ALTER SYSTEM SET archive_command = {}").format(command))
        self.server.stop()
        self.server.start()
        upgrade(self.server.url(), Settings())

    def _directory(self, path: Path) -> Path:
        path.mkdir(mode=0o700)
        self._give(path)
        return path

    def _give(self, *paths: Path) -> None:
        if isinstance(self.account, Account):
            for path in paths:
                os.chown(path, self.account.uid, self.account.gid)

    def back_up(self) -> None:
        """Take a base backup."""
        _run(self.binaries, self.account, "pg_basebackup", "-d", self.server.url(), "-D", self.base, "-c", "fast")

    def mark(self, connection: Connection) -> str:
        """Return a moment to which the server can return."""
        moment = str(one(connection, "SELECT clock_timestamp()"))
        connection.execute("SELECT pg_sleep(0.01)")
        return moment

    def archive_wal(self) -> None:
        """Let everything that was written reach the archive of the WAL."""
        with psycopg.connect(self.server.url(), autocommit=True) as admin:
            segment = one(admin, "SELECT pg_walfile_name(pg_switch_wal())")
        wait_until((self.wal / segment).exists)

    def go_back(self, moment: str) -> None:
        """Return to a moment, as docs/backup.md says."""
        self.server.stop()
        data = self.server._data
        shutil.rmtree(data)
        shutil.copytree(self.base, data)
        with (data / "postgresql.auto.conf").open("a", encoding="utf-8") as file:
            file.write(
                f"restore_command = 'cp {self.wal}/%f %p'\nrecovery_target_time = '{moment}'\n"
                "recovery_target_action = 'promote'\narchive_mode = off\n"
            )
        (data / "recovery.signal").touch()
        self._give(data, *data.rglob("*"))
        data.chmod(0o700)
        self.server.start()
        with psycopg.connect(self.server.url(), autocommit=True) as admin:
            wait_until(lambda: not one(admin, "SELECT pg_is_in_recovery()"))


@pytest.fixture
def machine() -> Iterator[Machine]:
    with server_home() as home:
        machine = Machine(home)
        try:
            yield machine
        finally:
            machine.server.stop()


def archive(connection: Connection, store: Path, month: Month) -> None:
    reports = archive_months(
        connection,
        [month],
        store=Store.at(str(store)),
        zone=SEOUL,
        policy=POLICY,
        kept=1,
        as_of=datetime(2025, 6, 15, tzinfo=UTC),
        again=True,
    )
    assert [report.action for report in reports] == ["archived"]


def texts(connection: Connection) -> list[str]:
    return [text for (text,) in every(connection, "SELECT input_text FROM chatbot.conversations ORDER BY 1")]


def test_return_to_a_moment_between_an_archive_run_and_the_next(machine: Machine, instance: dg.DagsterInstance) -> None:
    url = machine.server.url()
    with connect(url, application_name="test: backup") as owner:
        ensure_months(owner, [FIRST, SECOND], zone=SEOUL, policy=POLICY)
        owner.execute("SELECT chatbot.start_session(NULL)")
        owner.execute(CONVERSE, ("2024-08-15", "of August"))
        owner.execute(CONVERSE, ("2024-09-15", "of September"))
        archive(owner, machine.store, FIRST)
        machine.back_up()
        owner.execute(CONVERSE, ("2024-09-16", "after the backup"))
        moment = machine.mark(owner)
        owner.execute(CONVERSE, ("2024-09-17", "after the moment"))
        archive(owner, machine.store, SECOND)
        machine.archive_wal()
        assert texts(owner) == []
    machine.go_back(moment)

    with connect(url, application_name="test: backup") as owner:
        assert texts(owner) == ["after the backup", "of September"]
        assert list(archived.read(owner)) == [FIRST]
        assert disagreements(owner, SEOUL) == []
        # Dagster's database is on another server, say, and remembers what came after the moment.
        for month in (FIRST, SECOND):
            event = dg.AssetMaterialization(
                dg.AssetKey(["chatbot", "archived_conversations"]), partition=month.partition_key
            )
            instance.report_runless_asset_event(event)
        (found,) = unlike_history(instance, owner, SEOUL)
        assert (found.month, found.remedy) == ("2024-09", "Launch monthly_archive for this month.")
        archive(owner, machine.store, SECOND)
        assert unlike_history(instance, owner, SEOUL) == []

        # The copy of the archive is older than the database.
        lost = Path(url_to_fs(archived.read(owner)[SECOND].uri)[1])
        aside = lost.with_suffix(".aside")
        lost.rename(aside)
        (found,) = disagreements(owner, SEOUL)
        assert (found.month, found.fault) == ("2024-09", f"{archived.read(owner)[SECOND].uri} is not there")
        aside.rename(lost)
        assert disagreements(owner, SEOUL) == []
