"""Where the rows of past months are: `yumai_pipelines.archives`, read and written. Nobody is moved here."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from psycopg.rows import class_row

from yumai_pipelines.model.calendar import first_day
from yumai_pipelines.model.months import Month
from yumai_pipelines.model.relations import Relation
from yumai_pipelines.partitions.summary import Summary
from yumai_pipelines.postgres.sql_files import read_sql
from yumai_pipelines.postgres.values import relation_exists

if TYPE_CHECKING:
    from datetime import datetime

    from yumai_pipelines.postgres.connections import Connection

ARCHIVES = Relation("yumai_pipelines", "archives")

State = Literal["detaching", "detached", "archived", "restored"]


@dataclass(frozen=True)
class Archive:
    """A month that was taken out. The columns of `yumai_pipelines.archives` say what is what.

    Attributes:
        month: `2024-08`.
    """

    month: str
    state: State
    partition: str
    uri: str | None
    row_count: int | None
    first_time: datetime | None
    last_time: datetime | None
    checksum: str | None
    bytes: int | None
    detached_at: datetime | None
    archived_at: datetime | None
    restored_at: datetime | None
    read_at: datetime | None

    @property
    def away(self) -> bool:
        """Whether the month's rows are somewhere else than in a partition, or are about to be."""
        return self.state != "restored"

    @property
    def summary(self) -> Summary:
        """What the file holds.

        Raises:
            ValueError: there is no file.
        """
        if self.row_count is None or self.checksum is None:
            raise ValueError(f"{self.month} has no file")
        return Summary(self.row_count, self.first_time, self.last_time, self.checksum)

    @property
    def place(self) -> str:
        """Where the rows are, for people."""
        if self.state in ("detaching", "restored"):
            return f"in {self.partition}"
        if self.uri is None:
            return f"in the table {table_of(Month.parse(self.month))}"
        return f"archived in {self.uri} ({self.row_count:,} rows)"


def table_of(month: Month) -> Relation:
    """The table in which a detached month waits until its file is proven."""
    return Relation("yumai_pipelines", f"conversations_{month.suffix}_detached")


def read(connection: Connection) -> dict[Month, Archive]:
    """Every month that was ever taken out; none from an older database, which gets its ledger when it is adopted."""
    if not relation_exists(connection, ARCHIVES):
        return {}
    with connection.cursor(row_factory=class_row(Archive)) as cursor:
        return {Month.parse(each.month): each for each in cursor.execute(read_sql("partitions", "list_archives.sql"))}


def record_departure(
    connection: Connection, month: Month, state: Literal["detaching", "detached"], partition: Relation
) -> None:
    """The month's partition is on its way out, or is out."""
    parameters = {"month": first_day(month), "state": state, "partition": str(partition)}
    connection.execute(read_sql("partitions", "record_departure.sql"), parameters)


def record_archive(connection: Connection, month: Month, summary: Summary, uri: str, size: int) -> None:
    """The month is in the file alone."""
    parameters = {"month": first_day(month), "uri": uri, "bytes": size, **asdict(summary)}
    connection.execute(read_sql("partitions", "record_archive.sql"), parameters)


def record_rewrite(connection: Connection, old: str, summary: Summary, uri: str, size: int) -> None:
    """A file has replaced another."""
    parameters = {"old": old, "uri": uri, "bytes": size, **asdict(summary)}
    connection.execute(read_sql("partitions", "record_rewrite.sql"), parameters)


def record_reading(connection: Connection, month: Month, uri: str | None, *, is_sound: bool) -> None:
    """The month's file was read as a whole, and holds what was recorded or not."""
    connection.execute(
        "UPDATE yumai_pipelines.archives SET read_at = CASE WHEN %s THEN now() END WHERE month = %s AND uri = %s",
        (is_sound, first_day(month), uri),
    )


def record_return(connection: Connection, month: Month) -> None:
    """The month is a partition again; its file stays where it is."""
    connection.execute(
        "UPDATE yumai_pipelines.archives SET state = 'restored', restored_at = now() WHERE month = %s",
        (first_day(month),),
    )


def forget(connection: Connection, month: Month) -> None:
    """The month is a partition, as if it had never been taken out."""
    connection.execute("DELETE FROM yumai_pipelines.archives WHERE month = %s", (first_day(month),))


def forget_changes(connection: Connection, month: Month) -> None:
    """Forget the changes of a detached month that this transaction's snapshot has seen."""
    connection.execute("DELETE FROM yumai_pipelines.archive_changes WHERE month = %s", (first_day(month),))


def changes(connection: Connection, month: Month) -> set[str]:
    """What has been done to rows of a detached month since: INSERT, UPDATE, DELETE, TRUNCATE."""
    query = "SELECT DISTINCT operation FROM yumai_pipelines.archive_changes WHERE month = %s"
    return {operation for (operation,) in connection.execute(query, (first_day(month),))}
