"""Measures what may be wrong with an extract: impossible rows, sums that differ from the sources, unusual months.

`defs.extracts.checks` shows the results in Dagster, and says what to do.
"""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

from psycopg import sql
from psycopg.rows import dict_row

from yumai_pipelines.extracts.build import month_parameters
from yumai_pipelines.extracts.code import statement_of
from yumai_pipelines.extracts.ledger import entries, record_checks
from yumai_pipelines.model.months import Month
from yumai_pipelines.postgres.sql_files import read_sql

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from yumai_pipelines.model.entries import Extract, Mean, Share
    from yumai_pipelines.postgres.connections import Connection

Row = dict[str, Any]

HISTORY = 6
"""A month is compared with this number of months before it; at least half of them must have rows."""

FACTOR = 2.0
"""A measure is unusual when it is more than this many times the median of the months before, or less than 1 / this."""

RATE_FACTOR = 1.25
"""The same limit for rates, means and times of large extracts; those of small ones vary as much as counts do."""

MANY = 30_000
"""An extract is large from this median of its largest count on."""

FEWEST = 100
"""Counts with a smaller median vary too much to be judged; so do the rates of an extract with only such counts."""


def prove(connection: Connection, extracts: Sequence[Extract], months: Sequence[Month], zone: ZoneInfo) -> None:
    """Measure what the blocking checks of the extracts measure, and record for each month whether it passed."""
    ledger = entries(connection, months)
    for extract in extracts:
        measures = differing_measures(connection, extract, months, zone)
        invalid = invalid_rows(connection, extract, months, zone)
        passed = {month: not (wrong(measures[month]) or invalid[month]) for month in months}
        record_checks(connection, extract, passed, ledger)


def wrong(measures: Sequence[Row]) -> list[Row]:
    """The measures in which an extract and its sources differ."""
    return [row for row in measures if row["in_source"] != row["in_extract"]]


def differing_measures(
    connection: Connection, extract: Extract, months: Sequence[Month], zone: ZoneInfo
) -> dict[Month, list[Row]]:
    """For each month, the extract's measures and an independent count: `name`, `in_source`, `in_extract`."""
    return _by_month(connection, read_sql("extracts", extract.relation.name, "reconcile_months.sql"), months, zone)


def invalid_rows(
    connection: Connection, extract: Extract, months: Sequence[Month], zone: ZoneInfo
) -> dict[Month, list[Row]]:
    """For each month, the keys of the rows that cannot be right, and what is `wrong` with them."""
    query = sql.SQL(read_sql("extracts", "list_invalid_rows.sql")).format(
        extract=extract.relation.identifier,
        key=sql.SQL(", ").join(map(sql.Identifier, extract.key)),
        faults=sql.SQL(", ").join(_faults(extract)),
    )
    return _by_month(connection, query, months, zone)


def unlike_before(
    connection: Connection, extract: Extract, months: Sequence[Month], zone: ZoneInfo
) -> dict[Month, list[Row]]:
    """For each month, the measures that are far from their median in the months before; none if those are too few."""
    query = statement_of(extract, "summarize_months.sql")
    span = [*(months[0] - HISTORY).through(months[-1])]
    summaries = {month: rows[0] for month, rows in _by_month(connection, query, span, zone).items()}
    return {month: list(unlike(month, summaries)) for month in months}


def unlike(month: Month, summaries: Mapping[Month, Row]) -> Iterator[Row]:
    """The measures of a month far from their median in the months before: `name`, `value`, `usual` value, `limit`."""
    before = [summaries[each] for each in (month - HISTORY).through(month - 1) if summaries[each]["rows"]]
    volume = median(map(_volume, before)) if before else 0
    if len(before) * 2 < HISTORY or volume < FEWEST:
        return
    for name, value in summaries[month].items():
        usual = median(known) if (known := [each[name] for each in before if each[name] is not None]) else 0
        count = isinstance(value, int)
        if value is None or usual == 0 or (count and usual < FEWEST):
            continue
        limit = FACTOR if count or volume < MANY else RATE_FACTOR
        if not 1 / limit <= value / usual <= limit:
            yield {"name": name, "value": value, "usual": round(usual, 5), "limit": f"{limit:g} times more or less"}


def _volume(summary: Row) -> int:
    return max(value for value in summary.values() if isinstance(value, int))


def _faults(extract: Extract) -> Iterator[sql.Composed]:
    key = sql.SQL(", ").join(map(sql.Identifier, extract.key))
    merged = _is_merged(extract)
    yield _fault(sql.SQL("num_nulls({}) > 0").format(key), "NULL in the key")
    yield _fault(sql.SQL("count(*) OVER (PARTITION BY {}) > 1").format(key), "the key is there twice")
    for share in extract.shares:
        yield _fault(_is_no_share(share, merged), f"{share.column} is not {share.part} per {share.whole}")
    for mean in extract.means:
        limits = f"{mean.lowest:g} to {mean.highest:g}".replace("inf", "∞")
        yield _fault(
            _is_no_mean(mean, merged), f"{mean.column} is not in {limits}, or not NULL exactly where it should be"
        )


def _fault(condition: sql.Composable, words: str) -> sql.Composed:
    return sql.SQL("CASE WHEN {} THEN {} END").format(condition, sql.Literal(words))


def _is_merged(extract: Extract) -> sql.Composable:
    if extract.merged is None:
        return sql.SQL("false")
    column, mark = extract.merged
    return sql.SQL("{} = {}").format(sql.Identifier(column), sql.Literal(mark))


def _is_no_share(share: Share, merged: sql.Composable) -> sql.Composed:
    """SQL that is true where a rate is wrong. A merged group with too few users may have NULL instead of a rate."""
    return sql.SQL(
        "{share} IS DISTINCT FROM round({part}::numeric / nullif({whole}, 0), 5) AND NOT ({share} IS NULL AND {merged})"
    ).format(
        share=sql.Identifier(share.column),
        part=sql.Identifier(share.part),
        whole=sql.Identifier(share.whole),
        merged=merged,
    )


def _is_no_mean(mean: Mean, merged: sql.Composable) -> sql.Composed:
    column = sql.Identifier(mean.column)
    outside = sql.SQL("NOT {}::double precision BETWEEN {} AND {}").format(
        column, sql.Literal(float(mean.lowest)), sql.Literal(float(mean.highest))
    )
    if mean.of is None:
        return outside
    of_nothing = sql.SQL("({column} IS NULL) <> ({of} = 0) AND NOT ({column} IS NULL AND {merged})")
    return sql.SQL(" OR ").join([outside, of_nothing.format(column=column, of=sql.Identifier(mean.of), merged=merged)])


def _by_month(
    connection: Connection,
    query: str | sql.Composed,
    months: Sequence[Month],
    zone: ZoneInfo,
) -> dict[Month, list[Row]]:
    """The rows that a statement returns for each month, without the column `month`."""
    rows: dict[Month, list[Row]] = {month: [] for month in months}
    with connection.cursor(row_factory=dict_row) as cursor:
        for row in cursor.execute(query, month_parameters(months, zone)):
            day = row.pop("month")
            rows[Month.of_day(day)].append(row)
    return rows
