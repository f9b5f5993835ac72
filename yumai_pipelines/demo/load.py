"""The demonstration's rows brought into an empty database, with COPY, while the next ones are being made.

All of it is one transaction: a fill that is killed leaves the database as empty as it was, to be filled again.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.csv
from psycopg import sql

from yumai_pipelines.postgres.errors import DatabaseError
from yumai_pipelines.postgres.values import read_value
from yumai_pipelines.schema.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from yumai_pipelines.demo.generate import Chunk
    from yumai_pipelines.model.relations import Relation
    from yumai_pipelines.postgres.connections import Connection

_LOCK = "yumai_pipelines: demo"


class NotEmptyError(DatabaseError):
    """The database has rows that the demonstration would mix with, or another fill is at work. Nothing was changed."""


@dataclass(frozen=True)
class _Copy:
    relation: Relation
    columns: tuple[str, ...]
    rows: int
    text: memoryview


def fill(
    connection: Connection, chunks: Iterable[Chunk], *, report: Callable[[Chunk], object] = lambda _: None
) -> dict[Relation, int]:
    """Load all chunks in one transaction, advance the identities behind them, and let the planner know.

    Args:
        connection: in autocommit mode, as the owner of the tables.
        chunks: made in a thread beside, one ahead of what is being loaded.
        report: called with each chunk when the server has it.

    Returns:
        The rows of each table.

    Raises:
        NotEmptyError: naming the tables that have rows.
    """
    counts: Counter[Relation] = Counter()
    with connection.transaction():
        _refuse_rows(connection)
        for chunk, copies in _one_ahead((chunk, [*_render(chunk)]) for chunk in chunks):
            for copy in copies:
                _copy(connection, copy)
                counts[copy.relation] += copy.rows
            report(chunk)
        # Rough statistics for the pipeline that follows: a third of the time of full ones, which autovacuum brings.
        connection.execute("SELECT set_config('default_statistics_target', '30', true)")
        for table in TABLES:
            if "id" in table.key:
                _advance_identity(connection, table.relation)
            connection.execute(sql.SQL("ANALYZE {}").format(table.relation.identifier))
    return dict(counts)


def refuse_rows(connection: Connection) -> None:
    """Refuse a database that is not empty.

    Raises:
        NotEmptyError: naming the tables that have rows.
    """
    filled = [
        str(table.relation)
        for table in TABLES
        if read_value(connection, sql.SQL("SELECT EXISTS (SELECT FROM {})").format(table.relation.identifier))
    ]
    if filled:
        raise NotEmptyError(
            f"The database {connection.info.dbname} is not empty: {', '.join(filled)} already "
            f"{'has' if len(filled) == 1 else 'have'} rows, and the demonstration would mix with them. Nothing was "
            "changed. Set YUMAI_DATABASE_URL to an empty database or, for a new embedded one, YUMAI_HOME to a new "
            "directory; `yumai dev` shows what is there, and runs the pipeline over it."
        )


def _refuse_rows(connection: Connection) -> None:
    if not read_value(connection, "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", (_LOCK,)):
        raise NotEmptyError(
            f"Another `yumai demo` is filling the database {connection.info.dbname}. Nothing was changed. Wait for it."
        )
    refuse_rows(connection)


def _one_ahead(items: Iterable[Any]) -> Iterator[Any]:
    """The items, each made in a thread while its predecessor is being used."""
    iterator = iter(items)
    with ThreadPoolExecutor(1, "demo") as pool:
        upcoming = pool.submit(lambda: [*islice(iterator, 1)])
        while item := upcoming.result():
            upcoming = pool.submit(lambda: [*islice(iterator, 1)])
            yield item[0]


def _render(chunk: Chunk) -> Iterator[_Copy]:
    """CSV, in which nothing is NULL and two quotes are an empty text, as COPY reads it."""
    options = pa.csv.WriteOptions(include_header=False)
    for batch in chunk.batches:
        sink = pa.BufferOutputStream()
        pa.csv.write_csv(batch.rows, sink, options)
        columns = tuple(batch.rows.column_names)
        yield _Copy(batch.relation, columns, batch.rows.num_rows, memoryview(sink.getvalue()))


def _copy(connection: Connection, data: _Copy) -> None:
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(
        data.relation.identifier, sql.SQL(", ").join(map(sql.Identifier, data.columns))
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(data.text)


def _advance_identity(connection: Connection, relation: Relation) -> None:
    """Let the next row get the id after the last one: COPY brings its own."""
    connection.execute(
        sql.SQL("SELECT setval(pg_get_serial_sequence(%s, 'id'), max(id)) FROM {} HAVING max(id) IS NOT NULL").format(
            relation.identifier
        ),
        (relation.quoted,),
    )
