"""The extracts: that each agrees with its sources by an independent count, and that its rows can be right.

Made from the registry, for the months of a run, or for all months that the extract holds.
"""

from collections.abc import Iterator, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from yumai_pipelines.assets.extracts import month_parameters
from yumai_pipelines.assets.months import CLOSED_MONTHS, accepting, months_of
from yumai_pipelines.assets.tables import asset_key
from yumai_pipelines.catalog import EXTRACTS, Extract
from yumai_pipelines.checks.findings import SAMPLE, Finding, evaluations
from yumai_pipelines.months import Month
from yumai_pipelines.resources import PostgresResource
from yumai_pipelines.sql_files import read_sql

RECONCILED = "reconciled"
VALID_ROWS = "valid_rows"


def extract_checks(extract: Extract) -> dg.AssetChecksDefinition:
    """The checks of one extract, by month. Both block what is downstream."""
    key = asset_key(extract.relation)
    sources = " and ".join(map(str, extract.sources))
    descriptions = {
        RECONCILED: f"The sums of {extract.relation} are what an independent count finds in {sources}.",
        VALID_ROWS: f"{extract.relation} has one row per {extract.grain}, no NULL in its key, and no rate or mean that "
        "cannot be.",
    }
    with accepting(dg.PreviewWarning):
        specs = [
            dg.AssetCheckSpec(name, asset=key, description=text, blocking=True, partitions_def=CLOSED_MONTHS)
            for name, text in descriptions.items()
        ]

    @dg.multi_asset_check(name="__".join((*key.path, "checks")), specs=specs, can_subset=True)
    def checks(
        context: dg.AssetCheckExecutionContext, postgres: PostgresResource
    ) -> Iterator[dg.Output[None] | dg.AssetCheckEvaluation]:
        zone = postgres.settings.zone
        selected = {check.name for check in context.selected_asset_check_keys}
        with postgres.connect(f"check {extract.relation.name}") as connection:
            months = months_of(context) or months_held(connection, extract)
            for spec in specs:
                if spec.name in selected:
                    measure = reconciliation if spec.name == RECONCILED else validity
                    yield from evaluations(context, spec, measure(connection, extract, months, zone))

    return checks


def months_held(connection: psycopg.Connection[Any], extract: Extract) -> list[Month]:
    """The months from the first to the last that the extract has rows of."""
    query = sql.SQL("SELECT min(month), max(month) FROM {}").format(extract.relation.identifier)
    first, last = (day and Month(day.year, day.month) for day in connection.execute(query).fetchone() or (None, None))
    return list(first.through(last)) if first and last else []


def reconciliation(
    connection: psycopg.Connection[Any], extract: Extract, months: Sequence[Month], zone: ZoneInfo
) -> dict[Month | None, Finding]:
    """For each month, the measures in which the extract and its sources differ."""
    rows = _by_month(connection, extract, "reconcile_months.sql", months, zone)
    findings: dict[Month | None, Finding] = {}
    for month in months:
        differing = [row for row in rows[month] if row["in_source"] != row["in_extract"]]
        findings[month] = Finding(
            subject=f"measures of {extract.relation} in {month} that differ from an independent count of the sources",
            count=len(differing),
            sample=differing[:SAMPLE],
            cause="rows of that month came, changed or went in the logs after it was built (late feedback, deleted "
            "sessions), or somebody changed the extract.",
            remedy=f"materialize the partition {month.partition_key} of {'/'.join(asset_key(extract.relation).path)}.",
            metadata={row["name"]: row["in_source"] for row in rows[month]},
        )
    return findings


def validity(
    connection: psycopg.Connection[Any], extract: Extract, months: Sequence[Month], zone: ZoneInfo
) -> dict[Month | None, Finding]:
    """For each month, the rows that cannot be right."""
    rows = _by_month(connection, extract, "list_invalid_rows.sql", months, zone)
    return {
        month: Finding(
            subject=f"rows of {extract.relation} in {month} that cannot be right",
            count=len(rows[month]),
            sample=rows[month][:SAMPLE],
            cause="somebody changed the extract or its constraints.",
            remedy=f"materialize the partition {month.partition_key} of {'/'.join(asset_key(extract.relation).path)}.",
        )
        for month in months
    }


def _by_month(
    connection: psycopg.Connection[Any], extract: Extract, statement: str, months: Sequence[Month], zone: ZoneInfo
) -> dict[Month, list[dict[str, Any]]]:
    """The rows of one of the extract's statements, without their month."""
    rows: dict[Month, list[dict[str, Any]]] = {month: [] for month in months}
    with connection.cursor(row_factory=dict_row) as cursor:
        query = read_sql("extracts", extract.relation.name, statement)
        for row in cursor.execute(query, month_parameters(months, zone)):
            day = row.pop("month")
            rows[Month(day.year, day.month)].append(row)
    return rows


EXTRACT_CHECKS = [extract_checks(extract) for extract in EXTRACTS]
