"""The figures of a month's report, read from the extracts. `page` and `plots` decide how they look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

from yumai_pipelines.extracts.code import statement_of
from yumai_pipelines.extracts.ledger import Entry, entries
from yumai_pipelines.model.calendar import first_days
from yumai_pipelines.model.registry import extract_of
from yumai_pipelines.postgres.sql_files import read_sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    from yumai_pipelines.model.months import Month
    from yumai_pipelines.postgres.connections import Connection

Row = dict[str, Any]

TREND = 12
"""Number of months in the trend, including the report's own."""

USUAL = 3
"""Number of months before from which a shop's usual rate is computed."""

SHOPS = 10
FEWEST = 10
"""A sinking shop was in at least this number of lists: of fewer, two standard errors say nothing."""


@dataclass(frozen=True)
class Numbers:
    """The figures of a month's report.

    Attributes:
        month: the month.
        trend: one row for each month up to this one that has recommendations, and one for the month itself.
        methods: recommendations, selections and ratings by method.
        methods_before: the same of the month before.
        calibration: scores and selection rates by method and tenth of the confidence score.
        top: shops that were chosen most.
        sinking: shops that lost most selections compared with their usual rate.
        feedback: numbers of feedback and ratings by type.
        ledger: the ledger's entries of the month, by name of the extract.
    """

    month: Month
    trend: Sequence[tuple[Month, Row]]
    methods: Sequence[Row]
    methods_before: Sequence[Row]
    calibration: Sequence[Row]
    top: Sequence[Row]
    sinking: Sequence[Row]
    feedback: Sequence[Row]
    ledger: dict[str, Entry]

    @property
    def this(self) -> Row:
        """The month's own row of the trend."""
        return self.trend[-1][1]

    @property
    def before(self) -> Row | None:
        """The trend's row of the month before, if there is one."""
        previous = dict(self.trend).get(self.month - 1)
        return previous or None


def read_numbers(connection: Connection, month: Month) -> Numbers:
    """Read all figures of a month's report in one snapshot."""
    span = [*(month - (TREND - 1)).through(month)]
    this, *_ = first_days([month])
    before = first_days((month - USUAL).through(month - 1))
    with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")

        def rows(name: str, **parameters: object) -> list[Row]:
            return cursor.execute(read_sql("report", name), parameters).fetchall()

        outcomes = statement_of(extract_of("recommendation_outcomes"), "summarize_months.sql")
        summaries = cursor.execute(outcomes, {"months": first_days(span)}).fetchall()
        return Numbers(
            month=month,
            trend=[(each, row) for each, row in zip(span, summaries, strict=True) if row["rows"] or each == month],
            methods=rows("summarize_methods.sql", month=this),
            methods_before=rows("summarize_methods.sql", month=(month - 1).first_day),
            calibration=rows("list_calibration.sql", month=this),
            top=rows("list_top_shops.sql", month=this, shops=SHOPS),
            sinking=rows("list_sinking_shops.sql", month=this, before=before, fewest=FEWEST, shops=SHOPS),
            feedback=rows("summarize_feedback.sql", month=this),
            ledger={name: entry for (name, _), entry in entries(connection, [month]).items()},
        )
