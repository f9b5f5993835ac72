"""Client sessions that read and write while something is done to the tables, and how long they wait."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from random import Random, SystemRandom
from typing import TYPE_CHECKING, Any

import psycopg

from tests.support import Connection, one

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from psycopg import IsolationLevel

GENEROUS = 5.0
"""Limit in seconds for a wait. It is far above the waits that are expected, which are logged."""

MEASURED = logging.getLogger(__name__)


class Clients:
    """Client sessions that repeat their work until they are stopped. They measure how long each round takes."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.over = threading.Event()
        self.waits: dict[str, list[float]] = defaultdict(list)
        self._pool = ThreadPoolExecutor(16)
        self._futures: list[Future[None]] = []

    def add(self, work: Callable[[Connection, Random], None], *, isolation: IsolationLevel | None = None) -> None:
        self._futures.append(self._pool.submit(self._repeat, work, isolation, SystemRandom()))

    def _repeat(
        self, work: Callable[[Connection, Random], None], isolation: IsolationLevel | None, random: Random
    ) -> None:
        with psycopg.connect(self.url, autocommit=True, application_name="test: client") as connection:
            connection.isolation_level = isolation
            while not self.over.is_set():
                started = time.monotonic()
                work(connection, random)
                self.waits[work.__name__].append(time.monotonic() - started)

    def call_off(self) -> None:
        """Stop all clients. Raise the error of a client that failed."""
        self.over.set()
        self._pool.shutdown()
        for future in self._futures:
            future.result()
        for name, waits in self.waits.items():
            MEASURED.info("%s: %d rounds, longest %.0f ms", name, len(waits), max(waits) * 1000)
            assert max(waits) < GENEROUS, name


@contextmanager
def clients_of(url: str) -> Iterator[Clients]:
    clients = Clients(url)
    try:
        yield clients
        time.sleep(0.2)
    finally:
        clients.call_off()


@contextmanager
def in_background(work: Callable[[], Any]) -> Iterator[Future[Any]]:
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work)
        yield future
        future.result(timeout=60)


def wait_until_waiting(connection: Connection, pid: int) -> None:
    deadline = time.monotonic() + GENEROUS
    while not one(connection, "SELECT cardinality(pg_blocking_pids(%s)) > 0", pid):
        assert time.monotonic() < deadline, "nobody waits"
        time.sleep(0.005)
