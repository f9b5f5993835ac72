"""What the report of a month says, read from the extracts. How it looks stands in `page` and `plots`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

from yumai_pipelines.extracts.ledger import Entry, entries
from yumai_pipelines.model.calendar import first_days
from yumai_pipelines.postgres.sql_files import read_sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    from yumai_pipelines.model.months import Month
    from yumai_pipelines.postgres.connections import Connection

Row = dict[str, Any]

TREND = 12
"""Months of the trend, with the report's own."""

USUAL = 3
"""Months before, from which a shop's usual rate is taken."""

SHOPS = 10
FEWEST = 10
"""Lists that a sinking shop stood in: of fewer, two standard errors say nothing."""


@dataclass(frozen=True)
class Numbers:
    """What the report of a month says.

    Attributes:
        month: which.
        trend: one row for each month up to it that has recommendations, and the month itself.
        methods: from recommendation to rating, by method.
        calibration: tenths of the confidence score, by method.
        top: shops that were chosen most.
        sinking: shops that lost most against their usual rate.
        feedback: what was said, by type.
        ledger: what the extracts say of themselves, by their name.
    """

    month: Month
    trend: Sequence[tuple[Month, Row]]
    methods: Sequence[Row]
    calibration: Sequence[Row]
    top: Sequence[Row]
    sinking: Sequence[Row]
    feedback: Sequence[Row]
    ledger: dict[str, Entry]

    @property
    def this(self) -> Row:
        """The month's own figures."""
        return self.trend[-1][1]

    @property
    def before(self) -> Row | None:
        """The figures of the month before, if it has any."""
        previous = dict(self.trend).get(self.month - 1)
        return previous or None


def read_numbers(connection: Connection, month: Month) -> Numbers:
    """Read all that the report of a month says, in one snapshot."""
    span = [*(month - (TREND - 1)).through(month)]
    this, *_ = first_days([month])
    before = first_days((month - USUAL).through(month - 1))
    with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")

        def rows(*file: str, **parameters: object) -> list[Row]:
            return cursor.execute(read_sql(*file), parameters).fetchall()

        summaries = rows("extracts", "recommendation_outcomes", "summarize_months.sql", months=first_days(span))
        return Numbers(
            month=month,
            trend=[(each, row) for each, row in zip(span, summaries, strict=True) if row["rows"] or each == month],
            methods=rows("report", "summarize_methods.sql", month=this),
            calibration=rows("report", "list_calibration.sql", month=this),
            top=rows("report", "list_top_shops.sql", month=this, shops=SHOPS),
            sinking=rows("report", "list_sinking_shops.sql", month=this, before=before, fewest=FEWEST, shops=SHOPS),
            feedback=rows("report", "summarize_feedback.sql", month=this),
            ledger={name: entry for (name, _), entry in entries(connection, [month]).items()},
        )
