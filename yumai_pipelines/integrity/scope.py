"""The rows of a table that a check looks at, and how they are divided into months.

A run for some months looks only at rows of those months, so its cost depends on them alone. A run that names no months
looks at all rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg import sql

from yumai_pipelines.model.calendar import bounds_of
from yumai_pipelines.partitions.tables import describe_partitions, falls_between

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from zoneinfo import ZoneInfo

    from yumai_pipelines.model.months import Month
    from yumai_pipelines.postgres.connections import Connection
    from yumai_pipelines.schema.tables import Table


@dataclass(frozen=True)
class Scope:
    """The rows of one evaluation.

    Attributes:
        table: the table.
        months: consecutive months, in order; empty for a table without months.
        whole: whether all rows are looked at, also those of no month, or only the rows of the months.
        zone: the business's time zone, at whose midnights months begin.
    """

    table: Table
    months: tuple[Month, ...]
    whole: bool
    zone: ZoneInfo

    @classmethod
    def of(cls, connection: Connection, table: Table, months: Sequence[Month] | None, zone: ZoneInfo) -> Scope:
        """Return the scope of a run: its months, or all rows, with the months from the first partition to the last."""
        if not table.partitioned:
            return cls(table, (), whole=True, zone=zone)
        if months is not None:
            return cls(table, tuple(months), whole=False, zone=zone)
        present = [partition.month for partition in describe_partitions(connection, zone) if partition.month]
        span = min(present).through(max(present)) if present else ()
        return cls(table, tuple(span), whole=True, zone=zone)

    @property
    def places(self) -> list[Month | None]:
        """The months, and also None, which stands for all rows, if the scope is the whole table."""
        return [*self.months, *([None] if self.whole else [])]

    @property
    def place(self) -> sql.Composable:
        """The SQL expression for the number of a row's month, from 1.

        Rows before the first month get 0, and rows after the last one get the number that follows.
        """
        if not self.months:
            return sql.SQL("0")
        if len(self.months) == 1 and not self.whole:
            return sql.SQL("1")
        bounds = sql.Literal(bounds_of(self.months, self.zone))
        return sql.SQL("width_bucket({}, {})").format(self._time, bounds)

    def condition(self, month: Month | None = None) -> sql.Composable:
        """Compose the SQL condition that a row `t` is in the month or, without a month, in the scope."""
        if month is None and self.whole:
            return sql.SQL("true")
        first, last = (month, month) if month else (self.months[0], self.months[-1])
        return falls_between(self._time, first.start(self.zone), last.end(self.zone))

    def totals(self, rows: Iterable[Sequence[int]], width: int) -> dict[Month | None, list[int]]:
        """Add up counts by month, and under None for all rows if the scope is the whole table.

        Each of the `rows` has the number of a month (see `place`) and `width` counts. A month without a row gets zeros.
        """
        sums: dict[Month | None, list[int]] = {place: [0] * width for place in self.places}
        for number, *counts in rows:
            inside = 1 <= number <= len(self.months)
            for place in [*([self.months[number - 1]] if inside else []), *([None] if self.whole else [])]:
                sums[place] = [total + count for total, count in zip(sums[place], counts, strict=True)]
        return sums

    @property
    def _time(self) -> sql.Identifier:
        return sql.Identifier("t", self.table.time or "")
