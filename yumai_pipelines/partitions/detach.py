"""A partition leaves the conversations, rows and all. What becomes of it then is the caller's business."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

from yumai_pipelines.partitions.tables import PARENT, execute, referenced_locks
from yumai_pipelines.postgres.locks import LockMode, TableLock
from yumai_pipelines.postgres.sql_files import read_sql
from yumai_pipelines.postgres.values import read_value

if TYPE_CHECKING:
    from collections.abc import Callable

    from yumai_pipelines.model.relations import Relation
    from yumai_pipelines.postgres.transactions import PatientTransactions


def detach(
    transactions: PatientTransactions,
    partition: Relation,
    default: Relation | None,
    *,
    announce: Callable[[], None],
    leave: Callable[[], None],
) -> None:
    """Detach a partition, or go on with what a killed run has begun.

    PostgreSQL refuses DETACH … CONCURRENTLY while there is a default partition. Then the whole table is locked, for
    what changes in the catalogue alone.

    Args:
        transactions: how locks are taken.
        partition: what is to leave.
        default: the default partition, if there is one.
        announce: says that the partition may be on its way out, where that takes more than one transaction.
        leave: what is done with the detached table; in the transaction of the DETACH where that has one.

    Raises:
        LockNotObtainedError: somebody was in the way for as long as the policy's patience.
    """
    if default is None:
        transactions.run(f"announce that {partition} leaves", [], announce)
        transactions.run_outside(
            f"detach {partition} concurrently", [PARENT, partition], lambda: _next_statement(transactions, partition)
        )
        transactions.run(f"set {partition} aside", [TableLock(partition, LockMode.ACCESS_EXCLUSIVE)], leave)
        return

    def work() -> None:
        execute(transactions.connection, "ALTER TABLE {} DETACH PARTITION {}", PARENT.identifier, partition.identifier)
        leave()

    locks = [
        *referenced_locks(transactions.connection, LockMode.SHARE_ROW_EXCLUSIVE),
        *(TableLock(table, LockMode.ACCESS_EXCLUSIVE) for table in (PARENT, default, partition)),
    ]
    transactions.run(f"detach {partition}", locks, work)


def _next_statement(transactions: PatientTransactions, partition: Relation) -> sql.Composed | None:
    """What is left to do of DETACH … CONCURRENTLY; None when the table is no partition any more."""
    is_pending = read_value(
        transactions.connection,
        read_sql("partitions", "is_detach_pending.sql"),
        {"parent": PARENT.quoted, "partition": partition.quoted},
    )
    if is_pending is None:
        return None
    return sql.SQL("ALTER TABLE {} DETACH PARTITION {} {}").format(
        PARENT.identifier, partition.identifier, sql.SQL("FINALIZE" if is_pending else "CONCURRENTLY")
    )
