"""The files of an archived month: a Parquet file, and a manifest beside it that says what the Parquet file must hold.

Rows are streamed: only one block of CSV and one row group are in memory. `archive` and `restore` decide which tables
the rows come from and go to.
"""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from typing import IO, TYPE_CHECKING, TypeVar

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq
from psycopg import sql

from yumai_pipelines.archives.checksum import ALGORITHM, summarize_batches
from yumai_pipelines.archives.columns import Column
from yumai_pipelines.archives.store import BROKEN, ArchiveError, reading

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
"""Size of the CSV block that is parsed at once; larger where a single row is longer."""

LONGEST_ROW = 500_000_000
"""Octets of text in one row. Arrow parses no block of CSV of 2^31 octets, and PostgreSQL prints no row of 2^30."""

BATCH_ROWS = 5_000
FORMAT = 1


@dataclass(frozen=True)
class Manifest:
    """The content of the manifest, a JSON file beside the Parquet file.

    Attributes:
        month: such as `2024-08`.
        table: the table that the rows come from.
        summary: the summary of the rows, computed by PostgreSQL.
        columns: the columns of the table, in its order.
        lower: first instant of the month.
        upper: first instant of the next month.
        bytes: size of the Parquet file.
        sha256: hash of the Parquet file, as it was written. Rows and columns are compared one by one, but not what the
            file says of them to readers who would skip some.
    """

    month: str
    table: str
    summary: Summary
    columns: tuple[Column, ...]
    lower: datetime
    upper: datetime
    bytes: int
    sha256: str

    def to_json(self) -> str:
        """The text of the manifest."""
        content = {"format": FORMAT, "checksum_algorithm": ALGORITHM, "compression": "zstd", **asdict(self)}
        return json.dumps(content, default=datetime.isoformat, ensure_ascii=False, indent=2) + "\n"


def export_rows(
    connection: Connection, table: Relation, columns: Sequence[Column], file: IO[bytes], longest: int, comment: str
) -> str:
    """Write a table's rows into a Parquet file, ordered by time and id, and return the file's SHA-256.

    Args:
        connection: its snapshot decides which rows are written.
        table: the table to read.
        columns: the columns to write.
        file: the file to write to.
        longest: octets of the longest row's text; 0 when the table is empty.
        comment: comment for the file's metadata.

    Raises:
        ArchiveError: a value does not fit its column in the file, which `fitted_columns` rules out.
    """
    schema = pa.schema([column.field for column in columns], metadata={b"comment": comment.encode()})
    query = sql.SQL("COPY (SELECT {} FROM {} ORDER BY conversation_time, id) TO STDOUT (FORMAT csv)").format(
        sql.SQL(", ").join(column.plain for column in columns), table.identifier
    )
    try:
        if longest == 0:
            return write_batches(iter(()), schema, file)
        with connection.cursor() as cursor, cursor.copy(query) as copy:
            return write_batches(_parsed(copy, columns, longest), schema, file)
    except (pa.ArrowException, ValueError) as error:
        raise ArchiveError(
            f"A value of {table} does not fit its column in a Parquet file: {error}. Correct the row, and run again."
        ) from error


def write_batches(batches: Iterator[pa.RecordBatch], schema: pa.Schema, file: IO[bytes]) -> str:
    """Write batches of rows into a Parquet file, in row groups of a bounded size; return the file's SHA-256."""
    target = _Hashed(file)
    with pq.ParquetWriter(target, schema, compression="zstd", write_page_checksum=True) as writer:
        for group in _grouped(batches, schema):
            writer.write_table(group)
    return target.sha256.hexdigest()


def _parsed(copy: psycopg.Copy, columns: Sequence[Column], longest: int) -> Iterator[pa.RecordBatch]:
    """Yield batches of values, parsed from CSV. An empty field is NULL, and a quoted empty field an empty text."""
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
    """Combine batches into row groups."""
    group: list[pa.RecordBatch] = []
    for batch in batches:
        group.append(batch)
        if sum(b.num_rows for b in group) >= ROW_GROUP_ROWS or sum(b.nbytes for b in group) >= ROW_GROUP_BYTES:
            yield pa.Table.from_batches(group).cast(schema)
            group = []
    if group:
        yield pa.Table.from_batches(group).cast(schema)


class _CopyStream(io.RawIOBase):
    """A readable stream of what COPY sends."""

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


class _Hashed(io.RawIOBase):
    """A writable stream that passes on what is written, and hashes it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.sha256 = sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer) -> int:
        self.sha256.update(data)
        return self._file.write(data)


def summarize_file(uri: str) -> tuple[Summary, tuple[Column, ...]]:
    """Read a whole Parquet file; return the summary of its rows, and the columns that they were made from.

    Raises:
        ArchiveError: the file is missing, cannot be read, or is not a file of an archived month.
    """

    def summarize(file: pq.ParquetFile, columns: tuple[Column, ...]) -> tuple[Summary, tuple[Column, ...]]:
        return summarize_batches(file.iter_batches(BATCH_ROWS), columns), columns

    return read_file(uri, summarize)


def hash_file(uri: str) -> str:
    """Read a whole file, and return its SHA-256.

    Raises:
        ArchiveError: the file is missing, or cannot be read.
    """
    with reading(uri) as file:
        found = sha256()
        while block := file.read(BLOCK_BYTES):
            found.update(block)
    return found.hexdigest()


def refuse_other_bytes(uri: str, written: str) -> None:
    """Make sure that a new file is, octet by octet, what was written.

    Raises:
        ArchiveError: its SHA-256 is another one.
    """
    if (found := hash_file(uri)) != written:
        raise ArchiveError(
            f"{uri} is not what was written: its SHA-256 is {found} instead of {written}. Look for a disk or a store "
            "that damages files, and run again."
        )


def read_manifest(uri: str) -> tuple[tuple[Column, ...], str | None]:
    """The columns and the SHA-256 that the manifest beside a Parquet file names; earlier versions wrote no hash.

    Raises:
        ArchiveError: the manifest is missing, cannot be read, or is none.
    """
    beside = f"{uri.removesuffix('.parquet')}.json"
    with reading(beside) as file:
        try:
            content = json.load(file)
            return tuple(Column(**each) for each in content["columns"]), content.get("sha256")
        except (KeyError, TypeError, ValueError) as error:
            raise ArchiveError(f"{beside} is no manifest, or it is damaged: {error}. {BROKEN}") from error


def load_rows(connection: Connection, uri: str, table: Relation) -> tuple[Column, ...]:
    """Copy the rows of a Parquet file into a table, and return the columns that were filled.

    Raises:
        ArchiveError: the file is missing, cannot be read, or is not a file of an archived month.
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
    """Open a Parquet file of an archived month, and return the result of `work` on it and on its columns.

    Raises:
        ArchiveError: the file is missing, cannot be read, or is not a file of an archived month.
    """
    with reading(uri) as file:
        try:
            parquet = pq.ParquetFile(file, page_checksum_verification=True)
            return work(parquet, tuple(map(Column.of_field, parquet.schema_arrow)))
        except (pa.ArrowException, AttributeError, KeyError, TypeError, ValueError) as error:
            raise ArchiveError(
                f"{uri} is no Parquet file of an archived month, or it is damaged: {error}. {BROKEN}"
            ) from error
