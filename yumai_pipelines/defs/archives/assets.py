"""The asset that archives past months of the conversations. `yumai_pipelines.archives` does the work."""

from typing import Any

import dagster as dg
from pydantic import Field

from yumai_pipelines.archives.archive import ArchiveReport, archive_months
from yumai_pipelines.archives.store import Store
from yumai_pipelines.defs.metadata import ENGINEERING, asset_key, section
from yumai_pipelines.defs.months import PAST_MONTHS, accepting, months_of
from yumai_pipelines.defs.resources import PostgresResource
from yumai_pipelines.model.registry import CONVERSATIONS
from yumai_pipelines.postgres.clocks import earlier_now
from yumai_pipelines.settings import Settings


class ArchiveConfig(dg.Config):
    """The options of a run, besides its months."""

    again: bool = Field(default=False, description="Archive months too that somebody has restored.")


with accepting(dg.BetaWarning):
    _monthly = dg.asset(
        key_prefix="chatbot",
        deps=[asset_key(CONVERSATIONS)],
        partitions_def=PAST_MONTHS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name="chatbot",
        kinds={"postgres", "parquet"},
        owners=[ENGINEERING],
        tags=section("7.2"),
    )


@_monthly
def archived_conversations(
    context: dg.AssetExecutionContext,
    config: ArchiveConfig,
    postgres: PostgresResource,
    settings: dg.ResourceParam[Settings],
    archive: dg.ResourceParam[Store],
) -> dg.MaterializeResult[None]:
    """Past months of the conversations (see YUMAI_MONTHS_KEPT), as Parquet files instead of partitions.

    Materializing a month detaches its partition, writes it to YUMAI_ARCHIVE_URL, reads the file back, and drops the
    table only if the file holds the same rows. `yumai restore-month` brings a month back; the month then stays in the
    database until a run is told to archive it `again`. Rows whose session or user is deleted later stay in the file
    until the job erase_user removes that person's rows. A month is past when it is by the pipeline's clock and by the
    server's. Section 7.2 of the database document.
    """
    with postgres.working("archive") as connection:
        for report in archive_months(
            connection,
            months_of(context) or [],
            store=archive,
            zone=settings.zone,
            policy=settings.lock_policy,
            kept=settings.months_kept,
            as_of=earlier_now(connection),
            again=config.again,
        ):
            context.log.info(f"{report.month}: {report.action}")
            context.add_asset_metadata(_metadata(report), partition_key=report.month.partition_key)
    return dg.MaterializeResult()


def _metadata(report: ArchiveReport) -> dict[str, Any]:
    measures = {
        "action": report.action,
        "late_rows": report.late_rows,
        "lock_held_ms": round(report.lock_held_ms, 3),
        "retries": report.retries,
    }
    archive = report.archive
    if archive is None or archive.row_count is None:
        return measures
    return {
        "dagster/partition_row_count": archive.row_count,
        "bytes": archive.bytes,
        "uri": archive.uri,
        "checksum": archive.checksum,
        "first_time": str(archive.first_time),
        "last_time": str(archive.last_time),
        **measures,
    }
