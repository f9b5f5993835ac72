"""Reads what analysts read as Arrow tables, whose types are those of the columns. PyArrow is imported when needed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from psycopg import sql

from yumai_pipelines.schema import snapshot

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from datetime import date

    import pyarrow as pa

    from yumai_pipelines.model.entries import Readable
    from yumai_pipelines.model.relations import Relation
    from yumai_pipelines.postgres.connections import Connection

_SCALED = re.compile(r"numeric\((\d+),(\d+)\)")


def schema_of(relation: Relation, zone: str, *, decimals: bool) -> pa.Schema:
    """Return the names and types of a table's columns.

    Args:
        relation: the table.
        zone: the time zone in which times are shown.
        decimals: whether numerics with a scale stay exact. Other numerics are floats, since no decimal of Arrow holds
            each of them.
    """
    import pyarrow as pa

    kinds = {
        "date": pa.date32(),
        "boolean": pa.bool_(),
        "smallint": pa.int16(),
        "integer": pa.int32(),
        "bigint": pa.int64(),
        "numeric": pa.float64(),
        "double precision": pa.float64(),
        "timestamp with time zone": pa.timestamp("us", tz=zone),
    }

    def of(kind: str) -> pa.DataType:
        if kind.endswith("[]"):
            return pa.list_(of(kind.removesuffix("[]")))
        if scaled := _SCALED.fullmatch(kind):
            return pa.decimal128(int(scaled[1]), int(scaled[2])) if decimals else kinds["numeric"]
        return kinds.get(kind, pa.string())

    return pa.schema([(column.name, of(column.type)) for column in snapshot.columns(relation)])


def read_chunks(
    connection: Connection,
    table: Readable,
    months: Sequence[date] | None,
    schema: pa.Schema,
    *,
    decimals: bool,
    size: int,
) -> Generator[pa.Table]:
    """Yield the rows in the order of the key, in chunks, at least one chunk.

    A server-side cursor keeps the rows that are not fetched yet.

    Args:
        connection: to the server that is read.
        table: an extract, or the ledger.
        months: the first days of the months to read; None for all.
        schema: as of `schema_of`.
        decimals: as of `schema_of`.
        size: the number of rows of a chunk.
    """
    import pyarrow as pa

    columns = [
        sql.SQL("{}::double precision" if _is_read_as_float(column.type, decimals=decimals) else "{}").format(
            sql.Identifier(column.name)
        )
        for column in snapshot.columns(table.relation)
    ]
    query = sql.SQL("SELECT {} FROM {} WHERE {} ORDER BY {}").format(
        sql.SQL(", ").join(columns),
        table.relation.identifier,
        sql.SQL("true") if months is None else sql.SQL("month = ANY({}::date[])").format(sql.Literal(list(months))),
        sql.SQL(", ").join(map(sql.Identifier, table.key)),
    )
    with connection.transaction(), connection.cursor(name="chunks") as cursor:
        cursor.execute(query)
        rows = cursor.fetchmany(size)
        while True:
            yield pa.table(list(zip(*rows, strict=True)) or [()] * len(schema), schema=schema)
            if not (rows := cursor.fetchmany(size)):
                return


def _is_read_as_float(kind: str, *, decimals: bool) -> bool:
    return kind == "numeric" or (kind.startswith("numeric") and not decimals)
