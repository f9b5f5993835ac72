"""Months are made, filled, archived and restored while four clients write, others read for long, and sessions end."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq

from tests.clients import clients_of
from tests.support import Connection, one
from yumai_pipelines.archives.archive import archive_months
from yumai_pipelines.archives.restore import restore_month
from yumai_pipelines.archives.store import Store
from yumai_pipelines.model.lock_policy import LockPolicy
from yumai_pipelines.model.months import Month
from yumai_pipelines.partitions import archived
from yumai_pipelines.partitions.ensure import ensure_months
from yumai_pipelines.postgres.connections import connect

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

SEOUL = ZoneInfo("Asia/Seoul")
POLICY = LockPolicy(lock_timeout=timedelta(milliseconds=100), patience=timedelta(seconds=60))
START = datetime(2024, 8, 1, tzinfo=SEOUL)
AS_OF = datetime(2025, 6, 15, tzinfo=SEOUL)
AUGUST, SEPTEMBER, OCTOBER, NOVEMBER, DECEMBER = (Month(2024, number) for number in range(8, 13))

MEASURED = logging.getLogger(__name__)


class Books:
    """What the clients have written, and what was deleted with its session."""

    def __init__(self) -> None:
        self.written: dict[object, int] = {}
        self.deleted: list[int] = []
        self.lock = threading.Lock()

    def insert(self, writer: Connection, random: Random) -> None:
        """Insert a session with a turn in one of five months."""
        at = START + timedelta(days=random.randrange(150))
        with writer.transaction():
            session = one(writer, "INSERT INTO chatbot.session_master DEFAULT VALUES RETURNING session_id")
            turn = one(
                writer,
                "INSERT INTO chatbot.conversations (session_id, conversation_time) VALUES (%s, %s) RETURNING id",
                session,
                at,
            )
        with self.lock:
            self.written[session] = turn
        time.sleep(0.005)

    def insert_slowly(self, writer: Connection, random: Random) -> None:
        """Insert the same in a transaction that stays open for a while."""
        with writer.transaction():
            self.insert(writer, random)
            time.sleep(0.3)
        time.sleep(0.3)

    def delete(self, writer: Connection, random: Random) -> None:
        """Delete a session with its turn."""
        time.sleep(0.02)
        with self.lock:
            if not self.written:
                return
            session = random.choice(list(self.written))
            turn = self.written.pop(session)
        if writer.execute("DELETE FROM chatbot.session_master WHERE session_id = %s", (session,)).rowcount:
            self.deleted.append(turn)
        else:  # the transaction of its insert is still open
            with self.lock:
                self.written[session] = turn


def read_for_long(reader: Connection, _random: Random) -> None:
    with reader.transaction():
        one(reader, "SELECT count(*) FROM chatbot.conversations")
        time.sleep(0.3)
    time.sleep(0.3)


def test_every_row_is_in_a_table_or_in_a_file_once(database: str, connection: Connection, tmp_path: Path) -> None:
    books, store = Books(), Store.at(str(tmp_path))

    def archive(*months: Month, again: bool = False) -> None:
        reports = archive_months(
            owner, months, store=store, zone=SEOUL, policy=POLICY, kept=6, as_of=AS_OF, again=again
        )
        for report in reports:
            MEASURED.info(
                "%s %s, %.0f ms, %d retries", report.month, report.action, report.lock_held_ms, report.retries
            )

    with connect(database, application_name="test: months") as owner, clients_of(database) as clients:
        for _ in range(4):
            clients.add(books.insert)
        clients.add(books.insert_slowly)
        clients.add(books.delete)
        clients.add(read_for_long)
        time.sleep(1)
        ensure_months(owner, [AUGUST, SEPTEMBER], zone=SEOUL, policy=POLICY, batch_rows=200)
        archive(AUGUST)
        ensure_months(owner, [OCTOBER, NOVEMBER], zone=SEOUL, policy=POLICY, batch_rows=200)
        restore_month(owner, AUGUST, zone=SEOUL, policy=POLICY, batch_rows=200)
        archive(SEPTEMBER, OCTOBER)
        archive(AUGUST, again=True)
        ensure_months(owner, [DECEMBER], zone=SEOUL, policy=POLICY, batch_rows=200)
        restore_month(owner, SEPTEMBER, zone=SEOUL, policy=POLICY, batch_rows=200)

    tables = Counter(i for (i,) in connection.execute("SELECT id FROM chatbot.conversations"))
    archives = [each for each in archived.read(connection).values() if each.state == "archived"]
    assert {each.month for each in archives} == {"2024-08", "2024-10"}
    files = Counter(
        i for each in archives for i in pq.read_table(str(each.uri).removeprefix("file://"))["id"].to_pylist()
    )
    assert set((tables + files).values()) == {1}
    assert set(books.written.values()) <= set(tables + files)
    assert tables.keys() & set(books.deleted) == set()
    assert (tables + files).keys() - set(books.written.values()) == files.keys() & set(books.deleted)
    assert files.keys() - set(books.deleted)
    MEASURED.info("%d rows, %d in files, %d deleted", len(books.written), len(files), len(books.deleted))
    assert one(connection, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 0
