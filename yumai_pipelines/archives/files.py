"""The files of an archived month: one Parquet, and a manifest beside it that says what must be in it.

Rows stream: what is in memory is one block of CSV and one row group. Which table they come from and go to is decided in
`archive` and `restore`.
"""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import IO, TYPE_CHECKING, TypeVar

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq
from psycopg import sql

from yumai_pipelines.archives.checksum import ALGORITHM, summarize_batches
from yumai_pipelines.archives.columns import Column
from yumai_pipelines.archives.store import ArchiveError, reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import psycopg
    from typing_extensions import Buffer

    from yumai_pipelines.model.relations import Relation
    from yumai_pipelines.partitions.summary import Summary
    from yumai_pipelines.postgres.connections import Connection

T = TypeVar("T")

ROW_GROUP_ROWS = 20_000
ROW_GROUP_BYTES = 8 * 1024 * 1024
BLOCK_BYTES = 1024 * 1024
"""CSV that is parsed at once; more where a single row is longer."""

BATCH_ROWS = 5_000
FORMAT = 1


@dataclass(frozen=True)
class Manifest:
    """What stands beside the Parquet file, as JSON.

    Attributes:
        month: `2024-08`.
        table: the table that the rows come from.
        summary: what the database says of them.
        columns: of the table, in its order.
        lower: first instant of the month.
        upper: first instant of the next.
        bytes: size of the Parquet file.
    """

    month: str
    table: str
    summary: Summary
    columns: tuple[Column, ...]
    lower: datetime
    upper: datetime
    bytes: int

    def to_json(self) -> str:
        """The text of the manifest."""
        content = {"format": FORMAT, "checksum_algorithm": ALGORITHM, "compression": "zstd", **asdict(self)}
        return json.dumps(content, default=datetime.isoformat, ensure_ascii=False, indent=2) + "\n"


def export_rows(
    connection: Connection, table: Relation, columns: Sequence[Column], file: IO[bytes], longest: int, comment: str
) -> None:
    """Write a table's rows into a Parquet file, by time and id.

    Args:
        connection: its snapshot decides which rows.
        table: whose rows.
        columns: what to write of them.
        file: where to.
        longest: octets of the longest row; 0 says that there is none.
        comment: what to say of the file in its metadata.

    Raises:
        ArchiveError: a value has no place in its column's type, such as NaN or an array of two dimensions.
    """
    schema = pa.schema([column.field for column in columns], metadata={b"comment": comment.encode()})
    query = sql.SQL("COPY (SELECT {} FROM {} ORDER BY conversation_time, id) TO STDOUT (FORMAT csv)").format(
        sql.SQL(", ").join(column.plain for column in columns), table.identifier
    )
    try:
        if longest == 0:
            write_batches(iter(()), schema, file)
            return
        with connection.cursor() as cursor, cursor.copy(query) as copy:
            write_batches(_parsed(copy, columns, longest), schema, file)
    except (pa.ArrowException, ValueError) as error:
        raise ArchiveError(
            f"A value of {table} does not fit its column in a Parquet file: {error}. The table is kept. Correct the "
            "row, and run again."
        ) from error


def write_batches(batches: Iterator[pa.RecordBatch], schema: pa.Schema, file: IO[bytes]) -> None:
    """Write batches of rows into a Parquet file, in row groups of a bounded size."""
    with pq.ParquetWriter(file, schema, compression="zstd", write_page_checksum=True) as writer:
        for group in _grouped(batches, schema):
            writer.write_table(group)


def _parsed(copy: psycopg.Copy, columns: Sequence[Column], longest: int) -> Iterator[pa.RecordBatch]:
    """Batches of plain forms. NULL is an empty field, and an empty text is a quoted one."""
    names = [column.name for column in columns]
    reader = csv.open_csv(
        io.BufferedReader(_CopyStream(copy), BLOCK_BYTES),
        read_options=csv.ReadOptions(
            column_names=names, use_threads=False, block_size=max(BLOCK_BYTES, 4 * longest + 4096)
        ),
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types={column.name: column.form.csv_type for column in columns},
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    for batch in reader:
        yield pa.RecordBatch.from_arrays(
            [column.form.parse(values) for column, values in zip(columns, batch.columns, strict=True)], names
        )


def _grouped(batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """Batches put together into row groups."""
    group: list[pa.RecordBatch] = []
    for batch in batches:
        group.append(batch)
        if sum(b.num_rows for b in group) >= ROW_GROUP_ROWS or sum(b.nbytes for b in group) >= ROW_GROUP_BYTES:
            yield pa.Table.from_batches(group).cast(schema)
            group = []
    if group:
        yield pa.Table.from_batches(group).cast(schema)


class _CopyStream(io.RawIOBase):
    """What COPY sends, as a stream to read from."""

    def __init__(self, copy: psycopg.Copy) -> None:
        self._copy = copy
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:
        view = memoryview(buffer)
        if not self._rest:
            self._rest = memoryview(self._copy.read())
        size = min(len(view), len(self._rest))
        view[:size], self._rest = self._rest[:size], self._rest[size:]
        return size


def summarize_file(uri: str) -> tuple[Summary, tuple[Column, ...]]:
    """Read a Parquet file to its end: what its rows come to, and the columns that they were made from.

    Raises:
        ArchiveError: it is not there, it cannot be read, or it is no such file.
    """

    def summarize(file: pq.ParquetFile, columns: tuple[Column, ...]) -> tuple[Summary, tuple[Column, ...]]:
        return summarize_batches(file.iter_batches(BATCH_ROWS), columns), columns

    return read_file(uri, summarize)


def load_rows(connection: Connection, uri: str, table: Relation) -> tuple[Column, ...]:
    """Copy the rows of a Parquet file into a table, and return the columns that it filled.

    Raises:
        ArchiveError: the file is not there, it cannot be read, or it is no such file.
    """

    def load(file: pq.ParquetFile, columns: tuple[Column, ...]) -> tuple[Column, ...]:
        names = [column.name for column in columns]
        query = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(
            table.identifier, sql.SQL(", ").join(map(sql.Identifier, names))
        )
        options = csv.WriteOptions(include_header=False, quoting_style="all_valid")
        with connection.cursor() as cursor, cursor.copy(query) as copy:
            for batch in file.iter_batches(BATCH_ROWS):
                arrays = [column.form.literal(batch.column(column.name)) for column in columns]
                text = pa.BufferOutputStream()
                csv.write_csv(pa.RecordBatch.from_arrays(arrays, names), text, options)
                copy.write(text.getvalue())
        return columns

    return read_file(uri, load)


def read_file(uri: str, work: Callable[[pq.ParquetFile, tuple[Column, ...]], T]) -> T:
    """Do something with a Parquet file of an archived month, and the columns that it was made from.

    Raises:
        ArchiveError: it is not there, it cannot be read, or it is no such file.
    """
    with reading(uri) as file:
        try:
            parquet = pq.ParquetFile(file, page_checksum_verification=True)
            return work(parquet, tuple(map(Column.of_field, parquet.schema_arrow)))
        except (pa.ArrowException, KeyError, TypeError) as error:
            raise ArchiveError(f"{uri} is no Parquet file of an archived month, or it is damaged: {error}.") from error
