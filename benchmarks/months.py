"""The longest wait of a writer while twelve months are added, and somebody reads and somebody writes for long."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import psycopg
from psycopg import sql

from benchmarks.runner import Benchmark, Measure, Scale
from yumai_pipelines.database import connect
from yumai_pipelines.months import Month
from yumai_pipelines.partitions import LockPolicy, ensure_months

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SEOUL = ZoneInfo("Asia/Seoul")
NOW = datetime(2024, 8, 20, 12, tzinfo=SEOUL)
PRESENT = Month(2024, 8)
ADDED = list((PRESENT + 1).through(PRESENT + 12))
WRITERS = 4
INTERVAL = 0.01
LONG_READ = 30
LONG_WRITE = 20
ROWS = {Scale.SMALL: 10_000, Scale.MEDIUM: 100_000, Scale.LARGE: 1_000_000}
INSERT = "INSERT INTO chatbot.conversations (session_id, conversation_time) VALUES (%s, %s)"


class Writers:
    """Clients that insert a row every ten milliseconds, each on a connection of its own, and how long that took."""

    def __init__(self, url: str, session: object) -> None:
        """They begin at once."""
        self.longest = 0.0
        self.failed = 0
        self._url = url
        self._session = session
        self._over = threading.Event()
        self._pool = ThreadPoolExecutor(WRITERS)
        self._running = [self._pool.submit(self._write) for _ in range(WRITERS)]

    def _write(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            due = time.monotonic()
            while not self._over.is_set():
                started = time.monotonic()
                try:
                    connection.execute(INSERT, (self._session, NOW))
                except psycopg.Error:
                    self.failed += 1
                ended = time.monotonic()
                self.longest = max(self.longest, ended - started)
                due = max(due + INTERVAL, ended)
                time.sleep(due - ended)

    def stop(self) -> None:
        """Let each finish its insert."""
        self._over.set()
        self._pool.shutdown()
        for each in self._running:
            each.result()


@contextmanager
def long_transactions(url: str, session: object) -> Iterator[None]:
    """A SELECT of 30 s, and a transaction that writes and stays open for 20 s."""

    def read() -> None:
        with psycopg.connect(url, application_name="benchmark: a long SELECT") as connection:
            query = "SELECT rows, pg_sleep(%s) FROM (SELECT count(*) AS rows FROM chatbot.conversations) AS counted"
            connection.execute(query, (LONG_READ,))

    def write() -> None:
        with psycopg.connect(url, application_name="benchmark: a long transaction") as connection:
            connection.execute(INSERT, (session, NOW))
            time.sleep(LONG_WRITE)

    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(read), pool.submit(write)]
        time.sleep(1)
        yield
        for each in running:
            each.result()


def longest_wait(url: str, scale: Scale, add_months: Callable[[], object]) -> Measure:
    """The longest wait of a writer, in milliseconds, while months are added to a table with rows."""
    with connect(url, application_name="benchmark") as owner:
        ensure_months(owner, [PRESENT], zone=SEOUL, policy=LockPolicy())
        (session,) = owner.execute("INSERT INTO session_master DEFAULT VALUES RETURNING session_id").fetchone() or ("",)
        owner.execute(
            "INSERT INTO chatbot.conversations (session_id, conversation_time) "
            "SELECT %s, %s - n * interval '1 s' FROM generate_series(1, %s) AS n",
            (session, NOW, ROWS[scale]),
        )
    writers = Writers(url, session)
    try:
        with long_transactions(url, session):
            started = time.monotonic()
            add_months()
            finished = time.monotonic() - started
    finally:
        writers.stop()
    with connect(url, application_name="benchmark") as owner:
        (made,) = owner.execute(
            "SELECT count(*) - 2 FROM pg_inherits WHERE inhparent = 'chatbot.conversations'::regclass"
        ).fetchone() or (0,)
    remarks = f"{made} months after {finished:.0f} s, {writers.failed} failed inserts"
    return Measure(writers.longest * 1000, remarks)


def ours(url: str, scale: Scale) -> Measure:
    """`ensure_months`."""

    def add() -> None:
        with connect(url, application_name="benchmark: ours") as owner:
            ensure_months(owner, ADDED, zone=SEOUL, policy=LockPolicy(timedelta(milliseconds=100)))

    return longest_wait(url, scale, add)


def theirs(url: str, scale: Scale) -> Measure:
    """`CREATE TABLE … PARTITION OF`, as in section 8.1 of the database document."""

    def add() -> None:
        with connect(url, application_name="benchmark: CREATE TABLE") as owner:
            for month in ADDED:
                owner.execute(
                    sql.SQL("CREATE TABLE {} PARTITION OF chatbot.conversations FOR VALUES FROM ({}) TO ({})").format(
                        sql.Identifier("chatbot", f"conversations_{month.suffix}"),
                        sql.Literal(month.start(SEOUL)),
                        sql.Literal(month.end(SEOUL)),
                    )
                )

    return longest_wait(url, scale, add)


MONTHS = Benchmark(
    name="months",
    what=f"longest wait of a writer while 12 months are added, with a {LONG_READ} s SELECT and a {LONG_WRITE} s "
    "writing transaction open",
    against="`CREATE TABLE … PARTITION OF`",
    goal="≤ lock timeout + 50 ms = 150 ms, no failed insert, and it finishes",
    unit="ms",
    ours=ours,
    theirs=theirs,
)
