"""Months of `chatbot.conversations`: that each has its partition, made while everybody goes on reading and writing.

How locks are taken stands in `online_ddl`, how tables are built in `tables`, and how rows leave the default
partition in `default`. Nothing is ever detached for its age here, and nothing is dropped that holds a row.
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
        action: `created` empty, `filled` with rows that had landed in the default partition, or `recognized`.
        rows: rows in the partition, counted.
        bytes: size on disk, with indexes.
        lower: first instant of the month.
        upper: first instant of the next.
        moved_rows: rows that came from the default partition.
        lock_held_ms: time for which others may have had to wait, in milliseconds; the months that left the default
            partition together share it.
        retries: attempts that gave way to somebody, shared in the same way.
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

    Idempotent, in any order, over gaps; a run that was killed is made good by the next. A partition with a month's
    bounds is recognized under any name. Rows of the months are moved out of the default partition; every snapshot sees
    each of them exactly once, all the time. An attempt makes others wait no longer than the lock timeout, and no
    statement fails. Section 7.2 of the database document.

    Args:
        connection: in autocommit mode, as the owner of the conversations.
        months: what to make sure of; each once.
        zone: the business's time zone, at whose midnights months begin.
        policy: how long others may be stopped, and how long to try.
        batch_rows: rows that one transaction copies out of the default partition.

    Returns:
        One report for each month, by month.

    Raises:
        ArchivedMonthError: a month's rows are archived; nothing was changed.
        BoundsError: a partition stands across a month's bounds; nothing was changed.
        NameTakenError: something else has the name of a partition to be; nothing was changed.
        LockNotObtainedError: somebody was in the way for as long as the policy's patience.
        PartitionError: the default partition has a row that violates a foreign key, and so can be moved nowhere.
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
    """The months that have no partition, because their rows are archived, or on their way there."""
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
    """Make the missing months: first those whose rows wait in the default partition, so that little is left to scan."""
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
    """Build the month's table and attach it; False when a row of the month has just landed in the default partition.

    The lock on the parent makes writers come before or after: one in between would have chosen the default partition
    for its row, and be refused.
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
