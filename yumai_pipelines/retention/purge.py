"""Deleting sessions that are past their age (section 7.2), and never what the extracts have not got.

A month is purged when every extract of it is built, has passed its checks, and was built from what is there now. A
session goes when each of its rows is one that those extracts know, as it is now; all that is checked under locks, in
the transaction that deletes the session and says so in the ledger. Where conversations are to be archived, neither a
month nor a session goes before its own are. A run that is killed has done whole batches.
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
from yumai_pipelines.extracts.ledger import entries
from yumai_pipelines.model.calendar import first_days, latest_month
from yumai_pipelines.model.months import Month
from yumai_pipelines.model.registry import EXTRACTS
from yumai_pipelines.partitions import archived as archives
from yumai_pipelines.postgres.errors import DatabaseError
from yumai_pipelines.postgres.locks import AdvisoryLock, advisory_lock
from yumai_pipelines.postgres.sql_files import read_sql
from yumai_pipelines.postgres.transactions import PatientTransactions

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    from yumai_pipelines.extracts.ledger import Entry
    from yumai_pipelines.model.lock_policy import LockPolicy
    from yumai_pipelines.postgres.connections import Connection

BATCH = 1000
"""Sessions of one transaction: its locks are held for a fraction of a second."""

_PROOF = ("lock_recommendations.sql", "lock_feedback.sql", "keep_unknown_sessions.sql", "record_purge.sql")
"""What comes between the picking of a batch's sessions and their end, in this order."""

_TEMPORARY = ("known_rows", "purge_batch", "purge_rows")


class RetentionRefusedError(DatabaseError):
    """A month may not be purged. Nothing of it was deleted; the message says why, and what to do."""


@dataclass(frozen=True)
class Purge:
    """What became of the sessions that ended in a month.

    Attributes:
        month: which.
        deleted: sessions that are gone.
        kept: sessions that stay, since the extracts do not have all that is in them, or the archives.
        batches: transactions.
        longest: the longest of them.
    """

    month: Month
    deleted: int
    kept: int
    batches: int
    longest: timedelta


@dataclass(frozen=True)
class _Batch:
    """What one transaction did: how many sessions it looked at and deleted, and which was the last."""

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
    """Delete the sessions that ended in a month, with all that hangs on them.

    Args:
        connection: in autocommit mode, as the owner of the tables.
        month: in which they ended.
        zone: the business's time zone.
        policy: how long to stop others, and how long to wait for them.
        as_of: now.
        days: age of the sessions from which they may go.
        archived_only: leave sessions alone that have conversations which are not archived.
        batch: sessions of one transaction.

    Raises:
        RetentionRefusedError: the extracts of the month do not stand for what is there; or its conversations are not
            archived, though they are to be.
        LockNotObtainedError: somebody was in the way until patience ended.
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
            # No month leaves for its file in the meantime.
            locks.enter_context(advisory_lock(connection, AdvisoryLock.ARCHIVES, policy))
            _refuse_unarchived(connection, month, zone)
        try:
            _remember_known_rows(connection, month, zone)
            return _purge(PatientTransactions(connection, policy), month, zone, batch, archived_only=archived_only)
        finally:
            if not connection.closed:
                connection.execute(
                    sql.SQL("DROP TABLE IF EXISTS {}").format(
                        sql.SQL(", ").join(sql.Identifier("pg_temp", name) for name in _TEMPORARY)
                    )
                )


def _refuse_unarchived(connection: Connection, month: Month, zone: ZoneInfo) -> None:
    """Refuse to purge a month whose conversations would go with its sessions, and those of any that is half-way out."""
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
            + f"\nNothing was deleted. Materialize the partition {month.partition_key} of "
            "chatbot/archived_conversations, which takes months that are older than YUMAI_MONTHS_KEPT, then run this "
            "again. To delete conversations that were never archived, set YUMAI_PURGE_ARCHIVED_ONLY=false."
        )


def _remember_known_rows(connection: Connection, month: Month, zone: ZoneInfo) -> None:
    """Compare what is there with what the extracts were built from; keep the rows of the months that are safe.

    The month before is looked at too, since a session may begin in it.
    """
    months = [month - 1, month]
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        apply_server_settings(connection)
        ledger = entries(connection, months)
        connection.execute(read_sql("retention", "create_known_rows.sql"), month_parameters(months, zone))
        connection.execute("CREATE UNIQUE INDEX ON known_rows (id, is_recommendation)")
        hashes = {
            Month(day.year, day.month): value
            for day, value in connection.execute("SELECT month, bit_xor(source_hash) FROM known_rows GROUP BY month")
        }
        faults = {each: _faults(each, ledger, hashes.get(each, 0)) for each in months}
        if faults[month]:
            raise RetentionRefusedError(
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
    """Why the extracts of a month do not stand for its rows."""
    faults = []
    for extract in EXTRACTS:
        entry = ledger.get((extract.relation.name, month))
        if entry is None:
            faults.append(f"{extract.relation} was never built")
        elif entry.source_hash != found ^ entry.purged_hash:
            again = "" if entry.purged_at is None else f", and cannot be built anew: it was purged at {entry.purged_at}"
            faults.append(f"the logs have changed since {extract.relation} was built at {entry.built_at}{again}")
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
    # The cascade asks each index for the few rows of one session, over and over: a bitmap takes longer to set up.
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
    return _Batch(picked, deleted, last_end, last_id)


def _run(connection: Connection, statement: str, **parameters: object) -> tuple[Any, ...]:
    """The only row of a statement."""
    return connection.execute(read_sql("retention", statement), parameters).fetchone() or ()
