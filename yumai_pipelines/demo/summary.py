"""Prints the outcome of the demonstration: a table of the months, and what failed.

Rows are counted in the database. The outcomes of checks come from Dagster's events.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from psycopg import sql
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from yumai_pipelines.model.months import Month
from yumai_pipelines.model.registry import CONVERSATIONS, EXTRACTS, FEEDBACK, RECOMMENDATIONS
from yumai_pipelines.partitions.tables import describe_partitions
from yumai_pipelines.runs import Verdict
from yumai_pipelines.schema.tables import table_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from yumai_pipelines.model.relations import Relation
    from yumai_pipelines.postgres.connections import Connection
    from yumai_pipelines.runs import Check, Run
    from yumai_pipelines.settings import Settings

_COUNTED = (CONVERSATIONS, RECOMMENDATIONS, FEEDBACK)
_STYLES = {Verdict.PASSED: "green", Verdict.WARNED: "yellow", Verdict.FAILED: "bold red"}


@dataclass(frozen=True)
class MonthSummary:
    """The summary of one month of the database.

    Attributes:
        month: the month.
        partition: its partition of the conversations, if there is one.
        rows: number of conversations, recommendations and feedback.
        extract_rows: number of rows in all extracts; None for a month that is not over.
        checks: outcomes of the checks of this month.
    """

    month: Month
    partition: Relation | None
    rows: tuple[int, ...]
    extract_rows: int | None
    checks: tuple[Check, ...]

    @property
    def has_rows(self) -> bool:
        """Whether any table has rows of this month."""
        return any((*self.rows, self.extract_rows))


@dataclass(frozen=True)
class Summary:
    """The summary of the whole database.

    Attributes:
        months: consecutive months, empty ones included.
        checks: outcomes of the checks that are not about a month.
        errors: why runs failed.
    """

    months: tuple[MonthSummary, ...]
    checks: tuple[Check, ...]
    errors: tuple[str, ...]

    def checks_that(self, verdict: Verdict) -> list[Check]:
        """Return the checks with this outcome: first those without a month, then the others by month."""
        every = [*self.checks, *(check for month in self.months for check in month.checks)]
        return [check for check in every if check.verdict == verdict]

    @property
    def passed(self) -> bool:
        """Whether no run and no check failed."""
        return not self.errors and not self.checks_that(Verdict.FAILED)


def summarize(
    connection: Connection,
    settings: Settings,
    months: Sequence[Month],
    current: Month,
    runs: Sequence[Run],
) -> Summary:
    """Count the rows, and take the latest outcome of each check.

    Args:
        connection: to the database.
        settings: for the business's time zone.
        months: the months to count, without gaps.
        current: the month that is not over.
        runs: in the order in which they ran.
    """
    latest = {(check.name, check.month): check for run in runs for check in run.checks}
    partitions = {each.month: each.relation for each in describe_partitions(connection, settings.zone)}
    counts = [
        _rows_by_month(connection, relation, _month_of(table_of(relation).time, settings)) for relation in _COUNTED
    ]
    extracts = [_rows_by_month(connection, each.relation, sql.SQL("month")) for each in EXTRACTS]
    return Summary(
        months=tuple(
            MonthSummary(
                month=month,
                partition=partitions.get(month),
                rows=tuple(each.get(month, 0) for each in counts),
                extract_rows=sum(each.get(month, 0) for each in extracts) if month < current else None,
                checks=tuple(check for check in latest.values() if check.month == month),
            )
            for month in months
        ),
        checks=tuple(check for check in latest.values() if check.month not in months),
        errors=tuple(f"{run.job}: {error}" for run in runs for error in run.errors),
    )


def show(console: Console, summary: Summary) -> None:
    """Print the table and the failures below it. Consecutive empty months share a line. It fits into 80 columns."""
    table = Table("month", "partition", box=SIMPLE_HEAD, padding=0, pad_edge=False)
    for heading in ("conver-\nsations", "recommen-\ndations", "feedback", "extract\nrows", "checks\npassed"):
        table.add_column(heading, justify="right", no_wrap=True)
    for has_rows, group in groupby(summary.months, key=lambda month: month.has_rows):
        months = list(group)
        for line in [[month] for month in months] if has_rows else [months]:
            table.add_row(*_cells(line))
    table.add_section()
    table.add_row("no month", "", "", "", "", "", _share(summary.checks))
    table.add_row("all", *_cells(summary.months, summary.checks)[1:])
    console.print(table)
    show_failures(console, [*summary.checks_that(Verdict.WARNED), *summary.checks_that(Verdict.FAILED)])
    for error in summary.errors:
        console.print(error, style=_STYLES[Verdict.FAILED], markup=False)


def show_failures(console: Console, checks: Sequence[Check], *, with_sql: bool = False) -> None:
    """Print what warned, in one line each, and what failed, with all that is needed to act."""
    for check in checks:
        whole = check.verdict is Verdict.FAILED
        said = check.description if whole else check.description.partition("\n")[0]
        console.print(_heading(check), said, markup=False)
        for does, block in check.sql if whole and with_sql else ():
            console.print(f"\n-- {does.capitalize()}\n{block}", markup=False)


def _heading(check: Check) -> Text:
    where = f" ({check.month})" if check.month else ""
    return Text(f"{check.name}{where} {check.verdict}:", style=_STYLES[check.verdict])


def _rows_by_month(connection: Connection, relation: Relation, month: sql.Composable) -> dict[Month, int]:
    query = sql.SQL("SELECT {}, count(*) FROM {} GROUP BY 1").format(month, relation.identifier)
    return {Month.of_day(day): rows for day, rows in connection.execute(query)}


def _month_of(time: str | None, settings: Settings) -> sql.Composable:
    return sql.SQL("date_trunc('month', {} AT TIME ZONE {})").format(
        sql.Identifier(time or ""), sql.Literal(settings.timezone)
    )


def _cells(months: Sequence[MonthSummary], others: Sequence[Check] = ()) -> list[str | Text]:
    """Return the cells of a line that sums up some months."""
    first, last = months[0], months[-1]
    several = len(months) > 1
    partitions = [month.partition for month in months if month.partition]
    extracted = [month.extract_rows for month in months if month.extract_rows is not None]
    return [
        f"{first.month} to\n{last.month}" if several else str(first.month),
        f"{len(partitions)} partitions" if several else ", ".join(each.name for each in partitions),
        *(f"{sum(rows):,}" for rows in zip(*(month.rows for month in months), strict=True)),
        f"{sum(extracted):,}" if extracted else "–",
        _share([*(check for month in months for check in month.checks), *others]),
    ]


def _share(checks: Sequence[Check]) -> Text:
    """Return how many checks passed, as `58/60`, in the colour of the worst outcome."""
    verdicts = [check.verdict for check in checks]
    worst = next((each for each in (Verdict.FAILED, Verdict.WARNED) if each in verdicts), Verdict.PASSED)
    return Text(f"{verdicts.count(Verdict.PASSED)}/{len(verdicts)}", style=_STYLES[worst])
