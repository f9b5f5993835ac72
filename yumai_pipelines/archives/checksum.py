"""The checksum of a set of rows, to compare a table with a file: PostgreSQL computes the table's, Arrow the file's.

The text of a row is made of the plain forms of its values: numbers end with a comma, texts begin with their length. It
is hashed by SHA-256, and each quarter of the hashes is summed modulo 2^64, so the order of the rows does not matter.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from psycopg import sql

from yumai_pipelines.partitions.summary import Summary
from yumai_pipelines.postgres.sql_files import read_sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from yumai_pipelines.archives.columns import Column
    from yumai_pipelines.model.relations import Relation
    from yumai_pipelines.postgres.connections import Connection

ALGORITHM = "sum of SHA-256"
_TIME = "conversation_time"
_QUARTERS = 4
_COLUMNS_AT_ONCE = 30
"""Columns per call of `concat`: it takes no more than 100 arguments, and a column needs up to three."""


def print_plainly(connection: Connection) -> None:
    """Until the end of the transaction, print and read values in the format that files and checksums are made from."""
    connection.execute(
        "SELECT set_config('TimeZone', 'UTC', true), set_config('DateStyle', 'ISO, YMD', true), "
        "set_config('IntervalStyle', 'postgres', true), set_config('bytea_output', 'hex', true), "
        "set_config('extra_float_digits', '1', true)"
    )


def summarize_table(connection: Connection, table: Relation, columns: Sequence[Column]) -> tuple[Summary, int]:
    """The summary of a table's rows, and the octets of the longest row's text; PostgreSQL computes both."""
    statement = sql.SQL(read_sql("archives", "summarize_rows.sql")).format(
        table=table.identifier, time=sql.Identifier(_TIME), text=_row_text(columns)
    )
    row = connection.execute(statement).fetchone()
    if row is None:
        raise TypeError("summarize_rows.sql returned no row")
    rows, first, last, longest, sums = row
    return Summary(rows, first, last, _spell(int(each) % 2**64 for each in sums)), longest


def summarize_batches(batches: Iterable[pa.RecordBatch], columns: Sequence[Column]) -> Summary:
    """The summary of a file's rows. Only one batch at a time is in memory."""
    rows, sums = 0, np.zeros(_QUARTERS, dtype=np.uint64)
    first = last = None
    for batch in batches:
        rows += batch.num_rows
        sums += _hash(batch, columns)
        edges = pc.min_max(batch.column(_TIME))
        first = min(filter(None, (first, edges["min"].as_py())), default=None)
        last = max(filter(None, (last, edges["max"].as_py())), default=None)
    return Summary(rows, first, last, _spell(map(int, sums)))


def _row_text(columns: Sequence[Column]) -> sql.Composable:
    """SQL of a row's text. `concat` leaves out a NULL, and its length, which is NULL too."""
    parts = [
        sql.SQL("octet_length({0}), ':', {0}" if column.form.is_text else "{0}, ','").format(column.plain)
        for column in columns
    ]
    groups = [parts[start : start + _COLUMNS_AT_ONCE] for start in range(0, len(parts), _COLUMNS_AT_ONCE)]
    return sql.SQL(" || ").join(sql.SQL("concat({})").format(sql.SQL(", ").join(group)) for group in groups)


def _hash(batch: pa.RecordBatch, columns: Sequence[Column]) -> npt.NDArray[np.uint64]:
    """The sums of the four quarters of a batch's hashes."""
    parts = []
    for column in columns:
        text = column.form.format(batch.column(column.name))
        parts += [pc.binary_length(text).cast(pa.string()), ":", text] if column.form.is_text else [text, ","]
    texts = pc.binary_join_element_wise(*parts, "", null_handling="replace", null_replacement="")
    digests = b"".join(sha256(text).digest() for text in texts.cast(pa.binary()).to_pylist())
    quarters: npt.NDArray[np.uint64] = np.frombuffer(digests, dtype=">u8").reshape(-1, _QUARTERS).astype(np.uint64)
    return np.asarray(quarters.sum(axis=0))


def _spell(sums: Iterable[int]) -> str:
    return "".join(f"{each:016x}" for each in sums)
