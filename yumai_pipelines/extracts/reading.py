"""Reads the extracts into pandas frames with the right types, or into files. docs/extracts.md describes the extracts.

pandas, SQLAlchemy and PyArrow are imported when they are needed, since the pipeline does not need them.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from yumai_pipelines.extracts.as_of import as_of
from yumai_pipelines.model.calendar import first_days, in_ranges
from yumai_pipelines.model.months import Month
from yumai_pipelines.model.registry import extract_of
from yumai_pipelines.postgres.connections import ANALYST_ROLE, connect, database_url, missing_rights
from yumai_pipelines.postgres.errors import DatabaseError, MissingRightsError
from yumai_pipelines.postgres.values import read_value
from yumai_pipelines.schema import snapshot
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import pandas as pd
    import pyarrow as pa
    from sqlalchemy import Connection as AlchemyConnection

    from yumai_pipelines.extracts.as_of import AsOf
    from yumai_pipelines.model.entries import Extract
    from yumai_pipelines.postgres.connections import Connection

CHUNK = 50_000
"""Number of rows that are fetched at a time."""


class NeverBuiltError(DatabaseError):
    """An extract has no such month, which is not the same as a month without rows."""


Months = Iterable[Month | str] | Month | str | None
"""Some months, one month, or None for all that are built."""


def read_extract(name: str, *, months: Months = None, url: str | None = None) -> pd.DataFrame:
    """An extract as a pandas frame, ordered by its key.

    Types are Arrow's, so whole numbers stay whole where some are missing. `month` is a date, times are in the
    business's time zone, rates and scores are floats, and columns of few different words are categories.
    `frame.attrs["as_of"]` says for each month as of when it is, and since when its logs have changed, if they have.

    Args:
        name: name of the extract, such as `shop_performance`.
        months: such as `["2025-06", "2025-07"]` or `"2025-06"`; all months that are built by default.
        url: libpq URL of a login that may read the extracts; by default YUMAI_DATABASE_URL, or the embedded server.

    Raises:
        KeyError: there is no such extract; the message lists those that exist.
        ValueError: one of the months is not a month.
        NeverBuiltError: one of the months was never built.
        MissingRightsError: the login may not read the extracts, or not all of their rows.
    """
    import pandas as pd

    extract, wanted = extract_of(name), _wanted(months)
    built = built_months(name, months=wanted, url=url)
    frame = pd.concat(_chunks(extract, wanted, url), ignore_index=True)
    frame = frame.astype(dict.fromkeys(extract.categories, "category"))
    frame.attrs["as_of"] = {
        f"{each.month:%Y-%m}": {
            "as_of": each.as_of.isoformat(),
            "changed_since": each.changed_since and each.changed_since.isoformat(),
        }
        for each in built
    }
    return frame


def built_months(name: str, *, months: Months = None, url: str | None = None) -> list[AsOf]:
    """Say as of when months of an extract are, and whether their logs have changed since.

    Raises:
        KeyError: there is no such extract.
        ValueError: one of the months is not a month.
        NeverBuiltError: one of the months was never built.
        MissingRightsError: the login may not read the extracts.
    """
    extract, wanted = extract_of(name), _wanted(months)
    with _connect(url) as connection:
        try:
            built = as_of(connection, extract)
        except psycopg.errors.InsufficientPrivilege as error:
            raise missing_rights(connection, ANALYST_ROLE) from error
    known = {Month.of_day(each.month): each for each in built}
    _refuse_never_built(extract, wanted or [], list(known))
    return [each for month, each in known.items() if wanted is None or month in wanted]


def _connect(url: str | None) -> Connection:
    settings = Settings()
    return connect(
        url or database_url(settings),
        application_name="yumai: read extract",
        role=None,
        autocommit=False,
        zone=settings.timezone,
        read_only=True,
    )


def export(name: str, path: Path, *, months: Months = None, url: str | None = None, for_excel: bool = False) -> int:
    """Write an extract to a file, whose suffix says the format (`FORMATS`), and return the number of rows.

    The file appears when it is complete. Memory does not grow with the extract.

    Args:
        name: name of the extract.
        path: the file.
        months: as in `read_extract`.
        url: as in `read_extract`.
        for_excel: begin a CSV file with a byte order mark, without which Excel takes Korean for another encoding, and
            put an apostrophe before texts that it would take for formulas.

    Raises:
        KeyError: there is no such extract.
        ValueError: the suffix is none of `FORMATS`, it is not CSV and for Excel, or one of the months is not a month.
        NeverBuiltError: one of the months was never built.
    """
    import pyarrow as pa

    if not path.name.endswith(FORMATS):
        raise ValueError(f"{path.name} says no format that can be written; end it in {', '.join(FORMATS)}")
    if for_excel and path.suffix == ".parquet":
        raise ValueError(f"Excel reads no Parquet; end {path.name} in .csv")
    extract, wanted = extract_of(name), _wanted(months)
    built_months(name, months=wanted, url=url)
    schema = pa.schema([(column, kind.pyarrow_dtype) for column, kind in _types(extract, Settings().timezone).items()])
    draft = path.with_name(f".{path.name}.part")
    rows = 0
    try:
        with _writer(draft, path.suffix, schema, for_excel=for_excel) as write:
            for chunk in _chunks(extract, wanted, url):
                table = pa.Table.from_pandas(chunk, schema=schema, preserve_index=False)
                write(_without_formulas(table) if for_excel else table)
                rows += len(chunk)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return rows


FORMATS = (".parquet", ".csv", ".csv.gz")
"""What the name of an exported file may end in."""


@contextmanager
def _writer(path: Path, suffix: str, schema: pa.Schema, *, for_excel: bool) -> Iterator[Callable[[pa.Table], object]]:
    """Yield what appends a table to a file."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    if suffix == ".parquet":
        with pyarrow.parquet.ParquetWriter(path, schema) as parquet:
            yield parquet.write_table
        return
    with pa.output_stream(path, compression="gzip" if suffix == ".gz" else None) as sink:
        if for_excel:
            sink.write(codecs.BOM_UTF8)
        with pyarrow.csv.CSVWriter(sink, schema) as csv:
            yield csv.write_table


def _without_formulas(table: pa.Table) -> pa.Table:
    """Return the table with an apostrophe before each text that a spreadsheet would take for a formula."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for place, field in enumerate(table.schema):
        if pa.types.is_string(field.type):
            texts = table.column(place)
            formulas = pc.match_substring_regex(texts, pattern=r"^[=+\-@\t\r]")
            safe = pc.if_else(formulas, pc.binary_join_element_wise("'", texts, ""), texts)
            table = table.set_column(place, field, safe)
    return table


def _chunks(extract: Extract, wanted: Sequence[Month] | None, url: str | None) -> Iterator[pd.DataFrame]:
    """Yield the rows in chunks, at least one chunk. A server-side cursor keeps the rows that are not fetched yet."""
    import pandas as pd
    from sqlalchemy import NullPool, create_engine

    types = _types(extract, Settings().timezone)
    engine = create_engine("postgresql+psycopg://", creator=lambda: _connect(url), poolclass=NullPool)
    with engine.connect().execution_options(stream_results=True, max_row_buffer=CHUNK) as connection:
        query = _query(extract, None if wanted is None else first_days(wanted)).as_string()
        try:
            for chunk in pd.read_sql(query, connection, chunksize=CHUNK, dtype_backend="pyarrow"):
                yield chunk.astype(types)
        except pd.errors.DatabaseError as error:
            _explain(error, connection, extract)
            raise


def _wanted(months: Months) -> list[Month] | None:
    if months is None:
        return None
    each = [months] if isinstance(months, Month | str) else months
    return sorted({Month.parse(str(month)) for month in each})


def _refuse_never_built(extract: Extract, wanted: Sequence[Month], built: Sequence[Month]) -> None:
    """Refuse months that were never built; without months, an extract that has none.

    Raises:
        NeverBuiltError: says which months there are.
    """
    never = [month for month in wanted if month not in built]
    if never or not built:
        there = f"Its months are {in_ranges(built)}." if built else "It has no month yet."
        raise NeverBuiltError(
            f"{extract.relation} of {in_ranges(never) if never else 'every month'} was never built, which is not the "
            f"same as a month without rows. {there} Materialize the extracts of a month when it is over: `yumai build` "
            "or the job monthly_extracts."
        )


def _explain(error: BaseException, connection: AlchemyConnection, extract: Extract) -> None:
    """Raise what a login without rights has to know; pandas and SQLAlchemy each wrap what PostgreSQL says."""
    driver = connection.connection.driver_connection
    said: BaseException | None = error
    while said is not None:
        if isinstance(said, psycopg.errors.InsufficientPrivilege) and isinstance(driver, psycopg.Connection):
            driver.rollback()
            if read_value(driver, _HAS_POLICIES, (extract.relation.schema, extract.relation.name)):
                raise MissingRightsError(
                    f"{extract.relation} has row level security, by which rows are hidden from {driver.info.user}. "
                    "Nothing is read, since months that are hidden would look like months without rows. As a "
                    f"superuser: ALTER TABLE {extract.relation.quoted} DISABLE ROW LEVEL SECURITY; or, to let this "
                    f"login read all of it, ALTER ROLE {driver.info.user} BYPASSRLS."
                ) from error
            raise missing_rights(driver, ANALYST_ROLE) from error
        said = said.__cause__


_HAS_POLICIES = """
    SELECT coalesce(bool_or(row_security_active(c.oid)), false)
    FROM pg_class AS c INNER JOIN pg_namespace AS n ON c.relnamespace = n.oid
    WHERE n.nspname = %s AND c.relname = %s
"""


def _query(extract: Extract, months: list[Any] | None) -> sql.Composed:
    """The query of an extract. Numerics become floats, which are exact enough for a rate."""
    columns = [
        sql.SQL("{0}::double precision AS {0}" if column.type.startswith("numeric") else "{0}").format(
            sql.Identifier(column.name)
        )
        for column in snapshot.columns(extract.relation)
    ]
    condition = sql.SQL("true") if months is None else sql.SQL("month = ANY({}::date[])").format(sql.Literal(months))
    return sql.SQL("SELECT {} FROM {} WHERE {} ORDER BY {}").format(
        sql.SQL(", ").join(columns),
        extract.relation.identifier,
        condition,
        sql.SQL(", ").join(map(sql.Identifier, extract.key)),
    )


def _types(extract: Extract, timezone: str) -> dict[str, pd.ArrowDtype]:
    """The Arrow type of each column."""
    import pandas as pd
    import pyarrow as pa

    kinds = {
        "date": pa.date32(),
        "boolean": pa.bool_(),
        "smallint": pa.int16(),
        "integer": pa.int32(),
        "bigint": pa.int64(),
        "numeric": pa.float64(),
        "double precision": pa.float64(),
        "timestamp with time zone": pa.timestamp("us", tz=timezone),
    }

    return {
        column.name: pd.ArrowDtype(next((kinds[name] for name in kinds if column.type.startswith(name)), pa.string()))
        for column in snapshot.columns(extract.relation)
    }
