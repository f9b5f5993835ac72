"""A detached table becomes its month's partition again, rows and all and without a copy: its archiving has failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

from yumai_pipelines.partitions.tables import (
    BOUNDS_CHECK,
    PARENT,
    SCAN_LIMIT,
    attach,
    execute,
    has_rows,
    referenced_locks,
    size_of,
)
from yumai_pipelines.postgres.locks import LockMode, TableLock

if TYPE_CHECKING:
    from collections.abc import Callable

    from yumai_pipelines.model.relations import Relation
    from yumai_pipelines.partitions.tables import MonthTable
    from yumai_pipelines.postgres.transactions import PatientTransactions


def reattach(
    transactions: PatientTransactions,
    month: MonthTable,
    table: Relation,
    default: Relation | None,
    arrive: Callable[[], None],
) -> bool:
    """Attach a month's table as it stands. The catalogue alone changes, so that a full disk is no hindrance.

    Args:
        transactions: how locks are taken.
        month: the month.
        table: its detached table.
        default: the default partition, if there is one.
        arrive: takes from the table what it had while it was detached, and notes that it is back; in the transaction of
            the ATTACH.

    Returns:
        Whether it was attached: not if the default partition has rows of the month, or is too large to look for them
        while writers wait.

    Raises:
        LockNotObtainedError: somebody was in the way for as long as the policy's patience.
    """
    connection = transactions.connection
    if default is not None and (size_of(connection, default) > SCAN_LIMIT or has_rows(connection, default, month)):
        return False
    name = sql.Identifier(BOUNDS_CHECK)

    def state_bounds() -> None:
        execute(connection, "ALTER TABLE {} DROP CONSTRAINT IF EXISTS {}", table.identifier, name)
        add = "ALTER TABLE {} ADD CONSTRAINT {} CHECK ({}) NOT VALID"
        execute(connection, add, table.identifier, name, month.bounds)

    def work() -> bool:
        if default is not None and has_rows(connection, default, month):
            return False
        arrive()
        attach(connection, month, table)
        return True

    exclusive = TableLock(table, LockMode.ACCESS_EXCLUSIVE)
    transactions.run(f"state the bounds of {table}", [exclusive], state_bounds)
    validate = "ALTER TABLE {} VALIDATE CONSTRAINT {}"
    transactions.run(f"prove the bounds of {table}", [], lambda: execute(connection, validate, table.identifier, name))
    referenced = referenced_locks(connection, LockMode.SHARE_ROW_EXCLUSIVE)
    locks = [
        *referenced,
        *(TableLock(each, LockMode.ACCESS_EXCLUSIVE) for each in (PARENT, default, table) if each is not None),
        *(TableLock(lock.relation, LockMode.ACCESS_EXCLUSIVE, strengthens=True) for lock in referenced),
    ]
    return transactions.run(f"attach {table} again", locks, work)
