"""Archives past months of the conversations: each partition becomes a file, and is dropped when the file is proven.

0. What would stop it is looked for while the month is still a partition: a store that cannot be written, something that
   depends on the partition, a row too long for a file.
1. The partition is detached and moved to the schema `yumai_pipelines`. It keeps its foreign keys, so deleting a session
   still deletes its rows there; a trigger notes every change.
2. In one snapshot, PostgreSQL computes the checksum of the rows and sends them. They are written to a Parquet file,
   which is read back and compared.
3. One transaction makes sure that the rows have not changed since, and records the file. From then on the table may be
   dropped. If sessions are deleted during every export, the rows deleted during the last one stay in the file, like
   rows that are deleted later.

A run killed anywhere leaves the rows in the table or in a proven file, and the next run continues from there. A month
whose export fails is put back as a partition, and the run goes on with the others.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Literal

import psycopg
from psycopg import sql

from yumai_pipelines.archives.checksum import print_plainly, summarize_table
from yumai_pipelines.archives.columns import fitted_columns, longest_row
from yumai_pipelines.archives.files import LONGEST_ROW, Manifest, export_rows, refuse_other_bytes, summarize_file
from yumai_pipelines.archives.restore import restore_month
from yumai_pipelines.archives.store import ArchiveError, size_of
from yumai_pipelines.model.calendar import oldest_kept
from yumai_pipelines.model.relations import Relation
from yumai_pipelines.partitions import archived
from yumai_pipelines.partitions.default import clean_up
from yumai_pipelines.partitions.detach import detach
from yumai_pipelines.partitions.ensure import ensure_months
from yumai_pipelines.partitions.reattach import reattach
from yumai_pipelines.partitions.tables import (
    PARENT,
    MonthTable,
    check_bounds,
    count_rows,
    describe_partitions,
    execute,
    mark,
    refuse_dependents,
    rename,
)
from yumai_pipelines.postgres.errors import DatabaseError
from yumai_pipelines.postgres.locks import AdvisoryLock, LockMode, TableLock, advisory_lock
from yumai_pipelines.postgres.sql_files import read_sql
from yumai_pipelines.postgres.transactions import STEP_EVENT, PatientTransactions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from yumai_pipelines.archives.columns import Column
    from yumai_pipelines.archives.store import Store
    from yumai_pipelines.model.lock_policy import LockPolicy
    from yumai_pipelines.model.months import Month
    from yumai_pipelines.partitions.summary import Summary
    from yumai_pipelines.postgres.connections import Connection

ArchiveOutcome = Literal["archived", "already archived", "restored, left alone", "no rows"]

ATTEMPTS = 3
"""Maximum number of exports of a month that changes meanwhile; deletions during the last count as later ones."""

_TRIGGERS = {"yumai_note_rows": "INSERT OR UPDATE OR DELETE", "yumai_note_truncate": "TRUNCATE"}


@dataclass(frozen=True)
class ArchiveReport:
    """What was done for one month.

    Attributes:
        month: the month.
        action: `archived` now, `already archived`, `restored, left alone`, or `no rows` anywhere.
        archive: the month's entry in the ledger; None when it was never taken out.
        late_rows: rows of the month in the default partition, which were written after it had been taken out.
        lock_held_ms: time for which others may have had to wait, in milliseconds.
        retries: attempts that gave up because others held locks.
    """

    month: Month
    action: ArchiveOutcome
    archive: archived.Archive | None
    late_rows: int
    lock_held_ms: float
    retries: int


@dataclass(frozen=True)
class ArchivePreview:
    """What `archive_months` would do with a month, and with how many rows."""

    month: Month
    action: ArchiveOutcome
    rows: int


def preview_archive(
    connection: Connection, months: Sequence[Month], *, zone: ZoneInfo, again: bool = False
) -> Iterator[ArchivePreview]:
    """Say what `archive_months` would do with each month, and change nothing. The store is not looked at."""
    entries = archived.read(connection)
    partitions = describe_partitions(connection, zone)
    default = next((each.relation for each in partitions if each.is_default), None)
    present = {each.month: each.relation for each in partitions}
    for month in months:
        entry, table = entries.get(month), MonthTable.of(month, zone)
        if entry and (left := _left_alone(entry, again=again)):
            yield ArchivePreview(month, left, entry.row_count or 0)
            continue
        away = archived.table_of(month) if entry and entry.state == "detached" else None
        place = away or present.get(month)
        rows = sum(count_rows(connection, each, table) for each in (place, default) if each)
        yield ArchivePreview(month, "archived" if place or rows else "no rows", rows)


def archive_months(
    connection: Connection,
    months: Sequence[Month],
    *,
    store: Store,
    zone: ZoneInfo,
    policy: LockPolicy,
    kept: int,
    as_of: datetime,
    again: bool = False,
) -> Iterator[ArchiveReport]:
    """Move past months of the conversations into proven Parquet files.

    Idempotent; the next run completes one that was killed. What stops one month stops none of the others. Rows of these
    months in the default partition are moved to a partition of their month first. A writer waits no longer than the
    lock timeout. Section 7.2 of the database document.

    Args:
        connection: in autocommit mode, as the owner of the conversations.
        months: the months to archive.
        store: where the files are written.
        zone: the business's time zone, at whose midnights months begin.
        policy: how long others may be made to wait, and how long to try.
        kept: number of whole months before the current one that are not archived.
        as_of: the current time.
        again: whether to archive also months that were restored.

    Yields:
        One report for each month, in order, once the month is done.

    Raises:
        ArchiveError: a month is not past, and nothing was changed. Or, after all months: the store cannot be written, a
            row fits no file, rows were changed during every export, or a file does not hold what the table holds. Each
            such month is a partition as before, or the message says where its rows are.
        BoundsError: a partition crosses the bounds of a month.
        DependentsError: something depends on a partition.
        LockNotObtainedError: others held locks for as long as the policy's patience.
    """
    oldest = oldest_kept(as_of, zone, kept)
    if young := sorted(month for month in months if month >= oldest):
        raise ArchiveError(
            f"{', '.join(map(str, young))}: not past yet. The current month and {kept} before it are kept, from "
            f"{oldest} on (YUMAI_MONTHS_KEPT). Nothing was changed."
        )
    with advisory_lock(connection, AdvisoryLock.ARCHIVES, policy):
        failures: list[Exception] = []
        for month in sorted(set(months)):
            departure = _Departure(connection, MonthTable.of(month, zone), store, zone, policy)
            try:
                report = departure.run(again=again)
            except DatabaseError as error:
                if connection.closed:
                    raise
                failures.append(error)
            except psycopg.Error as error:
                if connection.closed:
                    raise
                failures.append(ArchiveError(f"{month} cannot be archived: {error}"))
                failures[-1].__cause__ = error
            else:
                yield report
    if len(failures) == 1:
        raise failures[0]
    if failures:
        # After the other months: one in trouble need not hold up those that are not.
        raise ArchiveError(
            f"{len(failures)} months could not be archived; the others of this run were.\n\n"
            + "\n\n".join(map(str, failures))
        )


def _left_alone(entry: archived.Archive, *, again: bool) -> ArchiveOutcome | None:
    """Why a month that was taken out before is left as it is; None for one that is to be archived."""
    if entry.state == "archived":
        return "already archived"
    return "restored, left alone" if entry.state == "restored" and not again else None


@dataclass(frozen=True)
class _Departure:
    """The archiving of one month."""

    connection: Connection
    month: MonthTable
    store: Store
    zone: ZoneInfo
    policy: LockPolicy

    @cached_property
    def transactions(self) -> PatientTransactions:
        return PatientTransactions(self.connection, self.policy)

    @property
    def table(self) -> Relation:
        """The name of the detached table, which is kept until its file is proven."""
        return archived.table_of(self.month.month)

    @property
    def entry(self) -> archived.Archive | None:
        """The month's present entry in the ledger."""
        return archived.read(self.connection).get(self.month.month)

    def run(self, *, again: bool) -> ArchiveReport:
        """Continue from the state that the ledger has for the month."""
        action = self._leave(again=again)
        if action == "archived":
            self.transactions.run(f"keep others out of {self.table}", [], self._keep_others_out)
            try:
                self._prove()
            except Exception as error:
                if self.connection.closed:
                    raise
                raise ArchiveError(f"{self.month.month} was not archived. {error}\n{self._put_back()}") from error
        with advisory_lock(self.connection, AdvisoryLock.PARTITIONS, self.policy):
            clean_up(self.transactions)
        statistics = self.transactions.statistics
        return ArchiveReport(
            month=self.month.month,
            action=action,
            archive=self.entry,
            late_rows=self._late_rows(),
            lock_held_ms=statistics.held.total_seconds() * 1000,
            retries=statistics.retries,
        )

    def _leave(self, *, again: bool) -> ArchiveOutcome:
        """Detach the month's partition if necessary; return `archived` when its rows must be exported, else why not."""
        entry = self.entry
        state = entry.state if entry else None
        if entry and (left := _left_alone(entry, again=again)):
            return left
        if state == "detached":
            return "archived"
        with advisory_lock(self.connection, AdvisoryLock.PARTITIONS, self.policy):
            leaving = self._partition()
            if leaving is None and entry is not None and state == "detaching":
                leaving = Relation(*entry.partition.split(".", 1))
            if leaving is None:
                return "no rows"
            if state != "detaching":
                self._examine(leaving)
            month = self.month.month
            detach(
                self.transactions,
                leaving,
                self._default(),
                announce=partial(archived.record_departure, self.connection, month, "detaching", leaving),
                leave=partial(self._set_aside, leaving),
            )
        return "archived"

    def _partition(self) -> Relation | None:
        """The month's partition, if any. It is created first when the default partition has rows of the month."""
        partitions = describe_partitions(self.connection, self.zone)
        check_bounds(partitions, [self.month.month], self.zone)
        for partition in partitions:
            if partition.month == self.month.month:
                return partition.relation
        if not self._late_rows():
            return None
        (report,) = ensure_months(self.connection, [self.month.month], zone=self.zone, policy=self.policy)
        return report.relation

    def _examine(self, leaving: Relation) -> None:
        """Refuse a month that could not become a file, or whose table could not be dropped, while it is a partition.

        Raises:
            ArchiveError: the store cannot be written, or a row is too long.
            DependentsError: something depends on the partition.
        """
        refuse_dependents(self.connection, leaving, "is to leave the conversations")
        self.store.try_out(self._directory)
        with self.connection.transaction():
            print_plainly(self.connection)
            long = longest_row(self.connection, leaving, fitted_columns(self.connection, leaving))
        if long is not None and long.octets > LONGEST_ROW:
            raise ArchiveError(
                f"A row of {leaving} is too long for a file: {long.key} has {long.octets:,} octets of text, most of "
                f"them in {long.column}; {LONGEST_ROW:,} are possible. Nothing was changed. Shorten it, and run again."
            )

    def _put_back(self) -> str:
        """Make the detached table a partition again; say for people what became of it."""
        sys.audit(STEP_EVENT, f"put {self.month.month} back")

        def arrive() -> None:
            for trigger in _TRIGGERS:
                execute(self.connection, "DROP TRIGGER {} ON {}", sql.Identifier(trigger), self.table.identifier)
            archived.forget_changes(self.connection, self.month.month)
            archived.forget(self.connection, self.month.month)

        try:
            with advisory_lock(self.connection, AdvisoryLock.PARTITIONS, self.policy):
                back = reattach(self.transactions, self.month, self.table, self._default(), arrive)
            if not back:
                restore_month(self.connection, self.month.month, zone=self.zone, policy=self.policy)
                archived.forget(self.connection, self.month.month)
        except (DatabaseError, psycopg.Error) as error:
            return (
                f"Its rows are in {self.table}, and could not be put back: {error} "
                f"Put that right, and run again, or `yumai restore-month {self.month.month}`."
            )
        return "The month is a partition as before."

    @property
    def _directory(self) -> str:
        """Where the month's files are in the store."""
        return f"{PARENT.name}/{self.month.month.key}"

    def _set_aside(self, partition: Relation) -> None:
        """Move the detached table to its own schema and name, and note every change of it from here on."""
        rename(self.connection, partition, self.table)
        for trigger, events in _TRIGGERS.items():
            execute(
                self.connection,
                "CREATE TRIGGER {} AFTER {} ON {} FOR EACH {} EXECUTE FUNCTION yumai_pipelines.note_archive_change({})",
                sql.Identifier(trigger),
                sql.SQL(events),
                self.table.identifier,
                sql.SQL("STATEMENT" if events == "TRUNCATE" else "ROW"),
                sql.Literal(str(self.month.month.first_day)),
            )
            enable = "ALTER TABLE {} ENABLE ALWAYS TRIGGER {}"
            execute(self.connection, enable, self.table.identifier, sql.Identifier(trigger))
        description = f"Conversations of {self.month.month}, detached; dropped when their file is proven."
        execute(self.connection, "COMMENT ON TABLE {} IS {}", self.table.identifier, sql.Literal(description))
        archived.record_departure(self.connection, self.month.month, "detached", partition)

    def _keep_others_out(self) -> None:
        """Take back the rights that the partition had: rows go with their session, and are changed by nobody else."""
        query = read_sql("partitions", "list_grants.sql")
        for grantee, *_ in self.connection.execute(query, {"table": self.table.quoted}).fetchall():
            role = sql.SQL("PUBLIC") if grantee is None else sql.Identifier(grantee)
            execute(self.connection, "REVOKE ALL ON {} FROM {} CASCADE", self.table.identifier, role)

    def _prove(self) -> None:
        """Export until a file holds exactly what the table holds, and record that file."""
        for attempt in range(ATTEMPTS):
            harmless = {"DELETE"} if attempt == ATTEMPTS - 1 else set()
            if self._record(*self._export(), harmless):
                return
        raise ArchiveError(
            f"Its rows were changed during each of {ATTEMPTS} exports, in {self.table}, where nobody but the foreign "
            "keys should change them. Find out who does, and run again."
        )

    def _export(self) -> tuple[Summary, str]:
        """Write the table's rows into a file, and read it back.

        The changes noted so far are deleted in the snapshot of the export, so those that are noted afterwards are the
        changes that the file lacks.
        """
        sys.audit(STEP_EVENT, f"export {self.month.month}")
        self.store.remove_partial(self._directory)
        with self.connection.transaction():
            self.connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            print_plainly(self.connection)
            archived.forget_changes(self.connection, self.month.month)
            columns = fitted_columns(self.connection, self.table)
            summary, longest = summarize_table(self.connection, self.table, columns)
            name = f"{self._directory}/{summary.checksum[:16]}"
            with self.store.writing(f"{name}.parquet") as file:
                comment = f"Conversations of {self.month.month}, {self.month.lower} to {self.month.upper}."
                written = export_rows(self.connection, self.table, columns, file, longest, comment)
        uri = self.store.uri(f"{name}.parquet")
        self._compare(uri, summary, columns, written)
        sys.audit(STEP_EVENT, f"write the manifest of {self.month.month}")
        manifest = Manifest(
            month=self.month.month.key,
            table=str(PARENT),
            summary=summary,
            columns=columns,
            lower=self.month.lower,
            upper=self.month.upper,
            bytes=size_of(uri),
            sha256=written,
        )
        with self.store.writing(f"{name}.json") as file:
            file.write(manifest.to_json().encode())
        return summary, uri

    def _compare(self, uri: str, expected: Summary, columns: Sequence[Column], written: str) -> None:
        sys.audit(STEP_EVENT, f"read {self.month.month} back")
        found, found_columns = summarize_file(uri)
        if (found, found_columns) != (expected, tuple(columns)):
            raise ArchiveError(
                f"{uri} does not hold what {self.table} holds: the file has {found}, the table {expected}. "
                "Look for a disk or a store that damages files, and run again."
            )
        refuse_other_bytes(uri, written)

    def _record(self, summary: Summary, uri: str, harmless: set[str]) -> bool:
        """Record that the rows are in the file and the table may be dropped; False when it has changed meanwhile."""

        def work() -> bool:
            if archived.changes(self.connection, self.month.month) - harmless:
                return False
            refuse_dependents(self.connection, self.table, "is in a file, and to be dropped")
            archived.forget_changes(self.connection, self.month.month)
            archived.record_archive(self.connection, self.month.month, summary, uri, size_of(uri))
            mark(self.connection, self.table)
            return True

        return self.transactions.run(
            f"record the archive of {self.month.month}", [TableLock(self.table, LockMode.SHARE_ROW_EXCLUSIVE)], work
        )

    def _default(self) -> Relation | None:
        partitions = describe_partitions(self.connection, self.zone)
        return next((partition.relation for partition in partitions if partition.is_default), None)

    def _late_rows(self) -> int:
        """The number of rows of the month in the default partition."""
        default = self._default()
        return 0 if default is None else count_rows(self.connection, default, self.month)
