"""Reads and writes the table `yumai_pipelines.archives`, which says where the rows of past months are."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from psycopg.rows import class_row

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
    """A month that was taken out: a row of `yumai_pipelines.archives`, where comments describe the columns.

    Attributes:
        month: the month as text, such as `2024-08`.
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
        """Whether the month's rows are no longer in a partition, or will soon not be."""
        return self.state != "restored"

    @property
    def summary(self) -> Summary:
        """The summary of the rows in the month's file.

        Raises:
            ValueError: the month has no file.
        """
        if self.row_count is None or self.checksum is None:
            raise ValueError(f"{self.month} has no file")
        return Summary(self.row_count, self.first_time, self.last_time, self.checksum)

    @property
    def place(self) -> str:
        """Where the rows are, as text for people."""
        if self.state in ("detaching", "restored"):
            return f"in {self.partition}"
        if self.uri is None:
            return f"in the table {table_of(Month.parse(self.month))}"
        return f"archived in {self.uri} ({self.row_count:,} rows)"


def table_of(month: Month) -> Relation:
    """Return the table in which a detached month is kept until its file is known to hold the same rows."""
    return Relation("yumai_pipelines", f"conversations_{month.suffix}_detached")


def read(connection: Connection) -> dict[Month, Archive]:
    """Read all months that were ever taken out. An older database has none, and no such table until it is adopted."""
    if not relation_exists(connection, ARCHIVES):
        return {}
    with connection.cursor(row_factory=class_row(Archive)) as cursor:
        return {Month.parse(each.month): each for each in cursor.execute(read_sql("partitions", "list_archives.sql"))}


def record_departure(
    connection: Connection, month: Month, state: Literal["detaching", "detached"], partition: Relation
) -> None:
    """Record that the month's partition is being detached, or is detached."""
    parameters = {"month": month.first_day, "state": state, "partition": str(partition)}
    connection.execute(read_sql("partitions", "record_departure.sql"), parameters)


def record_archive(connection: Connection, month: Month, summary: Summary, uri: str, size: int) -> None:
    """Record that the month's rows are now only in the file."""
    parameters = {"month": month.first_day, "uri": uri, "bytes": size, **asdict(summary)}
    connection.execute(read_sql("partitions", "record_archive.sql"), parameters)


def record_rewrite(connection: Connection, old: str, summary: Summary, uri: str, size: int) -> None:
    """Record that a new file has replaced the file `old`."""
    parameters = {"old": old, "uri": uri, "bytes": size, **asdict(summary)}
    connection.execute(read_sql("partitions", "record_rewrite.sql"), parameters)


def record_reading(connection: Connection, month: Month, uri: str | None, *, is_sound: bool) -> None:
    """The month's file was read as a whole, and holds what was recorded or not."""
    connection.execute(
        "UPDATE yumai_pipelines.archives SET read_at = CASE WHEN %s THEN now() END WHERE month = %s AND uri = %s",
        (is_sound, month.first_day, uri),
    )


def record_return(connection: Connection, month: Month) -> None:
    """Record that the month is a partition again. Its file stays where it is."""
    connection.execute(
        "UPDATE yumai_pipelines.archives SET state = 'restored', restored_at = now() WHERE month = %s",
        (month.first_day,),
    )


def forget(connection: Connection, month: Month) -> None:
    """The month is a partition, as if it had never been taken out."""
    connection.execute("DELETE FROM yumai_pipelines.archives WHERE month = %s", (month.first_day,))


def forget_changes(connection: Connection, month: Month) -> None:
    """Delete the notes about changes of a detached month, as far as this transaction's snapshot sees them."""
    connection.execute("DELETE FROM yumai_pipelines.archive_changes WHERE month = %s", (month.first_day,))


def changes(connection: Connection, month: Month) -> set[str]:
    """Return the kinds of changes that are noted for a detached month: INSERT, UPDATE, DELETE, TRUNCATE."""
    query = "SELECT DISTINCT operation FROM yumai_pipelines.archive_changes WHERE month = %s"
    return {operation for (operation,) in connection.execute(query, (month.first_day,))}
