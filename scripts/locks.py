"""Runs each migration on an empty server, and notes what it locks of what was there before."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from yumai_pipelines.postgres.connections import OWNER_ROLE, connect
from yumai_pipelines.postgres.sql_files import sql_path
from yumai_pipelines.schema.migrations import migration_files
from yumai_pipelines.schema.plan import EVERY_UPGRADE, MEANING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from yumai_pipelines.postgres.connections import Connection

_LOCKS = """
    SELECT l.relation, l.mode
    FROM pg_locks AS l
    WHERE l.pid = pg_backend_pid() AND l.relation = ANY(%s) AND l.mode = ANY(%s)
"""
_TABLES = """
    SELECT c.oid, format('%s.%s', n.nspname, c.relname)
    FROM pg_class AS c
    JOIN pg_namespace AS n ON c.relnamespace = n.oid
    WHERE c.relkind IN ('r', 'p', 'm', 'v')
        AND n.nspname IN ('chatbot', 'ml_features', 'analytics', 'extracts', 'yumai_pipelines')
"""


def lock_lines(url: str) -> str:
    """Install the schema step by step into an empty database, and return the lines of `LOCKS.jsonl`."""
    with connect(url, application_name="make schema", role=None) as connection:
        _locked(connection, _files("bootstrap"))
        connection.execute(f"SET ROLE {OWNER_ROLE}".encode())
        steps = {revision: _locked(connection, [path]) for revision, path in migration_files().items()}
        always = [*_files("functions"), *_files("privileges")]
        _locked(connection, always)
        steps[EVERY_UPGRADE] = _locked(connection, always)
    return "".join(
        json.dumps({"step": step, "relation": relation, "mode": mode}) + "\n"
        for step, locks in steps.items()
        for relation, mode in locks
    )


def _locked(connection: Connection, files: Sequence[Path]) -> list[tuple[str, str]]:
    """Run files in one transaction, and return what they locked of the tables that were there before, and how."""
    # By the names that they had: a migration may rename a table, or drop it.
    before = dict(connection.execute(_TABLES).fetchall())
    with connection.transaction():
        for path in files:
            connection.execute(path.read_bytes())
        locks = connection.execute(_LOCKS, (list(before), list(MEANING))).fetchall()
    # Of each table, the strongest.
    strongest = {before[oid]: mode for mode in reversed(MEANING) for oid, found in locks if found == mode}
    return sorted(strongest.items())


def _files(directory: str) -> list[Path]:
    return sorted(sql_path(directory).glob("*.sql"))
