"""Makes the partitions of an extract's new months: filled beside the extract, indexed afterwards, attached at the end.

All of it is in the transaction of the build, so that a run that is killed leaves nothing. ATTACH waits for no reader
and no writer, and none waits for it. A reader with an older snapshot sees the new partition without its rows: the month
as it was. Months that have a partition are not for this module: their rows are replaced in it, since a partition that
is exchanged would be empty for older snapshots.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from yumai_pipelines.model.calendar import first_days
from yumai_pipelines.model.months import Month
from yumai_pipelines.model.relations import Relation
from yumai_pipelines.partitions.tables import (
    WORKSHOP,
    NameTakenError,
    execute,
    identify_rows,
    own,
    rename,
    tablespace,
)
from yumai_pipelines.postgres.locks import list_holders
from yumai_pipelines.postgres.patience import Patience
from yumai_pipelines.postgres.sql_files import read_sql
from yumai_pipelines.postgres.transactions import STEP_EVENT
from yumai_pipelines.postgres.values import relation_exists

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from yumai_pipelines.model.entries import Extract
    from yumai_pipelines.model.lock_policy import LockPolicy
    from yumai_pipelines.postgres.connections import Connection


@dataclass(frozen=True)
class NewMonth:
    """A month of an extract, built in a table that becomes its partition.

    Attributes:
        extract: the name of the extract.
        month: the month.
    """

    extract: Relation
    month: Month

    @property
    def aside(self) -> Relation:
        """The table while it is built, where nobody else is given rights on it by default."""
        return Relation(WORKSHOP, self.partition.name)

    @property
    def partition(self) -> Relation:
        """The table when it is a partition."""
        return Relation(self.extract.schema, f"{self.extract.name}_{self.month.suffix}")


def list_new(connection: Connection, extract: Extract, months: Sequence[Month]) -> list[NewMonth]:
    """List those of the months that the extract has no partition for; none where it is not partitioned."""
    rows = connection.execute(
        read_sql("extracts", "list_new_months.sql"), {"extract": extract.relation.quoted, "months": first_days(months)}
    )
    return [NewMonth(extract.relation, Month.of_day(day)) for (day,) in rows]


@contextmanager
def beside(connection: Connection, extract: Relation, new: Sequence[NewMonth]) -> Iterator[Relation]:
    """Make the tables of new months, and yield one that hands each row on to that of its month; then index them.

    It is the caller's transaction that makes them, so nobody else sees them until it is committed.

    Raises:
        NameTakenError: another relation has the name that a partition is to get.
    """
    _refuse_taken(connection, new)
    whole = Relation(WORKSHOP, f"{new[0].partition.name}_and_on")
    execute(
        connection,
        "CREATE TABLE {} (LIKE {}) PARTITION BY RANGE (month)",
        whole.identifier,
        extract.identifier,
    )
    for each in new:
        execute(
            connection,
            "CREATE TABLE {} (LIKE {} INCLUDING ALL EXCLUDING INDEXES EXCLUDING COMMENTS EXCLUDING IDENTITY){}",
            each.aside.identifier,
            extract.identifier,
            tablespace(connection, extract),
        )
        own(connection, sql.SQL("TABLE"), each.aside.identifier, extract)
        _attach(connection, whole, each.aside, each.month)
    yield whole
    for each in new:
        execute(connection, "ALTER TABLE {} DETACH PARTITION {}", whole.identifier, each.aside.identifier)
        names = {"extract": extract.quoted, "table": each.aside.quoted}
        for (statement,) in connection.execute(read_sql("extracts", "list_indexes.sql"), names).fetchall():
            connection.execute(statement.encode())
    execute(connection, "DROP TABLE {}", whole.identifier)


def attach(connection: Connection, new: Sequence[NewMonth], policy: LockPolicy) -> None:
    """Make the tables of new months partitions, at the end of the transaction that has filled them.

    PostgreSQL locks the extract so that nobody else attaches, indexes or analyzes it until the transaction ends.

    Raises:
        LockNotObtainedError: somebody did so until the policy's patience ended.
    """
    if not new:
        return
    step = f"attach {', '.join(str(each.partition) for each in new)}"
    patience = Patience(policy, step)
    while True:
        sys.audit(STEP_EVENT, step)
        try:
            with connection.transaction():
                timeout = f"{round(policy.lock_timeout.total_seconds() * 1000)}ms"
                connection.execute("SELECT set_config('lock_timeout', %s, true)", (timeout,))
                for each in new:
                    rename(connection, each.aside, each.partition)
                    _attach(connection, each.extract, each.partition, each.month)
                    description = f"{each.extract} of {each.month}."
                    execute(
                        connection, "COMMENT ON TABLE {} IS {}", each.partition.identifier, sql.Literal(description)
                    )
                    identify_rows(connection, each.extract, each.partition)
        except psycopg.errors.LockNotAvailable as error:
            others = list_holders(connection, dict.fromkeys(each.extract for each in new))
            try:
                patience.pause(others)
            except psycopg.DatabaseError as final:
                raise final from error
        else:
            return


def _attach(connection: Connection, parent: Relation, table: Relation, month: Month) -> None:
    execute(
        connection,
        "ALTER TABLE {} ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})",
        parent.identifier,
        table.identifier,
        sql.Literal(month.first_day),
        sql.Literal((month + 1).first_day),
    )


def _refuse_taken(connection: Connection, new: Sequence[NewMonth]) -> None:
    names = [name for each in new for name in (each.partition, each.aside)]
    if taken := [str(name) for name in names if relation_exists(connection, name)]:
        raise NameTakenError(
            f"{', '.join(taken)}: there is a relation of that name, and it is no partition of {new[0].extract} with "
            "that month's bounds. It was left alone, and nothing was changed. Rename it, or attach it, and run again."
        )
