"""How the columns of a table are converted to columns of a file, and back.

Each value has a plain form, a number or a text, which PostgreSQL and Arrow write in the same way. Rows leave the table
in this form, and the checksum is computed from it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import pyarrow as pa
from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from yumai_pipelines.model.relations import Relation
    from yumai_pipelines.postgres.connections import Connection

TYPE_KEY = b"postgres_type"
COMMENT_KEY = b"comment"
FORM_KEY = b"form"
"""Is `text` on a column that holds PostgreSQL's text, though its type has another form: some value did not fit that."""

_INTEGERS = {"smallint": pa.int16(), "integer": pa.int32(), "bigint": pa.int64()}
_LISTS = {
    f"{name}[]": pa.list_(kind)
    for name, kind in {**_INTEGERS, "text": pa.string(), "character varying": pa.string()}.items()
}
_LARGEST_SCALE = 6
"""With more decimal places, Arrow writes small numbers with an exponent, and PostgreSQL does not."""

_to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _same(array: pa.Array) -> pa.Array:
    return array


def _to_text(array: pa.Array) -> pa.Array:
    return array.cast(pa.string())


@dataclass(frozen=True)
class Form:
    """How the values of an SQL type are written.

    Attributes:
        arrow: Arrow type of the values in the file.
        plain: SQL of the plain form, with `{}` for the column.
        plain_type: Arrow type of the plain form in CSV; None when it is that of the values.
        fits: SQL, with `{0}` for the column, of whether a value has this form; None where each has.
        parse: converts plain forms to values.
        format: converts values to their plain forms, as text.
        literal: converts values to what COPY reads.
    """

    arrow: pa.DataType
    plain: str = "{}"
    plain_type: pa.DataType = None
    fits: str | None = None
    parse: Callable[[pa.Array], pa.Array] = _same
    format: Callable[[pa.Array], pa.Array] = _to_text
    literal: Callable[[pa.Array], pa.Array] = _same

    @property
    def is_text(self) -> bool:
        """Whether the plain form is a text, and not a number."""
        return bool(self.csv_type == pa.string())

    @property
    def csv_type(self) -> pa.DataType:
        """Arrow type of the plain form in CSV."""
        return self.arrow if self.plain_type is None else self.plain_type


def _list_form(arrow: pa.DataType) -> Form:
    def parse(array: pa.Array) -> pa.Array:
        return pa.array([None if text is None else json.loads(text) for text in array.to_pylist()], type=arrow)

    def to_text(array: pa.Array) -> pa.Array:
        return pa.array([None if value is None else _to_json(value) for value in array.to_pylist()], type=pa.string())

    def literal(array: pa.Array) -> pa.Array:
        return pa.array([None if value is None else _array_literal(value) for value in array.to_pylist()], pa.string())

    # An array whose index does not begin at 1 has another form. If it got here, it would become an object, which is
    # refused: a list would lose that index.
    plain = "CASE WHEN array_lower({0}, 1) <> 1 THEN json_build_object('array', {0}) ELSE array_to_json({0}) END::text"
    fits = "coalesce(array_ndims({0}), 1) = 1 AND coalesce(array_lower({0}, 1), 1) = 1"
    return Form(arrow, plain, pa.string(), fits, parse, to_text, literal)


def _array_literal(values: list[int | str | None]) -> str:
    return "{" + ",".join(map(_element, values)) + "}"


def _element(value: int | str | None) -> str:
    if value is None:
        return "NULL"
    return '"' + re.sub(r'(["\\])', r"\\\1", str(value)) + '"'


_AS_TEXT = Form(pa.string(), "{}::text")
"""The form of every other type: the text that PostgreSQL prints and can read again."""

_IN_ARROWS_YEARS = "{{0}} >= '0001-01-01{0}' AND {{0}} < '9999-12-31{0}'"
"""Arrow prints no other year as PostgreSQL reads it, and knows no infinity."""


def form_of(sql_type: str) -> Form:
    """The form of an SQL type, as `format_type` spells it."""
    if sql_type in _INTEGERS:
        return Form(_INTEGERS[sql_type])
    if sql_type == "timestamp with time zone":
        return Form(
            pa.timestamp("us", tz="UTC"),
            "(extract(epoch FROM {}) * 1000000)::bigint",
            pa.int64(),
            _IN_ARROWS_YEARS.format(" 00:00+00"),
            parse=lambda array: array.cast(pa.timestamp("us", tz="UTC")),
            format=lambda array: _to_text(array.cast(pa.int64())),
        )
    if sql_type == "date":
        return Form(
            pa.date32(),
            "{} - date '1970-01-01'",
            pa.int32(),
            _IN_ARROWS_YEARS.format(""),
            parse=lambda array: array.cast(pa.date32()),
            format=lambda array: _to_text(array.cast(pa.int32())),
        )
    if sql_type == "boolean":
        return Form(
            pa.bool_(),
            "{}::int",
            pa.int8(),
            parse=lambda array: array.cast(pa.bool_()),
            format=lambda array: _to_text(array.cast(pa.int8())),
        )
    if (numeric := re.fullmatch(r"numeric\((\d+),(\d+)\)", sql_type)) is not None:
        precision, scale = int(numeric[1]), int(numeric[2])
        if scale <= min(precision, _LARGEST_SCALE) and precision <= 38:
            return Form(pa.decimal128(precision, scale), fits="{0} <> 'NaN'")
    kind = _LISTS.get(re.sub(r"\(\d+\)", "", sql_type))
    return _AS_TEXT if kind is None else _list_form(kind)


@dataclass(frozen=True)
class Column:
    """A column of the table.

    Attributes:
        name: its name.
        sql_type: its type, as `format_type` spells it.
        nullable: whether it may be NULL.
        comment: its comment in the database.
        as_text: whether it has the form of a text because some value does not fit the form of its type.
    """

    name: str
    sql_type: str
    nullable: bool
    comment: str | None
    as_text: bool = False

    @property
    def form(self) -> Form:
        """The form of its values."""
        return _AS_TEXT if self.as_text else form_of(self.sql_type)

    @property
    def plain(self) -> sql.Composed:
        """SQL of the plain form of its values."""
        return sql.SQL(self.form.plain).format(sql.Identifier(self.name))

    @property
    def field(self) -> pa.Field:
        """The Arrow field of the column in the file."""
        metadata = {TYPE_KEY: self.sql_type.encode()}
        if self.comment:
            metadata[COMMENT_KEY] = self.comment.encode()
        if self.as_text:
            metadata[FORM_KEY] = b"text"
        return pa.field(self.name, self.form.arrow, self.nullable, metadata)

    @classmethod
    def of_field(cls, field: pa.Field) -> Self:
        """The column of a table from which a field of a file was made.

        Raises:
            KeyError: the field was not made from a column of a table.
        """
        comment = field.metadata.get(COMMENT_KEY)
        return cls(
            field.name,
            field.metadata[TYPE_KEY].decode(),
            field.nullable,
            comment and comment.decode(),
            field.metadata.get(FORM_KEY) == b"text",
        )


@dataclass(frozen=True)
class LongRow:
    """A row of a table, with the length of its texts.

    Attributes:
        key: names it, for people.
        octets: of all its texts.
        column: the one with the longest text.
    """

    key: str
    octets: int
    column: str


def columns_of(connection: Connection, table: Relation) -> tuple[Column, ...]:
    """The columns of a table that can be written, in its order; generated columns are left out."""
    rows = connection.execute(
        "SELECT attname, format_type(atttypid, atttypmod), NOT attnotnull, col_description(attrelid, attnum) "
        "FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' "
        "ORDER BY attnum",
        (table.quoted,),
    )
    return tuple(Column(*row) for row in rows)


def fitted_columns(connection: Connection, table: Relation) -> tuple[Column, ...]:
    """The columns of a table that can be written, each in a form that all of its present values have.

    NaN, an array of two dimensions or the year 12000 has no place in the Arrow type of its column, so such a column is
    written as text. All is read once, but only where a column has a type with such values.
    """
    columns = columns_of(connection, table)
    doubtful = [column for column in columns if column.form.fits is not None]
    if not doubtful:
        return columns
    fits = [
        sql.SQL("bool_and({})").format(sql.SQL(column.form.fits or "true").format(sql.Identifier(column.name)))
        for column in doubtful
    ]
    query = sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(fits), table.identifier)
    row = connection.execute(query).fetchone() or ()
    unfit = {column.name for column, fit in zip(doubtful, row, strict=True) if fit is False}
    return tuple(replace(column, as_text=column.name in unfit) for column in columns)


def longest_row(connection: Connection, table: Relation, columns: Sequence[Column]) -> LongRow | None:
    """The row with the longest texts; None of a table without rows."""
    texts = [column for column in columns if column.form.is_text]
    lengths = [sql.SQL("coalesce(octet_length({}), 0)::bigint").format(column.plain) for column in texts]
    row = connection.execute(
        sql.SQL("SELECT id, conversation_time, ARRAY[{}]::bigint[] AS lengths FROM {} ORDER BY {} DESC LIMIT 1").format(
            sql.SQL(", ").join(lengths), table.identifier, sql.SQL(" + ").join([*lengths, sql.SQL("0")])
        )
    ).fetchone()
    if row is None:
        return None
    key, time, octets = row
    widest = max(zip(octets, (column.name for column in texts), strict=True), default=(0, ""))
    return LongRow(f"id {key}, conversation_time {time}", sum(octets), widest[1])
