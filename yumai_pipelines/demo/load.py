"""Loads the rows of the demonstration into an empty database with COPY, while the next ones are being made.

Everything is one transaction: if it is killed, the database is as empty as before and can be filled again.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.csv
from psycopg import sql

from yumai_pipelines.model.lock_policy import LockPolicy
from yumai_pipelines.postgres.errors import DatabaseError
from yumai_pipelines.postgres.locks import AdvisoryLock, advisory_lock
from yumai_pipelines.postgres.patience import LockNotObtainedError
from yumai_pipelines.postgres.values import read_value
from yumai_pipelines.schema.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from yumai_pipelines.demo.generate import Chunk
    from yumai_pipelines.model.relations import Relation
    from yumai_pipelines.postgres.connections import Connection

_AT_ONCE = LockPolicy(timedelta(milliseconds=1), timedelta())


class NotEmptyError(DatabaseError):
    """The database has rows that the demonstration would mix with, or another fill is running. Nothing was changed."""


@dataclass(frozen=True)
class _Copy:
    relation: Relation
    columns: tuple[str, ...]
    rows: int
    text: memoryview


def fill(
    connection: Connection, chunks: Iterable[Chunk], *, report: Callable[[Chunk], object] = lambda _: None
) -> dict[Relation, int]:
    """Load all chunks in one transaction, set the identity sequences to the last ids, and collect planner statistics.

    Args:
        connection: in autocommit mode, as the owner of the tables.
        chunks: iterated in another thread, one chunk ahead of the one that is being loaded.
        report: called with each chunk after it was loaded.

    Returns:
        The number of rows loaded into each table.

    Raises:
        NotEmptyError: some tables have rows, which the message names, or another fill is running.
    """
    counts: Counter[Relation] = Counter()
    with _alone(connection), connection.transaction():
        refuse_rows(connection)
        for chunk, copies in _one_ahead((chunk, [*_render(chunk)]) for chunk in chunks):
            for copy in copies:
                _copy(connection, copy)
                counts[copy.relation] += copy.rows
            report(chunk)
        # Rough statistics for the pipeline that follows take a third of the time of full ones, which autovacuum makes
        # later.
        connection.execute("SELECT set_config('default_statistics_target', '30', true)")
        for table in TABLES:
            if "id" in table.key:
                _advance_identity(connection, table.relation)
            connection.execute(sql.SQL("ANALYZE {}").format(table.relation.identifier))
    return dict(counts)


def refuse_rows(connection: Connection) -> None:
    """Refuse a database that is not empty.

    Raises:
        NotEmptyError: some tables have rows; the message names them.
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


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    """Keep out other fills during the block.

    Raises:
        NotEmptyError: another one is running.
    """
    with ExitStack() as lock:
        try:
            lock.enter_context(advisory_lock(connection, AdvisoryLock.DEMO, _AT_ONCE))
        except LockNotObtainedError as error:
            raise NotEmptyError(
                f"Another `yumai demo` is filling the database {connection.info.dbname}. Nothing was changed. Wait for "
                "it."
            ) from error
        yield


def _one_ahead(items: Iterable[Any]) -> Iterator[Any]:
    """Yield the items. While one is being used, a thread makes the next."""
    iterator = iter(items)
    with ThreadPoolExecutor(1, "demo") as pool:
        upcoming = pool.submit(lambda: [*islice(iterator, 1)])
        while item := upcoming.result():
            upcoming = pool.submit(lambda: [*islice(iterator, 1)])
            yield item[0]


def _render(chunk: Chunk) -> Iterator[_Copy]:
    """Write the batches as CSV for COPY, in which an empty field is NULL and two quotes are an empty text."""
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
    """Set the sequence of `id` to the last id, since COPY inserts ids without using the sequence."""
    connection.execute(
        sql.SQL("SELECT setval(pg_get_serial_sequence(%s, 'id'), max(id)) FROM {} HAVING max(id) IS NOT NULL").format(
            relation.identifier
        ),
        (relation.quoted,),
    )
