"""Restores an archived month: its rows are read from its file and get a partition again.

The rows are loaded into a table of their own and compared with what was archived. Then the foreign keys are applied as
if the rows had never been away: where a referenced row was deleted meanwhile, a row is deleted or loses the reference.
Finally the table becomes the month's partition, as `partitions.default` does it for rows of the default partition.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from yumai_pipelines.archives.checksum import print_plainly, summarize_table
from yumai_pipelines.archives.columns import columns_of
from yumai_pipelines.archives.files import load_rows
from yumai_pipelines.archives.store import ArchiveError
from yumai_pipelines.model.months import Month
from yumai_pipelines.model.registry import CONVERSATIONS
from yumai_pipelines.partitions import archived
from yumai_pipelines.partitions.default import clean_up, ensure_default, has_remains, move_out_of_default
from yumai_pipelines.partitions.tables import MonthTable, check_bounds, count_rows, describe_partitions, mark
from yumai_pipelines.postgres.locks import AdvisoryLock, advisory_lock
from yumai_pipelines.postgres.sql_files import read_sql
from yumai_pipelines.postgres.transactions import PatientTransactions
from yumai_pipelines.postgres.values import read_value
from yumai_pipelines.schema.tables import OnDelete, table_of

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from yumai_pipelines.model.lock_policy import LockPolicy
    from yumai_pipelines.model.relations import Relation
    from yumai_pipelines.partitions.summary import Summary
    from yumai_pipelines.postgres.connections import Connection


@dataclass(frozen=True)
class RestoreReport:
    """The result of restoring a month.

    Attributes:
        month: the month.
        relation: its partition.
        rows: rows in the partition.
        archived_rows: rows in the file, or in the detached table.
        gone: number of rows left out because a referenced row is gone, by foreign key (ON DELETE CASCADE).
        cleared: number of rows that lost a reference to a row that is gone, by foreign key (ON DELETE SET NULL).
        late_rows: rows written while the month was archived, which are in the partition too.
        lock_held_ms: time for which others may have had to wait, in milliseconds.
        retries: attempts that gave up because others held locks.
        was_back: whether a run that was killed had brought the month back; then only its remains were removed.
    """

    month: Month
    relation: Relation
    rows: int
    archived_rows: int
    gone: dict[str, int]
    cleared: dict[str, int]
    late_rows: int
    lock_held_ms: float
    retries: int
    was_back: bool = False

    def in_words(self) -> str:
        """The report for people: what was restored and what was not, one line each."""
        if self.was_back:
            return (
                f"{self.month} was back already, as {self.relation}: {self.rows:,} rows. What the run had left that "
                "brought it back is removed."
            )
        lines = [
            f"{self.month} is back as {self.relation}: {self.rows:,} rows, of {self.archived_rows:,} archived ones."
        ]
        lines += [f"{n:,} did not come back, since what {key} names is gone." for key, n in self.gone.items() if n]
        lines += [
            f"{n:,} came back without what {key} named, since it is gone." for key, n in self.cleared.items() if n
        ]
        if self.late_rows:
            lines.append(f"{self.late_rows:,} rows had come in the meantime, and are there as well.")
        return "\n".join(lines)


def restore_month(
    connection: Connection, month: Month, *, zone: ZoneInfo, policy: LockPolicy, batch_rows: int = 1000
) -> RestoreReport:
    """Restore a month from its file, or from its detached table when there is no file yet.

    A run that is killed leaves the month archived, or back with something to remove; run it again. A row whose session
    or user was deleted meanwhile is left out; one whose shop was deleted loses the reference. Rows of the month that
    were written meanwhile are added to the partition. The file is kept. The month is archived again only on request.

    Args:
        connection: in autocommit mode, as the owner of the conversations.
        month: the month to restore.
        zone: the business's time zone, at whose midnights months begin.
        policy: how long others may be made to wait, and how long to try.
        batch_rows: number of rows that one transaction copies out of the default partition.

    Raises:
        ArchiveError: the month is not archived; it has a partition; rows of it are in the default partition as well as
            in the archive; or its file is missing, damaged, or not the one that was written.
        LockNotObtainedError: others held locks for as long as the policy's patience.
        PartitionError: a partition crosses the bounds of the month, or a row violates a foreign key.
    """
    with (
        advisory_lock(connection, AdvisoryLock.ARCHIVES, policy),
        advisory_lock(connection, AdvisoryLock.PARTITIONS, policy),
    ):
        table = MonthTable.of(month, zone)
        transactions = PatientTransactions(connection, policy)
        if (back := _finish(transactions, table, zone)) is not None:
            return back
        archive = _archive_of(connection, table, zone)
        clean_up(transactions)
        default = ensure_default(transactions, describe_partitions(connection, zone))
        arrival = _Arrival(connection, archive, default)
        rows = move_out_of_default(transactions, [table], default, zone, batch_rows, arrival)[month]
    left = arrival.rows - sum(arrival.gone.values())
    return RestoreReport(
        month=month,
        relation=table.partition,
        rows=rows,
        archived_rows=arrival.rows,
        gone=arrival.gone,
        cleared=arrival.cleared,
        late_rows=rows - left,
        lock_held_ms=transactions.statistics.held.total_seconds() * 1000,
        retries=transactions.statistics.retries,
    )


def _finish(transactions: PatientTransactions, table: MonthTable, zone: ZoneInfo) -> RestoreReport | None:
    """Remove what a run has left that was killed when the month was back; None where no run was."""
    connection = transactions.connection
    archive = archived.read(connection).get(table.month)
    partitions = describe_partitions(connection, zone)
    partition = next((each.relation for each in partitions if each.month == table.month), None)
    if archive is None or archive.state != "restored" or partition is None or not has_remains(connection):
        return None
    clean_up(transactions)
    rows = count_rows(connection, partition, table)
    return RestoreReport(
        month=table.month,
        relation=partition,
        rows=rows,
        archived_rows=rows if archive.row_count is None else archive.row_count,
        gone={},
        cleared={},
        late_rows=0,
        lock_held_ms=transactions.statistics.held.total_seconds() * 1000,
        retries=transactions.statistics.retries,
        was_back=True,
    )


def _archive_of(connection: Connection, table: MonthTable, zone: ZoneInfo) -> archived.Archive:
    archives = archived.read(connection)
    archive = archives.get(table.month)
    if archive is None or archive.state in ("detaching", "restored"):
        away = [str(month) for month, each in archives.items() if each.state in ("detached", "archived")]
        raise ArchiveError(
            f"{table.month} is not archived, so there is nothing to restore. Archived are: {', '.join(away) or 'none'}."
        )
    partitions = describe_partitions(connection, zone)
    check_bounds(partitions, [table.month], zone)
    for partition in partitions:
        if partition.month == table.month:
            raise ArchiveError(
                f"{table.month} is {archive.place}, and yet {partition.relation} is its partition: somebody made that "
                "by hand. Nothing was changed. Detach it, insert its rows into the conversations again, drop it, and "
                "run again: its rows join those of the archive."
            )
    return archive


@dataclass
class _Arrival:
    """The rows of an archived month, as an `Inflow` of `partitions.default`."""

    connection: Connection
    archive: archived.Archive
    default: Relation
    rows: int = 0
    gone: dict[str, int] = field(default_factory=dict)
    cleared: dict[str, int] = field(default_factory=dict)

    def fill(self, table: MonthTable) -> None:
        """Fill the month's table with the rows as they were archived."""
        if self.archive.uri is None:
            columns = sql.SQL(", ").join(sql.Identifier(each.name) for each in columns_of(self.connection, table.aside))
            self.rows = self.connection.execute(
                sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {}").format(
                    table.aside.identifier, columns, columns, archived.table_of(table.month).identifier
                )
            ).rowcount
        else:
            self.rows = self._load(table, self.archive.uri).rows
        self._refuse_rows_twice(table)

    def reconcile(self, table: MonthTable) -> None:
        """Apply what the foreign keys would have done if the rows had been in the database."""
        for key in table_of(CONVERSATIONS).foreign_keys:
            cascades = key.on_delete is OnDelete.CASCADE
            name = "delete_gone.sql" if cascades else "clear_gone.sql"
            statement = sql.SQL(read_sql("archives", name)).format(
                table=table.aside.identifier,
                column=sql.Identifier(key.column),
                referenced=key.referenced.identifier,
                referenced_column=sql.Identifier(key.referenced_column),
            )
            count = self.connection.execute(statement).rowcount
            (self.gone if cascades else self.cleared)[key.name] = count

    def arrive(self) -> None:
        """Record that the month is restored; mark its detached table, if it has one, to be dropped."""
        month = Month.parse(self.archive.month)
        archived.record_return(self.connection, month)
        if self.archive.uri is None:
            mark(self.connection, archived.table_of(month))

    def _load(self, table: MonthTable, uri: str) -> Summary:
        """Copy the file into the table, and compare its rows with the recorded summary."""
        print_plainly(self.connection)
        try:
            columns = load_rows(self.connection, uri, table.aside)
        except (psycopg.errors.UndefinedColumn, psycopg.DataError, psycopg.IntegrityError) as error:
            raise ArchiveError(
                f"The rows of {uri} do not fit {CONVERSATIONS} as it is now: {error}. Nothing was changed. Give it the "
                "columns that the manifest beside the file names, and run again."
            ) from error
        found, _ = summarize_table(self.connection, table.aside, columns)
        written = self.archive.summary
        if found != written:
            raise ArchiveError(
                f"{uri} is damaged, or not the file that was written: it holds {found}; written were {written}. "
                "Nothing was changed. Bring the file back from a copy, and run again."
            )
        return found

    def _refuse_rows_twice(self, table: MonthTable) -> None:
        """Refuse rows that somebody has inserted again: they would occur twice, or their changes would be lost."""
        query = sql.SQL("SELECT count(*) FROM {} JOIN {} USING (id, conversation_time)").format(
            self.default.identifier, table.aside.identifier
        )
        count = read_value(self.connection, query)
        if count:
            raise ArchiveError(
                f"{count:,} rows of {table.month} are in {self.default} as well as in the archive, by id and time. "
                "Nothing was changed. Delete them there, and run again."
            )
