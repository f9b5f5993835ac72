"""Deletes sessions that are past their age (section 7.2), but only what the extracts already contain.

A month may be purged when each of its extracts was built from the rows that exist now, and has passed its checks. A
session is deleted when those extracts know each of its rows as it is now. That is checked under locks, in the
transaction that deletes the session and updates the ledger. Where conversations are to be archived, a month or session
is purged only after its conversations were archived. A run that is killed has completed whole batches.

From its first deletion on, a month is frozen: its extracts are not built again. What changes in its remaining rows
afterwards is counted in the ledger, and goes with its sessions.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from psycopg import sql

from yumai_pipelines.extracts.build import apply_server_settings, month_parameters
from yumai_pipelines.extracts.changes import settle
from yumai_pipelines.extracts.ledger import entries
from yumai_pipelines.model.calendar import first_days, latest_month
from yumai_pipelines.model.months import Month
from yumai_pipelines.model.registry import EXTRACTS
from yumai_pipelines.partitions import archived as archives
from yumai_pipelines.postgres.errors import DatabaseError
from yumai_pipelines.postgres.locks import AdvisoryLock, advisory_lock
from yumai_pipelines.postgres.references import explaining_references
from yumai_pipelines.postgres.sql_files import read_sql
from yumai_pipelines.postgres.transactions import PatientTransactions
from yumai_pipelines.postgres.values import read_value
from yumai_pipelines.schema.tables import SESSION_CHILDREN

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    from yumai_pipelines.extracts.ledger import Entry
    from yumai_pipelines.model.lock_policy import LockPolicy
    from yumai_pipelines.postgres.connections import Connection

BATCH = 1000
"""Sessions per transaction, so that its locks are held for a fraction of a second."""

_PROOF = ("lock_recommendations.sql", "lock_feedback.sql", "keep_unknown_sessions.sql", "record_purge.sql")
"""The statements between picking the sessions of a batch and deleting them, in this order."""

_TEMPORARY = ("known_rows", "purge_batch", "purge_rows")


class RetentionRefusedError(DatabaseError):
    """A month may not be purged. Nothing was deleted; the message says why, and what to do."""


class UnprovenError(RetentionRefusedError):
    """A month may not be purged before its extracts are built, or built again, and have passed their checks."""


@dataclass(frozen=True)
class Purge:
    """The result of purging the sessions that ended in a month.

    Attributes:
        month: the month.
        deleted: number of sessions that were deleted.
        kept: number of sessions that stay, because the extracts or the archives do not have all their rows.
        batches: number of transactions.
        longest: duration of the longest transaction.
    """

    month: Month
    deleted: int
    kept: int
    batches: int
    longest: timedelta


@dataclass(frozen=True)
class _Batch:
    """The result of one transaction: the numbers of sessions it picked and deleted, and the last one that it picked."""

    picked: int
    deleted: int
    last_end: datetime
    last_id: UUID


def purge_month(
    connection: Connection,
    month: Month,
    zone: ZoneInfo,
    policy: LockPolicy,
    *,
    as_of: datetime,
    days: int,
    archived_only: bool = False,
    batch: int = BATCH,
) -> Purge:
    """Delete the sessions that ended in a month, with all rows that belong to them.

    Args:
        connection: in autocommit mode, as the owner of the tables.
        month: the month in which the sessions ended.
        zone: the business's time zone.
        policy: how long others may be made to wait, and how long to try.
        as_of: the current time.
        days: the age, in days, from which a session may be deleted.
        archived_only: whether to keep sessions that have conversations which are not archived.
        batch: number of sessions per transaction.

    Raises:
        UnprovenError: its extracts do not match its rows.
        RetentionRefusedError: the month is too young, or its conversations are not archived although they are to be.
        StillReferredToError: rows of a table that this version does not know refer to a session or its rows.
        LockNotObtainedError: others held locks for as long as the policy's patience.
    """
    if month > latest_month(as_of, zone, days):
        raise RetentionRefusedError(
            f"{month} is too young to be purged: the latest month that may be is {latest_month(as_of, zone, days)}, "
            f"all of whose sessions are over {days} days old and whose extracts are not built anew any more. Nothing "
            "was deleted."
        )
    with ExitStack() as locks:
        locks.enter_context(advisory_lock(connection, AdvisoryLock.EXTRACTS, policy))
        if archived_only:
            # No month is archived or restored in the meantime.
            locks.enter_context(advisory_lock(connection, AdvisoryLock.ARCHIVES, policy))
            _refuse_unarchived(connection, month, zone)
        try:
            settle(connection)
            _remember_known_rows(connection, month, zone)
            with explaining_references("What other batches deleted stays deleted; this one was undone."):
                return _purge(PatientTransactions(connection, policy), month, zone, batch, archived_only=archived_only)
        finally:
            if not connection.closed:
                connection.execute(
                    sql.SQL("DROP TABLE IF EXISTS {}").format(
                        sql.SQL(", ").join(sql.Identifier("pg_temp", name) for name in _TEMPORARY)
                    )
                )


@dataclass(frozen=True)
class PurgePreview:
    """What `purge_month` would find in a month.

    Attributes:
        month: the month.
        sessions: number of sessions that ended in it.
        rows: number of rows that belong to these sessions, by name of the table.
        refusal: why it would be refused as the conversations are; empty if it would not be.
    """

    month: Month
    sessions: int
    rows: dict[str, int]
    refusal: str


def preview_purge(connection: Connection, month: Month, zone: ZoneInfo, *, archived_only: bool) -> PurgePreview:
    """Count what would go with the sessions that ended in a month, and change nothing.

    Sessions that would be kept, because the extracts do not have all their rows, are counted too.
    """
    bounds = {"lower_bound": month.start(zone), "upper_bound": month.end(zone)}
    sessions = read_value(connection, read_sql("retention", "count_sessions.sql"), bounds)
    rows = {
        child.relation.name: read_value(
            connection,
            sql.SQL(read_sql("retention", "count_rows_of_sessions.sql")).format(
                table=child.relation.identifier, session=sql.Identifier(child.session_key.column)
            ),
            bounds,
        )
        for child in SESSION_CHILDREN
        if child.session_key
    }
    refusal = ""
    if archived_only:
        try:
            _refuse_unarchived(connection, month, zone)
        except RetentionRefusedError as error:
            refusal = str(error)
    return PurgePreview(month, sessions, rows, refusal)


def _refuse_unarchived(connection: Connection, month: Month, zone: ZoneInfo) -> None:
    """Refuse to purge a month that has conversations in the database, or while any month is only partly archived."""
    half_way = [
        f"the conversations of {each} are {archive.place}"
        for each, archive in archives.read(connection).items()
        if archive.state in ("detaching", "detached")
    ]
    (present,) = _run(connection, "has_conversations.sql", lower_bound=month.start(zone), upper_bound=month.end(zone))
    faults = half_way + ([f"the conversations of {month} are in the database alone"] if present else [])
    if faults:
        raise RetentionRefusedError(
            f"{month} is not purged, since conversations that are to be archived would go with its sessions:\n"
            + "\n".join(f"  - {fault}" for fault in faults)
            + "\nNothing was deleted. Launch the job monthly_archive with dry_run: false, which takes months that are "
            "older than YUMAI_MONTHS_KEPT, then run this again. To delete conversations that were never archived, set "
            "YUMAI_PURGE_ARCHIVED_ONLY=false."
        )


def _remember_known_rows(connection: Connection, month: Month, zone: ZoneInfo) -> None:
    """Compare the rows with what the extracts were built from, and list the rows of safe months in `known_rows`.

    The month before is compared too, since a session may have begun in it. All rows of a frozen month are listed: they
    were compared before it was frozen, and what has changed since is counted.
    """
    months = [month - 1, month]
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        apply_server_settings(connection)
        ledger = entries(connection, months)
        connection.execute(read_sql("retention", "create_known_rows.sql"), month_parameters(months, zone))
        connection.execute("CREATE UNIQUE INDEX ON known_rows (id, is_recommendation)")
        hashes = {
            Month.of_day(day): value
            for day, value in connection.execute("SELECT month, bit_xor(source_hash) FROM known_rows GROUP BY month")
        }
        faults = {each: _faults(each, ledger, hashes.get(each, 0)) for each in months}
        if faults[month]:
            raise UnprovenError(
                f"{month} is not purged, since what its sessions hold would be lost to its extracts:\n"
                + "\n".join(f"  - {fault}" for fault in faults[month])
                + f"\nNothing was deleted. Materialize the partition {month.partition_key} of the extracts with their "
                "checks, then run this again."
            )
        unsafe = [each for each in months if faults[each]]
        connection.execute("DELETE FROM known_rows WHERE month = ANY(%s)", (first_days(unsafe),))
    connection.execute("CREATE TEMPORARY TABLE purge_batch (session_id uuid) ON COMMIT DELETE ROWS")
    connection.execute(
        "CREATE TEMPORARY TABLE purge_rows "
        "(id bigint, is_recommendation boolean, session_id uuid, given_in uuid, month date, source_hash bigint) "
        "ON COMMIT DELETE ROWS"
    )


def _faults(month: Month, ledger: Mapping[tuple[str, Month], Entry], found: int) -> list[str]:
    """The reasons why the extracts of a month do not match its rows; none when they do, or the month is frozen."""
    faults: list[str] = []
    known = {extract: ledger.get((extract.relation.name, month)) for extract in EXTRACTS}
    if any(entry and entry.purged_at for entry in known.values()):
        return faults
    for extract, entry in known.items():
        if entry is None:
            faults.append(f"{extract.relation} was never built")
        elif entry.source_hash != found:
            faults.append(f"the logs have changed since {extract.relation} was built at {entry.built_at}")
        elif entry.checks_passed is None:
            faults.append(f"{extract.relation} was built at {entry.built_at} and not checked since")
        elif not entry.checks_passed:
            faults.append(f"{extract.relation} failed its checks at {entry.checked_at}")
    return faults


def _purge(transactions: PatientTransactions, month: Month, zone: ZoneInfo, size: int, *, archived_only: bool) -> Purge:
    last = _Batch(0, 0, month.start(zone), UUID(int=0))
    picked = deleted = batches = 0
    longest = timedelta()
    while batches == 0 or last.picked == size:
        work = partial(_delete_batch, transactions.connection, month, zone, size, last, archived_only=archived_only)
        started = time.monotonic()
        last = transactions.run(f"purge sessions of {month}", [], work)
        longest = max(longest, timedelta(seconds=time.monotonic() - started))
        picked, deleted, batches = picked + last.picked, deleted + last.deleted, batches + 1
    return Purge(month, deleted, picked - deleted, batches, longest)


def _delete_batch(
    connection: Connection,
    month: Month,
    zone: ZoneInfo,
    size: int,
    previous: _Batch,
    *,
    archived_only: bool,
) -> _Batch:
    # The cascade looks up the few rows of each session in every index; setting up a bitmap for that takes longer.
    connection.execute("SET LOCAL enable_bitmapscan = off")
    picked, last_end, last_id = _run(
        connection,
        "pick_sessions.sql",
        lower_bound=month.start(zone),
        upper_bound=month.end(zone),
        last_end=previous.last_end,
        last_id=previous.last_id,
        size=size,
    )
    if not picked:
        return _Batch(0, 0, previous.last_end, previous.last_id)
    if archived_only:
        connection.execute(read_sql("retention", "keep_unarchived_sessions.sql"))
    for statement in _PROOF:
        connection.execute(read_sql("retention", statement))
    (deleted,) = _run(connection, "delete_sessions.sql")
    connection.execute(read_sql("retention", "forget_own_changes.sql"))
    return _Batch(picked, deleted, last_end, last_id)


def _run(connection: Connection, statement: str, **parameters: object) -> tuple[Any, ...]:
    """Run a statement of `sql/retention`, and return its only row."""
    return connection.execute(read_sql("retention", statement), parameters).fetchone() or ()
