"""Helpers that tests of the database share. Fixtures stand in conftest.py."""

from __future__ import annotations

from typing import Any

import psycopg

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
