"""Measures the longest wait of a writer while twelve months are added beside a long read and a long write."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import psycopg
from psycopg import sql

from benchmarks.runner import Benchmark, Measure, Scale, seconds
from yumai_pipelines.model.lock_policy import LockPolicy
from yumai_pipelines.model.months import Month
from yumai_pipelines.partitions.ensure import ensure_months
from yumai_pipelines.postgres.connections import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SEOUL = ZoneInfo("Asia/Seoul")
# This must be the real month, since pg_partman counts from today.
NOW = datetime.now(SEOUL).replace(day=20, hour=12)
PRESENT = Month.of(NOW, SEOUL)
ADDED = list((PRESENT + 1).through(PRESENT + 12))
WRITERS = 4
INTERVAL = 0.01
LONG_READ = 30
LONG_WRITE = 20
ROWS = {Scale.SMALL: 10_000, Scale.MEDIUM: 100_000, Scale.LARGE: 1_000_000}
INSERT = "INSERT INTO chatbot.conversations (session_id, conversation_time) VALUES (%s, %s)"
READ = "SELECT input_text, response_text FROM chatbot.conversations WHERE session_id = %s ORDER BY id DESC LIMIT 20"


class Clients:
    """Writers that insert a row every ten milliseconds, and a client that reads a session as often.

    Each of them has its own connection.
    """

    def __init__(self, url: str, session: object) -> None:
        """Start the clients."""
        self._url = url
        self._over = threading.Event()
        self._pool = ThreadPoolExecutor(WRITERS + 1)
        self._writers = [self._pool.submit(self._repeat, INSERT, (session, NOW)) for _ in range(WRITERS)]
        self._reader = self._pool.submit(self._repeat, READ, (session,))

    def _repeat(self, statement: str, parameters: tuple[object, ...]) -> tuple[float, int]:
        longest, failed = 0.0, 0
        with psycopg.connect(self._url, autocommit=True) as connection:
            due = time.monotonic()
            while not self._over.is_set():
                started = time.monotonic()
                try:
                    connection.execute(statement, parameters)
                except psycopg.Error:
                    failed += 1
                ended = time.monotonic()
                longest = max(longest, ended - started)
                due = max(due + INTERVAL, ended)
                time.sleep(due - ended)
        return longest, failed

    def stop(self) -> tuple[float, float, int]:
        """Stop the clients. Return the longest waits of a writer and of the reader in ms, and the failed inserts."""
        self._over.set()
        self._pool.shutdown()
        waits, failures = zip(*(each.result() for each in self._writers), strict=True)
        return max(waits) * 1000, self._reader.result()[0] * 1000, sum(failures)


@contextmanager
def long_transactions(url: str, session: object) -> Iterator[None]:
    """Keep a SELECT of 30 s and a writing transaction of 20 s open."""

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


def present_month(url: str) -> None:
    """Make the partition of the month into which everybody writes."""
    with connect(url, application_name="benchmark") as owner:
        ensure_months(owner, [PRESENT], zone=SEOUL, policy=LockPolicy())


def partitions(url: str) -> int:
    """Return the number of partitions."""
    with connect(url, application_name="benchmark") as owner:
        query = "SELECT FROM pg_inherits WHERE inhparent = 'chatbot.conversations'::regclass"
        return len(owner.execute(query).fetchall())


def longest_wait(
    url: str, scale: Scale, add_months: Callable[[], object], prepare: Callable[[str], object] = present_month
) -> Measure:
    """Measure the longest wait of a writer, in milliseconds, while months are added to a table with rows."""
    prepare(url)
    before = partitions(url)
    with connect(url, application_name="benchmark") as owner:
        insert = "INSERT INTO chatbot.session_master DEFAULT VALUES RETURNING session_id"
        (session,) = owner.execute(insert).fetchone() or ("",)
        owner.execute(
            "INSERT INTO chatbot.conversations (session_id, conversation_time) "
            "SELECT %s, %s - n * interval '1 s' FROM generate_series(1, %s) AS n",
            (session, NOW, ROWS[scale]),
        )
    clients = Clients(url, session)
    try:
        with long_transactions(url, session):
            duration = seconds(add_months)
    finally:
        write, read, failed = clients.stop()
    return Measure(
        write,
        f"{partitions(url) - before} months after {duration:.0f} s, {failed} failed inserts, longest wait of a reader "
        f"{read:,.1f} ms",
    )


def ours(url: str, scale: Scale) -> Measure:
    """Add the months with `ensure_months`."""

    def add() -> None:
        with connect(url, application_name="benchmark: ours") as owner:
            ensure_months(owner, ADDED, zone=SEOUL, policy=LockPolicy(timedelta(milliseconds=100)))

    return longest_wait(url, scale, add)


def theirs(url: str, scale: Scale) -> Measure:
    """Add the months with `CREATE TABLE … PARTITION OF`, as in section 8.1 of the database document."""

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


def partman(url: str, scale: Scale) -> Measure:
    """Add the months with pg_partman's `run_maintenance`, which makes the months after today in one transaction."""

    def prepare(url: str) -> None:
        with psycopg.connect(url, options=f"-c TimeZone={SEOUL.key}") as admin:
            admin.execute("CREATE SCHEMA partman")
            admin.execute("CREATE EXTENSION pg_partman SCHEMA partman")
            admin.execute(
                "SELECT partman.create_parent('chatbot.conversations', 'conversation_time', '1 month', p_premake := 1, "
                "p_default_table := false)"
            )

    def add() -> None:
        with psycopg.connect(
            url, application_name="benchmark: pg_partman", options=f"-c TimeZone={SEOUL.key}"
        ) as admin:
            admin.execute("UPDATE partman.part_config SET premake = premake + %s", (len(ADDED),))
            admin.execute("SELECT partman.run_maintenance('chatbot.conversations')")

    return longest_wait(url, scale, add, prepare)


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
MONTHS_BY_PARTMAN = replace(
    MONTHS, name="months-partman", against="pg_partman's `run_maintenance`", theirs=partman, needs="pg_partman"
)
