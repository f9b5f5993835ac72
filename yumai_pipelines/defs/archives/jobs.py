"""The job that archives past months of the conversations. `yumai_pipelines.archives` does the work."""

from typing import Any

import dagster as dg
from pydantic import Field

from yumai_pipelines.archives.archive import ArchiveReport, archive_months, preview_archive
from yumai_pipelines.archives.store import Store
from yumai_pipelines.defs.archives.assets import archived_conversations
from yumai_pipelines.defs.evaluations import table
from yumai_pipelines.defs.months import ARCHIVED_MONTHS, LeavingConfig, show_months
from yumai_pipelines.defs.resources import PostgresResource
from yumai_pipelines.model.calendar import oldest_kept
from yumai_pipelines.model.months import Month
from yumai_pipelines.partitions import archived
from yumai_pipelines.postgres.clocks import earlier_now
from yumai_pipelines.postgres.connections import Connection
from yumai_pipelines.settings import Settings


class ArchiveConfig(LeavingConfig):
    """The options of a run."""

    again: bool = Field(default=False, description="Archive months too that somebody has restored.")


@dg.op(name="archive_conversations", tags={"document_section": "7.2"})
def _archive(
    context: dg.OpExecutionContext,
    config: ArchiveConfig,
    postgres: PostgresResource,
    settings: dg.ResourceParam[Settings],
    archive: dg.ResourceParam[Store],
) -> None:
    """Move months into files, or say which would be moved.

    A month's partition is detached, written to YUMAI_ARCHIVE_URL, and read back; the table is dropped only if the file
    holds the same rows. A restored month stays in the database until a run is told to archive it `again`. A month is
    past when it is by the pipeline's clock and by the server's.
    """
    with postgres.working("archive") as connection:
        as_of = earlier_now(connection)
        months = config.months(settings.first, oldest_kept(as_of, settings.zone, settings.months_kept) - 1)
        if config.dry_run:
            _preview(context, connection, months, settings, again=config.again)
            return
        try:
            for report in archive_months(
                connection,
                months,
                store=archive,
                zone=settings.zone,
                policy=settings.lock_policy,
                kept=settings.months_kept,
                as_of=as_of,
                again=config.again,
            ):
                context.log.info(f"{report.month}: {report.action}")
                context.log_event(
                    dg.AssetMaterialization(
                        archived_conversations.key, partition=report.month.partition_key, metadata=_metadata(report)
                    )
                )
        finally:
            if not connection.closed:
                show_archived(context.instance, connection)


def show_archived(instance: dg.DagsterInstance, connection: Connection) -> None:
    """Have Dagster list the months that are in files."""
    months = [month for month, archive in archived.read(connection).items() if archive.state == "archived"]
    show_months(instance, ARCHIVED_MONTHS, months)


def _preview(
    context: dg.OpExecutionContext, connection: Connection, months: list[Month], settings: Settings, *, again: bool
) -> None:
    previews = list(preview_archive(connection, months, zone=settings.zone, again=again))
    leaving = [each for each in previews if each.action == "archived"]
    context.log.info(
        f"Dry run, nothing was changed: {sum(each.rows for each in leaving):,} conversations of {len(leaving)} months "
        "would be moved into files. Launch it with dry_run: false to do it."
    )
    context.add_output_metadata(
        {
            "dry_run": True,
            "would_be_archived": sum(each.rows for each in leaving),
            "months": table(
                [
                    {"month": str(each.month), "rows": each.rows, "would be": each.action}
                    for each in previews
                    if each.action != "no rows"
                ]
            ),
        }
    )


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


@dg.graph
def archive_graph() -> None:
    """Archives past months; see `schedules`."""
    _archive()
