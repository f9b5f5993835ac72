"""The asset of `chatbot.conversations`, by month. `yumai_pipelines.partitions` makes the partitions of the table."""

import dagster as dg

from yumai_pipelines.defs.metadata import ENGINEERING, asset_key, relation_metadata, section
from yumai_pipelines.defs.months import KEPT_MONTHS, MONTHLY, accepting, months_of
from yumai_pipelines.defs.resources import PostgresResource
from yumai_pipelines.defs.schema.assets import schema
from yumai_pipelines.model.months import Month
from yumai_pipelines.model.registry import CONVERSATIONS
from yumai_pipelines.partitions.ensure import MonthReport, archived_months, ensure_months
from yumai_pipelines.settings import Settings

with accepting(dg.BetaWarning):
    _monthly = dg.asset(
        key=asset_key(CONVERSATIONS),
        deps=[schema],
        partitions_def=KEPT_MONTHS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name="chatbot",
        kinds={"postgres", "table"},
        owners=[ENGINEERING],
        tags=section("3.2"),
        metadata=relation_metadata(CONVERSATIONS),
        freshness_policy=MONTHLY,
    )


@_monthly
def conversations(
    context: dg.AssetExecutionContext, postgres: PostgresResource, settings: dg.ResourceParam[Settings]
) -> dg.MaterializeResult[None]:
    """The conversations, one row per turn, in one partition for each month of the business's time zone.

    Materializing a month makes sure that its partition exists, with every index and foreign key, and holds every row
    of the month: rows that had landed in the default partition are moved. This is idempotent. Months can be made in any
    order and with gaps, and a range of months is one run. A writer waits no longer than the lock timeout. Archived
    months of a range are left alone; a run of archived months only fails, and names the file. Sections 3.2 and 7.2 of
    the database document.
    """
    months = months_of(context) or []
    with postgres.working("partitions") as connection:
        archives = archived_months(connection, settings.zone)
        archived = [archives[month] for month in months if month in archives]
        reports = ensure_months(
            connection,
            months if len(archived) == len(months) else [month for month in months if month not in archives],
            zone=settings.zone,
            policy=settings.lock_policy,
        )
    for archive in archived:
        context.log.warning(f"{archive.month} was left alone: its rows are {archive.place}.")
        note = {"action": "left alone", "rows_are": archive.place, "dagster/partition_row_count": 0}
        context.add_asset_metadata(note, partition_key=Month.parse(archive.month).partition_key)
    for report in reports:
        context.add_asset_metadata(_metadata(report), partition_key=report.month.partition_key)
    return dg.MaterializeResult()


def _metadata(report: MonthReport) -> dict[str, str | int | float]:
    return {
        "dagster/partition_row_count": report.rows,
        "bytes": report.bytes,
        "partition": str(report.relation),
        "lower_bound": report.lower.isoformat(),
        "upper_bound": report.upper.isoformat(),
        "action": report.action,
        "moved_rows": report.moved_rows,
        "lock_held_ms": round(report.lock_held_ms, 3),
        "retries": report.retries,
    }
