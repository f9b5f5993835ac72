"""Errors that tell people why a database cannot be used."""

from __future__ import annotations


class DatabaseError(Exception):
    """The database cannot be used as it is. The message says why, and what to do."""


class UnsupportedServerError(DatabaseError):
    """The server is older than PostgreSQL 16."""


class SchemaMissingError(DatabaseError):
    """The database has no YUMAI schema yet."""


class StandbyError(DatabaseError):
    """The server is a standby, which takes no writes."""


class PoolerError(DatabaseError):
    """A pooler stands in between that gives each transaction another session."""


class MissingRightsError(DatabaseError):
    """The login may not do what was asked for. The message names the role that may, and the GRANT."""
