"""Monthly tables for analysts: each extract of the registry, built by its statements in `sql/extracts/<name>/`.

What an extract holds stands in its SQL, how it is proven in `checks.extracts`.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from yumai_pipelines import schema_snapshot
from yumai_pipelines.assets.months import CLOSED_MONTHS, accepting, bounds_of, months_of
from yumai_pipelines.assets.tables import ANALYTICS, ENGINEERING, asset_key, relation_metadata, section
from yumai_pipelines.catalog import EXTRACTS, Extract
from yumai_pipelines.months import Month
from yumai_pipelines.resources import PostgresResource
from yumai_pipelines.sql_files import read_sql


def month_parameters(months: Sequence[Month], zone: ZoneInfo) -> dict[str, Any]:
    """Adjoining months as an extract's statements take them: `months`, their first days, and `bounds`, instants."""
    return {
        "months": [date(month.year, month.number, 1) for month in months],
        "bounds": bounds_of(months, zone),
    }


def replace_months(
    connection: psycopg.Connection[Any], extract: Extract, months: Sequence[Month], zone: ZoneInfo
) -> list[dict[str, Any]]:
    """Build the months of an extract anew, in one transaction: a run that is killed leaves the old ones whole.

    Args:
        connection: in autocommit mode, as the owner of the extracts.
        extract: what to build.
        months: adjoining months, in order.
        zone: the business's time zone, at whose midnights they begin.

    Returns:
        What then stands there, one row for each month.
    """
    parameters = month_parameters(months, zone)
    with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        # Two runs of the same month: the second waits, and replaces what the first has built.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (str(extract.relation),))
        delete = sql.SQL(read_sql("extracts", "delete_months.sql")).format(extract=extract.relation.identifier)
        cursor.execute(delete, parameters)
        cursor.execute(read_sql("extracts", extract.relation.name, "insert_months.sql"), parameters)
        return cursor.execute(
            read_sql("extracts", extract.relation.name, "summarize_months.sql"), parameters
        ).fetchall()


def extract_asset(extract: Extract) -> dg.AssetsDefinition:
    """The asset of an extract, monthly."""
    with accepting(dg.BetaWarning):
        monthly = dg.asset(
            key=asset_key(extract.relation),
            deps=[asset_key(source) for source in extract.sources],
            description=f"{schema_snapshot.comment(extract.relation)} Grain: {extract.grain}. Built from "
            f"{' and '.join(map(str, extract.sources))}; a month is replaced as a whole, and a range of months is one "
            "pass over the logs. A feedback counts in the month of its recommendation if it has one, else in its own.",
            partitions_def=CLOSED_MONTHS,
            backfill_policy=dg.BackfillPolicy.single_run(),
            group_name="extracts",
            kinds={"postgres", "sql"},
            owners=[ANALYTICS, ENGINEERING],
            tags=section("3.3"),
            metadata=relation_metadata(extract.relation),
        )

    @monthly
    def build(context: dg.AssetExecutionContext, postgres: PostgresResource) -> dg.MaterializeResult[None]:
        months = months_of(context) or []
        with postgres.connect(f"build {extract.relation.name}") as connection:
            summaries = replace_months(connection, extract, months, postgres.settings.zone)
        for month, summary in zip(months, summaries, strict=True):
            del summary["month"]
            context.add_asset_metadata(
                {"dagster/partition_row_count": summary["rows"], **summary}, partition_key=month.partition_key
            )
        return dg.MaterializeResult()

    return build


EXTRACT_ASSETS = [extract_asset(extract) for extract in EXTRACTS]
