"""Makes sure that each month of `chatbot.conversations` has its partition, while the table is in use.

Locks are taken by `postgres.transactions`. Tables are built by `partitions.tables`, and rows are moved out of the
default partition by `partitions.default`. No month is detached here, and no row is lost.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from psycopg import sql

from yumai_pipelines.partitions import archived
from yumai_pipelines.partitions.default import clean_up, ensure_default, move_out_of_default
from yumai_pipelines.partitions.tables import (
    PARENT,
    SCAN_LIMIT,
    ArchivedMonthError,
    MonthTable,
    Partition,
    attach,
    build,
    check_bounds,
    check_names,
    count_rows,
    describe_partitions,
    has_rows,
    referenced_locks,
    size_of,
)
from yumai_pipelines.postgres.locks import AdvisoryLock, LockMode, TableLock, advisory_lock
from yumai_pipelines.postgres.transactions import LockStatistics, PatientTransactions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from yumai_pipelines.model.lock_policy import LockPolicy
    from yumai_pipelines.model.months import Month
    from yumai_pipelines.model.relations import Relation
    from yumai_pipelines.partitions.archived import Archive
    from yumai_pipelines.postgres.connections import Connection

MonthOutcome = Literal["created", "filled", "recognized"]


@dataclass(frozen=True)
class MonthReport:
    """What was done for one month.

    Attributes:
        month: the month.
        relation: its partition.
        action: `created` empty, `filled` with rows that had landed in the default partition, or `recognized` because it
            was there already.
        rows: rows in the partition, counted.
        bytes: size on disk, with indexes.
        lower: first instant of the month.
        upper: first instant of the next.
        moved_rows: rows that came from the default partition.
        lock_held_ms: time for which other sessions may have had to wait, in milliseconds. Months that were moved out of
            the default partition together have it in common.
        retries: attempts that gave way to other sessions, in common for the same months.
    """

    month: Month
    relation: Relation
    action: MonthOutcome
    rows: int
    bytes: int
    lower: datetime
    upper: datetime
    moved_rows: int
    lock_held_ms: float
    retries: int


@dataclass(frozen=True)
class _Done:
    action: MonthOutcome = "recognized"
    moved_rows: int = 0
    statistics: LockStatistics = field(default_factory=LockStatistics)


def ensure_months(
    connection: Connection,
    months: Sequence[Month],
    *,
    zone: ZoneInfo,
    policy: LockPolicy,
    batch_rows: int = 1000,
) -> list[MonthReport]:
    """Make sure that each month has a partition that holds every row of the month.

    This is idempotent. Months can be made in any order and with gaps, and a run completes what a killed one has begun.
    A partition with a month's bounds is recognized under any name. Rows of the months are moved out of the default
    partition, and every snapshot sees each of them exactly once at any time. An attempt makes other sessions wait no
    longer than the lock timeout, and none of their statements fails. Section 7.2 of the database document.

    Args:
        connection: in autocommit mode, as the owner of the conversations.
        months: the months; one that is named twice counts once.
        zone: the business's time zone, at whose midnights months begin.
        policy: how long other sessions may have to wait, and how long to retry.
        batch_rows: rows that one transaction copies out of the default partition.

    Returns:
        One report for each month, by month.

    Raises:
        ArchivedMonthError: a month's rows are archived; nothing was changed.
        BoundsError: a partition overlaps a month, but has other bounds; nothing was changed.
        NameTakenError: another relation has the name that a partition is to get; nothing was changed.
        LockNotObtainedError: a session was in the way until the policy's patience ended.
        PartitionError: the default partition has a row that violates a foreign key, so it cannot be moved.
        ValueError: the connection is not in autocommit mode.
    """
    if not connection.autocommit:
        raise ValueError("ensure_months needs a connection in autocommit mode: its transactions must be short")
    wanted = sorted(set(months))
    with advisory_lock(connection, AdvisoryLock.PARTITIONS, policy):
        check_bounds(describe_partitions(connection, zone), wanted, zone)
        transactions = PatientTransactions(connection, policy)
        clean_up(transactions)
        partitions = describe_partitions(connection, zone)
        present = {partition.month for partition in partitions}
        missing = [MonthTable.of(month, zone) for month in wanted if month not in present]
        _refuse_archived(connection, missing)
        check_names(connection, missing)
        done = _create(transactions, missing, ensure_default(transactions, partitions), zone, batch_rows)
        return [
            _report(connection, partition, done.get(partition.month, _Done()))
            for partition in describe_partitions(connection, zone)
            if partition.month in wanted
        ]


def archived_months(connection: Connection, zone: ZoneInfo) -> dict[Month, Archive]:
    """Return the months that have no partition because their rows are archived, or are about to be."""
    present = {partition.month for partition in describe_partitions(connection, zone)}
    return {
        month: archive for month, archive in archived.read(connection).items() if archive.away and month not in present
    }


def _refuse_archived(connection: Connection, missing: Sequence[MonthTable]) -> None:
    archives = archived.read(connection)
    gone = [archives[t.month] for t in missing if t.month in archives and archives[t.month].away]
    if gone:
        lines = "\n".join(f"  - {each.month}: {each.place}" for each in gone)
        raise ArchivedMonthError(
            f"These months have no partition because their rows are elsewhere:\n{lines}\nAn empty partition would look "
            f"like a month without rows. Nothing was changed. `yumai restore-month {gone[0].month}` brings one back."
        )


def _create(
    transactions: PatientTransactions, missing: Sequence[MonthTable], default: Relation, zone: ZoneInfo, batch_rows: int
) -> dict[Month | None, _Done]:
    """Make the partitions of the missing months.

    Months that have rows in the default partition come first, so that little of it is left to scan for the others.
    """
    done: dict[Month | None, _Done] = {}
    while waiting := [table for table in missing if table.month not in done]:
        if movers := _movers(transactions.connection, waiting, default):
            transactions.statistics = LockStatistics()
            moved = move_out_of_default(transactions, movers, default, zone, batch_rows)
            for table in movers:
                rows = moved[table.month]
                done[table.month] = _Done("filled" if rows else "created", rows, transactions.statistics)
        for table in waiting:
            transactions.statistics = LockStatistics()
            if table not in movers and _attach_empty(transactions, table, default):
                done[table.month] = _Done("created", 0, transactions.statistics)
    return done


def _movers(connection: Connection, tables: Sequence[MonthTable], default: Relation) -> list[MonthTable]:
    """The months that cannot just be attached: the default partition has rows of them, or is too large to scan."""
    if size_of(connection, default) > SCAN_LIMIT:
        return list(tables)
    return [table for table in tables if has_rows(connection, default, table)]


def _attach_empty(transactions: PatientTransactions, table: MonthTable, default: Relation) -> bool:
    """Build the month's table and attach it; False if a row of the month has just landed in the default partition.

    Because of the lock on the parent, a writer comes either before or after this. A writer in between would have chosen
    the default partition for its row, and would be refused.
    """

    def work() -> bool:
        if has_rows(transactions.connection, default, table):
            transactions.connection.execute(sql.SQL("DROP TABLE {}").format(table.aside.identifier))
            return False
        attach(transactions.connection, table)
        return True

    transactions.run(
        f"build {table.month}", [], lambda: build(transactions.connection, PARENT, table.aside, table.bounds)
    )
    locks = [
        *referenced_locks(transactions.connection, LockMode.SHARE_ROW_EXCLUSIVE),
        TableLock(PARENT, LockMode.SHARE_ROW_EXCLUSIVE),
        TableLock(default, LockMode.ACCESS_EXCLUSIVE),
    ]
    return transactions.run(f"attach {table.month}", locks, work)


def _report(connection: Connection, partition: Partition, done: _Done) -> MonthReport:
    if partition.month is None or partition.lower is None or partition.upper is None:
        raise TypeError(f"{partition.relation} has no month")
    return MonthReport(
        month=partition.month,
        relation=partition.relation,
        action=done.action,
        rows=count_rows(connection, PARENT, MonthTable(partition.month, partition.lower, partition.upper)),
        bytes=partition.bytes,
        lower=partition.lower,
        upper=partition.upper,
        moved_rows=done.moved_rows,
        lock_held_ms=done.statistics.held.total_seconds() * 1000,
        retries=done.statistics.retries,
    )
