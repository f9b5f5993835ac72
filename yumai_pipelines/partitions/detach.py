"""Detaches a partition from the conversations, with its rows. The caller decides what happens to the table then."""

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
    """Detach a partition, or finish what a killed run has begun.

    PostgreSQL refuses DETACH … CONCURRENTLY while there is a default partition. In that case the whole table is locked,
    but only for a change of the catalogue.

    Args:
        transactions: runs each step under the lock policy.
        partition: the partition to detach.
        default: the default partition, if there is one.
        announce: records that the partition is being detached; called only if that takes more than one transaction.
        leave: handles the detached table; called in the transaction of the DETACH, if that is in one.

    Raises:
        LockNotObtainedError: a session was in the way until the policy's patience ended.
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
    """Return the next statement of DETACH … CONCURRENTLY; None if the table is no longer a partition."""
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
