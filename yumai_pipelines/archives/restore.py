"""A month comes back: its rows, read from its file, stand in a partition again.

They are written aside, compared with what they were when they left, and then brought to where they would be had they
never been away: what has been deleted since takes them along by the rules of the foreign keys. Then they are exchanged
for the month's place in the default partition, as rows that land there are.
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
from yumai_pipelines.partitions.default import clean_up, ensure_default, move_out_of_default
from yumai_pipelines.partitions.tables import MonthTable, check_bounds, describe_partitions, mark
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
    """What came back.

    Attributes:
        month: the month.
        relation: its partition.
        rows: rows in the partition.
        archived_rows: rows that the file has, or the detached table had.
        gone: rows that were left out, by the foreign key whose row is gone since, and cascades.
        cleared: rows that lost a reference, by the foreign key whose row is gone since, and sets NULL.
        late_rows: rows that had come while the month was away, and are in the partition now.
        lock_held_ms: time for which others may have had to wait, in milliseconds.
        retries: attempts that gave way to somebody.
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

    def in_words(self) -> str:
        """What came back, and what did not, a line each."""
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
    """Bring a month back from its file, or from its detached table when there is no file yet.

    A run that was killed leaves the month archived; run it again. A row whose session or user is gone since is left
    out, as it would be gone; one whose shop is gone loses the reference. The file stays where it is. Rows of the month
    that came in the meantime join the others. The month then stays until somebody archives it anew.

    Args:
        connection: in autocommit mode, as the owner of the conversations.
        month: what to bring back.
        zone: the business's time zone, at whose midnights months begin.
        policy: how long others may be stopped, and how long to try.
        batch_rows: rows that one transaction copies out of the default partition.

    Raises:
        ArchiveError: the month is not archived, or has a partition, or its file is not there, damaged, or not the one
            that was written.
        LockNotObtainedError: somebody was in the way for as long as the policy's patience.
        PartitionError: a partition stands across the month's bounds, or a row violates a foreign key.
    """
    with (
        advisory_lock(connection, AdvisoryLock.ARCHIVES, policy),
        advisory_lock(connection, AdvisoryLock.PARTITIONS, policy),
    ):
        table = MonthTable.of(month, zone)
        archive = _archive_of(connection, table, zone)
        transactions = PatientTransactions(connection, policy)
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
    """An inflow: the rows of an archived month."""

    connection: Connection
    archive: archived.Archive
    default: Relation
    rows: int = 0
    gone: dict[str, int] = field(default_factory=dict)
    cleared: dict[str, int] = field(default_factory=dict)

    def fill(self, table: MonthTable) -> None:
        """The rows as they were when they left."""
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
        """What the foreign keys would have done, had the rows been there."""
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
        """The month is back; what is left of its detached table may go."""
        month = Month.parse(self.archive.month)
        archived.record_return(self.connection, month)
        if self.archive.uri is None:
            mark(self.connection, archived.table_of(month))

    def _load(self, table: MonthTable, uri: str) -> Summary:
        """Copy the file into the table, and have PostgreSQL compute what that comes to."""
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
        """A row of the file that somebody has inserted again would be there twice, or lose its changes."""
        query = sql.SQL("SELECT count(*) FROM {} JOIN {} USING (id, conversation_time)").format(
            self.default.identifier, table.aside.identifier
        )
        count = read_value(self.connection, query)
        if count:
            raise ArchiveError(
                f"{count:,} rows of {table.month} are in {self.default} as well as in the archive, by id and time. "
                "Nothing was changed. Delete them there, and run again."
            )
