"""Helpers that tests of the database share. Fixtures stand in conftest.py."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from yumai_pipelines.database import to_url

if TYPE_CHECKING:
    from collections.abc import Iterator

Connection = psycopg.Connection[Any]
Value = Any


def one(connection: Connection, query: str, *values: object) -> Value:
    """The first column of the first row."""
    row = connection.execute(query, values or None).fetchone()
    assert row is not None
    return row[0]


def every(connection: Connection, query: str, *values: object) -> list[Any]:
    """All rows."""
    return connection.execute(query, values or None).fetchall()


@contextmanager
def login(admin: Connection, url: str, options: str) -> Iterator[str]:
    """The URL of a login role of its own."""
    name = f"yumai_test_{uuid4().hex[:12]}"
    role = sql.Identifier(name)
    admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'secret' {}").format(role, sql.SQL(options)))
    try:
        yield to_url({**conninfo_to_dict(url), "user": name, "password": "secret"})
    finally:
        admin.execute(sql.SQL("REASSIGN OWNED BY {} TO CURRENT_USER; DROP OWNED BY {}").format(role, role))
        admin.execute(sql.SQL("DROP ROLE {}").format(role))


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody has at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
