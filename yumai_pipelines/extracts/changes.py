"""Which months of the extracts are not of the logs as they are, and why: the work of the daily builds.

Triggers note each change of what the extracts read in `yumai_pipelines.source_changes`, so the cost of looking follows
what has changed, not the history. A build takes out the notes that it has read; what it could not see stays noted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg.rows import class_row

from yumai_pipelines.extracts.code import code_version
from yumai_pipelines.model.calendar import first_days
from yumai_pipelines.model.months import Month
from yumai_pipelines.model.registry import EXTRACTS, extract_of
from yumai_pipelines.postgres.sql_files import read_sql

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date, datetime

    from yumai_pipelines.model.entries import Extract
    from yumai_pipelines.postgres.connections import Connection

NEVER_BUILT = "it was never built"

_SETTLE = ("resolve_changes.sql", "forget_unbuilt_changes.sql", "record_late_changes.sql")


@dataclass(frozen=True)
class BuiltMonth:
    """A month of an extract: what the ledger says of it, and what has changed in the logs since it was built.

    Attributes:
        extract: name of the extract.
        month: first day of the month.
        built_at: when it was built; None for never.
        checks_passed: whether it then passed its blocking checks; None if they have not run.
        code_version: the fingerprint of the SQL that built it.
        min_group_users: groups of fewer users than this were merged.
        purged_at: when retention last deleted something of the month. Such a month is frozen: it is not built again.
        recommendations: recommendations of the month that came, changed or went since it was built.
        feedback: the same of feedback.
        changed_since: when the first of these changes was; None for no change.
    """

    extract: str
    month: date
    built_at: datetime | None
    checks_passed: bool | None
    code_version: str | None
    min_group_users: int | None
    purged_at: datetime | None
    recommendations: int
    feedback: int
    changed_since: datetime | None

    @property
    def change(self) -> str | None:
        """What has changed in the logs since it was built, in words; None for nothing."""
        if self.built_at is None or self.changed_since is None:
            return None
        rows = [
            f"{count:,} {what}"
            for count, what in ((self.recommendations, "recommendations"), (self.feedback, "feedback"))
            if count
        ]
        what = " and ".join(rows) or "shops or sessions"
        return f"the logs have changed since {self.changed_since:%Y-%m-%d %H:%M:%S%z} ({what})"

    def reasons(self, min_group_users: int) -> Iterator[str]:
        """Why it must be built, or built again; nothing for a frozen month, and for one that is right.

        Args:
            min_group_users: the smallest group that may be shown now.
        """
        if self.purged_at is not None:
            return
        if self.built_at is None:
            yield NEVER_BUILT
            return
        if self.change:
            yield self.change
        if self.code_version != code_version(extract_of(self.extract)):
            yield "its SQL is another now"
        if self.min_group_users != min_group_users:
            yield f"groups of fewer than {min_group_users} users are merged now, and were of {self.min_group_users}"
        if self.checks_passed is None:
            yield "its checks have not run"
        elif not self.checks_passed:
            yield "its checks have failed"


def look(connection: Connection, months: Sequence[Month], extracts: Sequence[Extract] = EXTRACTS) -> list[BuiltMonth]:
    """Each of the months of each of the extracts, by month."""
    with connection.cursor(row_factory=class_row(BuiltMonth)) as cursor:
        return cursor.execute(
            read_sql("extracts", "list_months.sql"),
            {"extracts": [extract.relation.name for extract in extracts], "months": first_days(months)},
        ).fetchall()


def reasons(built: Sequence[BuiltMonth], min_group_users: int) -> dict[tuple[str, Month], str]:
    """Why months of extracts must be built, in words, by name of the extract and month; without those that need not."""
    why = {(each.extract, Month.of_day(each.month)): "; ".join(each.reasons(min_group_users)) for each in built}
    return {key: words for key, words in why.items() if words}


def changed_months(connection: Connection, also: Sequence[Month] = ()) -> list[Month]:
    """The built months that are not frozen, and whose logs have changed since; and those of others that were built."""
    rows = connection.execute(read_sql("extracts", "list_changed_months.sql"), {"also": first_days(also)})
    return [Month.of_day(day) for (day,) in rows]


def recent_months(connection: Connection) -> list[Month]:
    """The built months whose logs have changed since, or that were built or found changed in the last days."""
    return [Month.of_day(day) for (day,) in connection.execute(read_sql("extracts", "list_recent_months.sql"))]


def settle(connection: Connection) -> None:
    """Sort the notes of changes: by month; without months never built; those of frozen months into the ledger.

    The caller lets nobody else hold `AdvisoryLock.EXTRACTS` or a part of it: a note is not to vanish while another run
    builds a month from a snapshot that does not see the change. A build that is not alone leaves the notes as they are;
    at worst, a month that it has built counts as changed until the next build.
    """
    with connection.transaction():
        for statement in _SETTLE:
            connection.execute(read_sql("extracts", statement))
