"""The job that deletes old sessions, by month. `yumai_pipelines.retention.purge` decides what may be deleted."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

import dagster as dg
import psycopg

from yumai_pipelines.defs.evaluations import table
from yumai_pipelines.defs.extracts.builder import Builder
from yumai_pipelines.defs.months import PURGED_MONTHS, LeavingConfig, show_months
from yumai_pipelines.defs.resources import PostgresResource, UserKeys
from yumai_pipelines.defs.retention.assets import expired_sessions
from yumai_pipelines.model.calendar import latest_month, oldest_kept
from yumai_pipelines.model.months import Month
from yumai_pipelines.postgres.clocks import earlier_now
from yumai_pipelines.postgres.connections import Connection
from yumai_pipelines.postgres.errors import DatabaseError
from yumai_pipelines.retention.purge import Purge, RetentionRefusedError, UnprovenError, preview_purge, purge_month
from yumai_pipelines.settings import Settings


def last_of_age(at: datetime, settings: Settings) -> Month:
    """Return the last month whose sessions are old enough and, where they are to be archived first, may have been."""
    last = latest_month(at, settings.zone, settings.session_days)
    if settings.archives_before_purge:
        return min(last, oldest_kept(at, settings.zone, settings.months_kept) - 1)
    return last


@dg.op(name="delete_expired_sessions", tags={"document_section": "7.2"})
def _purge(
    context: dg.OpExecutionContext,
    config: LeavingConfig,
    postgres: PostgresResource,
    settings: dg.ResourceParam[Settings],
    user_keys: dg.ResourceParam[UserKeys],
) -> None:
    """Delete the sessions that ended in the months, or say what would be deleted.

    A session goes 30 days or more after its end (YUMAI_SESSION_DAYS), by the pipeline's clock and by the server's.
    Sessions of a month are deleted only if all extracts of the month are built, have passed their checks, and agree
    with the rows that are there now. A month of which that is not true is built first. The deletion is recorded in
    `extracts.ledger`, and from then on those months of the extracts are not built again: what changes in their logs
    afterwards is counted there. Each batch is a transaction of its own. If YUMAI_ARCHIVE_URL is set, conversations are
    deleted only after they are archived, so a month waits for that (YUMAI_PURGE_ARCHIVED_ONLY).
    """
    with postgres.working("purge sessions") as connection:
        as_of = earlier_now(connection)
        months = config.months(settings.first, last_of_age(as_of, settings))
        if config.dry_run:
            _preview(context, connection, months, settings)
            return
        refused = _purge_months(context, connection, months, as_of, Builder(context, postgres, settings, user_keys))
    if refused:
        raise RetentionRefusedError("\n\n".join(refused))


def _purge_months(
    context: dg.OpExecutionContext,
    connection: Connection,
    months: Sequence[Month],
    as_of: datetime,
    builder: Builder,
) -> list[str]:
    """Purge the months, and return why some of them are refused: such a month holds up no other."""
    settings = builder.settings
    refused: list[str] = []
    for month in months:
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
                _show(context, purge())
            except UnprovenError as reason:
                context.log.info(f"{month} is built first. {reason}")
                builder.build_and_prove(month, month)
                _show(context, purge())
        except (DatabaseError, psycopg.Error) as error:
            if connection.closed:
                raise
            refused.append(f"{month}: {error}")
    return refused


def _show(context: dg.OpExecutionContext, purge: Purge) -> None:
    context.log.info(f"{purge.month}: {purge.deleted:,} sessions deleted, {purge.kept:,} kept")
    metadata = {
        "deleted": purge.deleted,
        "kept": purge.kept,
        "batches": purge.batches,
        "longest_batch_seconds": round(purge.longest.total_seconds(), 3),
    }
    context.log_event(
        dg.AssetMaterialization(expired_sessions.key, partition=purge.month.partition_key, metadata=metadata)
    )
    done = context.instance.get_materialized_partitions(expired_sessions.key)
    show_months(context.instance, PURGED_MONTHS, map(Month.parse, done))


def _preview(
    context: dg.OpExecutionContext, connection: Connection, months: Sequence[Month], settings: Settings
) -> None:
    previews = [
        preview_purge(connection, month, settings.zone, archived_only=settings.archives_before_purge)
        for month in months
    ]
    leaving = [each for each in previews if each.sessions and not each.refusal]
    sessions = sum(each.sessions for each in leaving)
    for each in previews:
        if each.sessions and each.refusal:
            context.log.info(each.refusal)
    context.log.info(
        f"Dry run, nothing was changed: {sessions:,} sessions of {len(leaving)} months would be deleted, with all rows "
        "that belong to them. Launch it with dry_run: false to do it."
    )
    context.add_output_metadata(
        {
            "dry_run": True,
            "would_be_deleted": sessions,
            "months": table(
                [
                    {
                        "month": str(each.month),
                        "sessions": each.sessions,
                        **each.rows,
                        "would be": "refused" if each.refusal else "deleted",
                    }
                    for each in previews
                    if each.sessions
                ]
            ),
        }
    )


@dg.graph
def retention_graph() -> None:
    """Deletes old sessions; see `schedules`."""
    _purge()
