"""Errors that tell people why a database cannot be used."""

from __future__ import annotations


class DatabaseError(Exception):
    """The database cannot be used as it is. The message says why, and what to do."""


class UnsupportedServerError(DatabaseError):
    """The server is older than PostgreSQL 16."""


class SchemaMissingError(DatabaseError):
    """The database has no YUMAI schema yet."""
