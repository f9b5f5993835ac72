"""Sessions past their age, deleted by month. What may go is decided in `yumai_pipelines.retention.purge`."""

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
    """Sessions deleted that ended in the month, with all that hangs on them: 30 days after their end at the earliest.

    Only of months whose extracts are all built, have passed their checks, and stand for what is there now; what was
    deleted is noted in `extracts.ledger`, and from then on those months of the extracts stay as they are. In batches,
    each a transaction of its own. Where YUMAI_ARCHIVE_URL is set, conversations are not deleted before they are
    archived, so a month waits for that (YUMAI_PURGE_ARCHIVED_ONLY). Section 7.2 of the database document.
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
        # After the other months: one that is not proven need not hold up those that are.
        raise RetentionRefusedError("\n\n".join(refused))
    return dg.MaterializeResult()
