"""Removes old records of Dagster from its PostgreSQL storage, so that they do not grow for ever.

Dagster 1.13 bounds schedule ticks alone (`retention` in dagster.yaml). Deleting run by run through its API would take
the latest materializations of months with it, after which the UI and the schedules take these months for never made.
So this is done in SQL, and what the UI and the schedules read is kept, however old it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from psycopg.rows import class_row

from yumai_pipelines.model.relations import Relation
from yumai_pipelines.postgres.errors import DatabaseError
from yumai_pipelines.postgres.sql_files import read_sql
from yumai_pipelines.postgres.values import relation_exists

if TYPE_CHECKING:
    from yumai_pipelines.postgres.connections import Connection

TABLES = ("event_logs", "asset_event_tags", "asset_check_executions", "runs", "run_tags", "job_ticks", "snapshots")
"""The tables that grow, of which all but the last two are pruned here."""


class RecordsError(DatabaseError):
    """Dagster's database is not what this version knows. Nothing was removed."""


class _Count(NamedTuple):
    events: int
    checks: int
    runs: int


@dataclass(frozen=True)
class Pruning:
    """What was removed, or would be.

    Attributes:
        events: number of events.
        checks: number of evaluations of checks.
        runs: number of runs.
        removed: the ids of the runs that were removed; none in a dry run.
    """

    events: int
    checks: int
    runs: int
    removed: tuple[str, ...] = ()


def prune(connection: Connection, before: datetime, *, dry_run: bool = False) -> Pruning:
    """Remove records from before a time, in one transaction, but those that Dagster's UI and schedules still read.

    What a run notes in the meantime is younger, and is not touched. Nobody waits: rows are deleted that nobody changes.

    Args:
        connection: to Dagster's database, as the login that owns its tables.
        before: with a time zone.
        dry_run: only count.

    Raises:
        RecordsError: a table of Dagster is missing.
    """
    missing = [table for table in TABLES if not relation_exists(connection, Relation("public", table))]
    if missing:
        raise RecordsError(
            f"Dagster's database {connection.info.dbname} has no {', '.join(missing)}: it was made by another version "
            "of Dagster, and what may be removed from it is not known. Nothing was removed."
        )
    # Dagster's columns of times have no time zone, and mean UTC.
    utc = before.astimezone(UTC).replace(tzinfo=None).isoformat()
    with connection.transaction(), connection.cursor(row_factory=class_row(_Count)) as cursor:
        connection.execute("SELECT set_config('yumai.before', %s, true)", (utc,))
        connection.execute(read_sql("records", "create_kept.sql"))
        connection.execute(read_sql("records", "find_removed_events.sql"))
        (count,) = cursor.execute(read_sql("records", "count_removed.sql")).fetchall()
        if dry_run:
            return Pruning(*count)
        connection.execute(read_sql("records", "remove.sql"))
        removed = connection.execute(read_sql("records", "remove_runs.sql")).fetchall()
    return Pruning(*count, tuple(run_id for (run_id,) in removed))
