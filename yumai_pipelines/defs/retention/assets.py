"""The asset that deletes old sessions, by month. `yumai_pipelines.retention.purge` decides what may be deleted."""

from functools import partial

import dagster as dg
import psycopg

from yumai_pipelines.defs.extracts.assets import extracts
from yumai_pipelines.defs.extracts.builder import Builder
from yumai_pipelines.defs.metadata import ENGINEERING, section
from yumai_pipelines.defs.months import CLOSED_MONTHS, accepting, months_of
from yumai_pipelines.defs.resources import PostgresResource, UserKeys
from yumai_pipelines.postgres.clocks import earlier_now
from yumai_pipelines.postgres.errors import DatabaseError
from yumai_pipelines.retention.purge import Purge, RetentionRefusedError, UnprovenError, purge_month
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
    context: dg.AssetExecutionContext,
    postgres: PostgresResource,
    settings: dg.ResourceParam[Settings],
    user_keys: dg.ResourceParam[UserKeys],
) -> dg.MaterializeResult[None]:
    """Deletes the sessions that ended in the month, with the rows that belong to them, 30 days or more after their end.

    The age is set by YUMAI_SESSION_DAYS. It is reached when it is by the pipeline's clock and by the server's. Sessions
    of a month are deleted only if all extracts of the month are built, have passed their checks, and agree with the
    rows that are there now. A month of which that is not true is built first. The deletion is recorded in
    `extracts.ledger`, and from then on those months of the extracts are not built again: what changes in their logs
    afterwards is counted there. Each batch is a transaction of its own. If YUMAI_ARCHIVE_URL is set, conversations are
    deleted only after they are archived, so a month waits for that (YUMAI_PURGE_ARCHIVED_ONLY). Section 7.2 of the
    database document.
    """
    builder = Builder(context, postgres, settings, user_keys)
    refused: list[str] = []
    purges: list[Purge] = []
    with postgres.working("purge sessions") as connection:
        as_of = earlier_now(connection)
        for month in months_of(context) or []:
            purge = partial(
                purge_month,
                connection,
                month,
                settings.zone,
                settings.lock_policy,
                as_of=as_of,
                days=settings.session_days,
                archived_only=settings.archives_before_purge,
            )
            try:
                try:
                    purges.append(purge())
                except UnprovenError as reason:
                    context.log.info(f"{month} is built first. {reason}")
                    builder.build_and_prove(month, month)
                    purges.append(purge())
            except (DatabaseError, psycopg.Error) as error:
                if connection.closed:
                    raise
                refused.append(f"{month}: {error}")
    if refused:
        # The other months are purged: a month that is refused must not hold them up, nor be what they look like.
        for done in purges:
            context.log_event(
                dg.AssetMaterialization(context.asset_key, partition=done.month.partition_key, metadata=_metadata(done))
            )
        raise RetentionRefusedError("\n\n".join(refused))
    for done in purges:
        context.add_asset_metadata(_metadata(done), partition_key=done.month.partition_key)
    return dg.MaterializeResult()


def _metadata(purge: Purge) -> dict[str, float]:
    return {
        "deleted": purge.deleted,
        "kept": purge.kept,
        "batches": purge.batches,
        "longest_batch_seconds": round(purge.longest.total_seconds(), 3),
    }
