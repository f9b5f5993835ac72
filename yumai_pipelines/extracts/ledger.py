"""`extracts.ledger`: what each month of each extract was built from, whether it passed its checks, what was purged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg.rows import class_row

from yumai_pipelines.model.calendar import first_days
from yumai_pipelines.model.months import Month
from yumai_pipelines.postgres.errors import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from yumai_pipelines.model.entries import Extract
    from yumai_pipelines.postgres.connections import Connection


class PurgedError(DatabaseError):
    """A month of an extract cannot be built again, since retention has deleted what it was built from."""


@dataclass(frozen=True)
class Entry:
    """A row of the ledger. The comments of its columns in the database explain them."""

    extract: str
    month: date
    row_count: int
    source_recommendations: int
    source_feedback: int
    last_recommendation_id: int | None
    last_feedback_id: int | None
    last_source_time: datetime | None
    source_hash: int
    user_key_id: str | None
    min_group_users: int
    code_version: str
    run_id: str | None
    built_at: datetime
    checks_passed: bool | None
    checked_at: datetime | None
    purged_recommendations: int
    purged_feedback: int
    purged_hash: int
    purged_at: datetime | None
    as_of: datetime | None
    built_because: str
    late_recommendations: int
    late_feedback: int
    late_at: datetime | None


def entries(connection: Connection, months: Sequence[Month]) -> dict[tuple[str, Month], Entry]:
    """The ledger's rows of these months, by name of the extract and month."""
    with connection.cursor(row_factory=class_row(Entry)) as cursor:
        rows = cursor.execute("SELECT * FROM extracts.ledger WHERE month = ANY(%s)", (first_days(months),)).fetchall()
    return {(row.extract, Month.of_day(row.month)): row for row in rows}


def refuse_purged(connection: Connection, months: Sequence[Month]) -> None:
    """Refuse to build months again when retention has deleted some of their sources.

    Raises:
        PurgedError: names the ledger's rows.
    """
    purged = [
        f"  - extract '{entry.extract}', month {entry.month}: {entry.purged_recommendations:,} of "
        f"{entry.source_recommendations:,} recommendations and {entry.purged_feedback:,} of {entry.source_feedback:,} "
        f"feedbacks, last at {entry.purged_at}"
        for entry in entries(connection, months).values()
        if entry.purged_at
    ]
    if purged:
        raise PurgedError(
            "Retention has deleted sessions that these months were built from, so what is left would not give them "
            "again. Rows of extracts.ledger:\n"
            + "\n".join(purged)
            + "\nNothing was changed: the extracts stay as they were built. Leave these months out of the run. To "
            "build one after all, restore its sessions from a backup, and empty purged_at of its rows."
        )


def record_checks(
    connection: Connection,
    extract: Extract,
    passed: Mapping[Month, bool],
    checked: Mapping[tuple[str, Month], Entry],
) -> None:
    """Record for each month whether it passed, unless it was built again since `checked`, its entry, was read."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE extracts.ledger SET checks_passed = %s, checked_at = now() "
            "WHERE extract = %s AND month = %s AND built_at = %s",
            [
                (verdict, entry.extract, entry.month, entry.built_at)
                for month, verdict in passed.items()
                if (entry := checked.get((extract.relation.name, month)))
            ],
        )
