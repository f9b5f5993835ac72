"""As of when the months of an extract are, for those who read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg.rows import class_row

from yumai_pipelines.model.registry import EXTRACTS, LEDGER
from yumai_pipelines.postgres.sql_files import read_sql

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from yumai_pipelines.model.entries import Readable
    from yumai_pipelines.postgres.connections import Connection


@dataclass(frozen=True)
class AsOf:
    """A built month of an extract.

    Attributes:
        month: its first day.
        as_of: the extract is of the logs as they were then.
        changed_since: when the first change of the logs came that the extract does not have; None for no change.
        purged: whether retention has deleted rows that it was built from, so that it stays as it is.
    """

    month: date
    as_of: datetime
    changed_since: datetime | None
    purged: bool


def as_of(connection: Connection, read: Readable) -> list[AsOf]:
    """Read as of when the built months of an extract are, in order; of all extracts, for the ledger."""
    extracts = EXTRACTS if read.relation == LEDGER else (read,)
    names = [each.relation.name for each in extracts]
    with connection.cursor(row_factory=class_row(AsOf)) as cursor:
        return cursor.execute(read_sql("extracts", "list_as_of.sql"), {"extracts": names}).fetchall()


def in_words(months: Sequence[AsOf]) -> str:
    """Say as of when the oldest of the months is, and which have changed since."""
    said = f"They are of the logs as of {min(each.as_of for each in months):%Y-%m-%d %H:%M %Z}."
    changed = [f"{each.month:%Y-%m}" for each in months if each.changed_since and not each.purged]
    if changed:
        said += f" The logs of {', '.join(changed)} have changed since; the next run of monthly_extracts builds them."
    return said
