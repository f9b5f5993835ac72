"""Reads the extracts into pandas frames with the right types, or into files. docs/extracts.md describes the extracts.

pandas and PyArrow are imported when they are needed, since the pipeline does not need them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, TypeVar

import psycopg

from yumai_pipelines.extracts.arrow import read_chunks, schema_of
from yumai_pipelines.extracts.as_of import as_of
from yumai_pipelines.extracts.files import check_format, writing
from yumai_pipelines.model.calendar import first_days, in_ranges
from yumai_pipelines.model.months import Month
from yumai_pipelines.model.registry import readable
from yumai_pipelines.postgres.connections import ANALYST_ROLE, connect, database_url, missing_rights
from yumai_pipelines.postgres.errors import DatabaseError, MissingRightsError, SchemaMissingError
from yumai_pipelines.postgres.replicas import read, replica_of
from yumai_pipelines.postgres.values import read_value
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence
    from pathlib import Path

    import pandas as pd
    import pyarrow as pa

    from yumai_pipelines.extracts.as_of import AsOf
    from yumai_pipelines.model.entries import Readable
    from yumai_pipelines.postgres.connections import Connection
    from yumai_pipelines.postgres.replicas import Read, Reader

_LOG = logging.getLogger(__name__)

T = TypeVar("T")

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
        SchemaMissingError: the database has no extracts.
    """
    import pandas as pd
    import pyarrow as pa

    table, wanted = readable(name), _wanted(months)

    def read_all(reader: Reader) -> tuple[list[AsOf], pa.Table]:
        built = _built(reader.connection, table, wanted)
        return built, pa.concat_tables(_chunks(reader.connection, table, wanted))

    found = _read(url, read_all)
    built, rows = found.value
    frame: pd.DataFrame = rows.to_pandas(types_mapper=pd.ArrowDtype)
    frame = frame.astype(dict.fromkeys(table.categories, "category"))
    frame.attrs["read_from"] = found.source.server
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
    table, wanted = readable(name), _wanted(months)
    with _connect(url or database_url(Settings())) as connection:
        return _built(connection, table, wanted)


def _built(connection: Connection, table: Readable, wanted: Sequence[Month] | None) -> list[AsOf]:
    try:
        with _explained(connection, table, readable("ledger")):
            built = as_of(connection, table)
    except psycopg.errors.UndefinedTable as error:
        raise SchemaMissingError(
            f"The database {connection.info.dbname} has no extracts: is it the one that was meant? `yumai up` installs "
            "the schema."
        ) from error
    known = {Month.of_day(each.month): each for each in built}
    _refuse_never_built(table, wanted or [], list(known))
    return [each for month, each in known.items() if wanted is None or month in wanted]


def _read(url: str | None, work: Callable[[Reader], T]) -> Read[T]:
    """Read a server that is named, or else the replica of the settings if it is not too late, or the primary."""
    settings = Settings()
    replica = replica_of(settings) if url is None else None
    with _connect(url or database_url(settings)) as primary:
        found = read(work, primary, replica, _connect)
    if found.source.refusal:
        _LOG.warning("%s", found.source)
    return found


def _connect(url: str) -> Connection:
    return connect(url, application_name="yumai: read extract", role=None, zone=Settings().timezone, read_only=True)


def export(name: str, path: Path, *, months: Months = None, url: str | None = None, for_excel: bool = False) -> int:
    """Write an extract to a file, whose suffix says the format (`files.FORMATS`), and return the number of rows.

    The file appears when it is complete. Memory does not grow with the extract.

    Args:
        name: name of the extract.
        path: the file.
        months: as in `read_extract`.
        url: as in `read_extract`.
        for_excel: as in `files.writing`; a CSV file for Excel.

    Raises:
        KeyError: there is no such extract.
        ValueError: the file's format is not known, or cannot hold the rows; or one of the months is not a month.
        NeverBuiltError: one of the months was never built.
    """
    check_format(path, for_excel=for_excel)
    table, wanted = readable(name), _wanted(months)

    def write_all(reader: Reader) -> int:
        _built(reader.connection, table, wanted)
        rows = 0
        with (
            writing(path, _schema(table), for_excel=for_excel) as write,
            closing(_chunks(reader.connection, table, wanted)) as chunks,
        ):
            for chunk in chunks:
                write(chunk)
                rows += chunk.num_rows
        return rows

    return _read(url, write_all).value


def _chunks(connection: Connection, table: Readable, wanted: Sequence[Month] | None) -> Generator[pa.Table]:
    months = None if wanted is None else first_days(wanted)
    with _explained(connection, table):
        yield from read_chunks(connection, table, months, _schema(table), decimals=False, size=CHUNK)


def _wanted(months: Months) -> list[Month] | None:
    if months is None:
        return None
    each = [months] if isinstance(months, Month | str) else months
    return sorted({Month.parse(str(month)) for month in each})


def _refuse_never_built(table: Readable, wanted: Sequence[Month], built: Sequence[Month]) -> None:
    """Refuse months that were never built; without months, an extract that has none.

    Raises:
        NeverBuiltError: says which months there are.
    """
    never = [month for month in wanted if month not in built]
    if never or not built:
        there = f"Its months are {in_ranges(built)}." if built else "It has no month yet."
        raise NeverBuiltError(
            f"{table.relation} of {in_ranges(never) if never else 'every month'} was never built, which is not the "
            f"same as a month without rows. {there} Materialize the extracts of a month when it is over: `yumai build` "
            "or the job monthly_extracts."
        )


@contextmanager
def _explained(connection: Connection, *tables: Readable) -> Iterator[None]:
    """Say what a login without rights has to know."""
    try:
        yield
    except psycopg.errors.InsufficientPrivilege as error:
        user = connection.info.user
        for table in tables:
            if read_value(connection, _HAS_POLICIES, (table.relation.schema, table.relation.name)):
                raise MissingRightsError(
                    f"{table.relation} has row level security, by which rows are hidden from {user}. Nothing is read, "
                    "since months that are hidden would look like months without rows. As a superuser: "
                    f"ALTER TABLE {table.relation.quoted} DISABLE ROW LEVEL SECURITY; or, to let this login read all "
                    f"of it, ALTER ROLE {user} BYPASSRLS."
                ) from error
        if read_value(connection, "SELECT pg_has_role(to_regrole(%s), 'USAGE') IS TRUE", (ANALYST_ROLE,)):
            raise MissingRightsError(
                f"{user} works as {ANALYST_ROLE}, which has lost rights: {error.diag.message_primary}. Nothing is "
                f"read. As a superuser: GRANT SELECT ON ALL TABLES IN SCHEMA extracts TO {ANALYST_ROLE}."
            ) from error
        raise missing_rights(connection, ANALYST_ROLE) from error


_HAS_POLICIES = """
    SELECT coalesce(bool_or(row_security_active(c.oid)), false)
    FROM pg_class AS c INNER JOIN pg_namespace AS n ON c.relnamespace = n.oid
    WHERE n.nspname = %s AND c.relname = %s
"""


def _schema(table: Readable) -> pa.Schema:
    """The columns as they are read; times are in the business's zone."""
    return schema_of(table.relation, Settings().timezone, decimals=False)
