"""The asset that deletes old sessions, by month. `yumai_pipelines.retention.purge` decides what may be deleted."""

from datetime import UTC, datetime

import dagster as dg

from yumai_pipelines.defs.extracts.assets import extracts
from yumai_pipelines.defs.metadata import ENGINEERING, section
from yumai_pipelines.defs.months import CLOSED_MONTHS, accepting, months_of
from yumai_pipelines.defs.resources import PostgresResource
from yumai_pipelines.retention.purge import RetentionRefusedError, purge_month
from yumai_pipelines.settings import Settings

with accepting(dg.BetaWarning):
    _monthly = dg.asset(
        key_prefix="chatbot",
        deps=[*extracts.keys],
        partitions_def=CLOSED_MONTHS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name="retention",
        kinds={"postgres", "sql"},
        owners=[ENGINEERING],
        tags=section("7.2"),
    )


@_monthly
def expired_sessions(
    context: dg.AssetExecutionContext, postgres: PostgresResource, settings: dg.ResourceParam[Settings]
) -> dg.MaterializeResult[None]:
    """Deletes the sessions that ended in the month, with the rows that belong to them, 30 days or more after their end.

    The age is set by YUMAI_SESSION_DAYS. Sessions of a month are deleted only if all extracts of the month are built,
    have passed their checks, and agree with the rows that are there now. The deletion is recorded in `extracts.ledger`,
    and from then on those months of the extracts are not built again. Each batch is a transaction of its own. If
    YUMAI_ARCHIVE_URL is set, conversations are deleted only after they are archived, so a month waits for that
    (YUMAI_PURGE_ARCHIVED_ONLY). Section 7.2 of the database document.
    """
    refused = []
    with postgres.connect("purge sessions") as connection:
        for month in months_of(context) or []:
            try:
                purge = purge_month(
                    connection,
                    month,
                    settings.zone,
                    settings.lock_policy,
                    as_of=datetime.now(UTC),
                    days=settings.session_days,
                    archived_only=settings.archives_before_purge,
                )
            except RetentionRefusedError as error:
                refused.append(str(error))
                continue
            context.add_asset_metadata(
                {
                    "deleted": purge.deleted,
                    "kept": purge.kept,
                    "batches": purge.batches,
                    "longest_batch_seconds": round(purge.longest.total_seconds(), 3),
                },
                partition_key=month.partition_key,
            )
    if refused:
        # Raised after the other months are purged, so that a refused month does not hold them up.
        raise RetentionRefusedError("\n\n".join(refused))
    return dg.MaterializeResult()
