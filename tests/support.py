"""Helpers for tests that use the database. Fixtures are in conftest.py."""

from __future__ import annotations

import shutil
import socket
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from yumai_pipelines.model.months import Month
from yumai_pipelines.postgres.connections import to_url
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

Connection = psycopg.Connection[Any]
Value = Any


def one(connection: Connection, query: str, *values: object) -> Value:
    """Return the first column of the first row."""
    row = connection.execute(query, values or None).fetchone()
    assert row is not None
    return row[0]


def every(connection: Connection, query: str, *values: object) -> list[Any]:
    """Return all rows."""
    return connection.execute(query, values or None).fetchall()


@contextmanager
def login(admin: Connection, url: str, options: str) -> Iterator[str]:
    """Create a login role, and yield its URL. The role is dropped at the end."""
    name = f"yumai_test_{uuid4().hex[:12]}"
    role = sql.Identifier(name)
    admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'secret' {}").format(role, sql.SQL(options)))
    try:
        yield to_url({**conninfo_to_dict(url), "user": name, "password": "secret"})
    finally:
        admin.execute(sql.SQL("REASSIGN OWNED BY {} TO CURRENT_USER; DROP OWNED BY {}").format(role, role))
        admin.execute(sql.SQL("DROP ROLE {}").format(role))


MEMORY = Path("/dev/shm")
"""A directory that Linux keeps in memory."""

ROOM = 4 << 30
"""Bytes that the tests' server may need."""


@contextmanager
def server_home(mode: int = 0o755) -> Iterator[Path]:
    """Make a directory that every account may enter, since root starts the server under another account.

    It is in memory if there is room, since each database of a test is a thousand files that are made and removed again.
    """
    roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM
    with TemporaryDirectory(prefix="yumai-tests-", dir=MEMORY if roomy else None) as directory:
        Path(directory).chmod(mode)
        yield Path(directory)


def wait_until(condition: Callable[[], object]) -> None:
    """Wait for something that should happen soon, at most half a minute."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def present_month(*, lasting: timedelta = timedelta(minutes=1)) -> Month:
    """Return the present month in Seoul, which lasts for a while yet: if it does not, the next one is waited for.

    For tests of what looks at the clock itself. They would fail if the month ended between two looks.
    """
    zone = Settings().zone
    month = Month.of(datetime.now(UTC), zone)
    left = month.end(zone) - datetime.now(UTC)
    if left > lasting:
        return month
    time.sleep(max(left.total_seconds(), 0))
    return month + 1


def recorded(reporter: pytest.TerminalReporter, name: str) -> list[Any]:
    """Return what tests that have ended recorded under a name, by `record_property`."""
    return [
        value
        for outcome in ("passed", "failed")
        for report in reporter.getreports(outcome)
        for key, value in report.user_properties
        if key == name
    ]


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that is free at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
