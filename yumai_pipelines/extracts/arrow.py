"""The Arrow types of what analysts read, by the types of the columns in PostgreSQL. PyArrow is imported when asked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from yumai_pipelines.schema import snapshot

if TYPE_CHECKING:
    import pyarrow as pa

    from yumai_pipelines.model.relations import Relation

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
