"""Publishes the extracts as Delta tables, one for each, partitioned by month, for readers beside the database.

A month is replaced as a whole by one commit of its table. The commit says which build it holds, and how many rows, as
transactions of the Delta protocol, which outlive the log's own history. So a publication that was killed is finished by
the next one, and one of months that are published does nothing. Files that no version needs any more are removed at
once, those of a killed publication too: what is erased from the extracts is to be gone from the files.

Rows come by a server-side cursor in batches of bounded size. Types are the registry's columns', and are never inferred:
times are in UTC, numeric with a scale is decimal; numeric without one is double precision, as in `read_extract`, since
no decimal holds every number of it. deltalake and PyArrow are imported when something is published, and not before.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from psycopg import sql
from psycopg.rows import class_row

from yumai_pipelines.extracts.arrow import read_chunks, schema_of
from yumai_pipelines.model.registry import EXTRACTS
from yumai_pipelines.postgres.errors import DatabaseError
from yumai_pipelines.postgres.locks import AdvisoryLock, advisory_lock
from yumai_pipelines.postgres.sql_files import read_sql
from yumai_pipelines.postgres.transactions import STEP_EVENT
from yumai_pipelines.schema import snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    import pyarrow as pa
    from deltalake import DeltaTable

    from yumai_pipelines.model.entries import Extract
    from yumai_pipelines.model.lock_policy import LockPolicy
    from yumai_pipelines.postgres.connections import Connection

BATCH = 20_000
"""Number of rows that are fetched at a time."""


class PublicationError(DatabaseError):
    """The place of the published extracts cannot be used. What was published before is as it was."""


class Build(NamedTuple):
    """A month of an extract in the database.

    Attributes:
        month: its first day.
        build: when it was built, in microseconds since 1970; it tells one build from another.
        number: the rows that it has now: an erasure takes some out without a build.
        passed: whether it passed its checks.
    """

    month: date
    build: int
    number: int
    passed: bool


class Late(NamedTuple):
    """A month of an extract that is not published as it is in the database.

    Attributes:
        extract: the extract.
        build: the month.
        published: whether an older state of it is published.
    """

    extract: Extract
    build: Build
    published: bool


def late_months(connection: Connection, url: str) -> list[Late]:
    """The months of all extracts that are not published as they are in the database.

    Raises:
        PublicationError: the place cannot be read.
    """
    with _explained(url):
        return [
            late for extract in EXTRACTS for late in _late(_builds(connection, extract), extract, _found(url, extract))
        ]


def publish(connection: Connection, url: str, policy: LockPolicy, *, erasing: bool = False) -> list[Late]:
    """Publish the months that are not published as they are in the database, and remove files of older versions.

    Only months that passed their checks are published, and stay until they have again.

    Args:
        connection: in autocommit mode, as the owner of the extracts.
        url: directory or URL, below which each extract has a Delta table of its name.
        policy: how long to wait for another publication.
        erasing: replace what is published of a month also if the month has not passed its checks, so that nobody who
            was erased stays in the files.

    Returns:
        The months that were published.

    Raises:
        PublicationError: the place cannot be used; months before are published.
        LockNotObtainedError: another publication, or an erasure, went on for as long as the policy's patience.
    """
    done = []
    with advisory_lock(connection, AdvisoryLock.PUBLICATION, policy), _explained(url):
        for extract in EXTRACTS:
            builds = _builds(connection, extract)
            table = _found(url, extract)
            for late in _late(builds, extract, table):
                if not (late.build.passed or (erasing and late.published)):
                    continue
                table = table or _make(url, extract)
                _replace(connection, table, extract, late.build.month)
                done.append(late)
            if table is not None:
                _remove_old_files(table)
    return done


def published_schema(extract: Extract) -> pa.Schema:
    """The columns of a published extract, by those of the registry."""
    return schema_of(extract.relation, "UTC", decimals=True)


def _builds(connection: Connection, extract: Extract) -> list[Build]:
    statement = sql.SQL(read_sql("extracts", "list_builds.sql")).format(extract=extract.relation.identifier)
    with connection.cursor(row_factory=class_row(Build)) as cursor:
        return cursor.execute(statement, {"extract": extract.relation.name}).fetchall()


def _late(builds: list[Build], extract: Extract, table: DeltaTable | None) -> Iterator[Late]:
    for build in builds:
        known = [table and table.transaction_version(name) for name in _marks(build.month)]
        if known != [build.build, build.number]:
            yield Late(extract, build, known[0] is not None)


def _marks(month: date) -> tuple[str, str]:
    """The names of the transactions by which a table says which build of a month it holds, and how many rows."""
    return f"build of {month:%Y-%m}", f"rows of {month:%Y-%m}"


def _place(url: str, extract: Extract) -> str:
    return f"{url.rstrip('/')}/{extract.relation.name}"


def _options() -> dict[str, str]:
    """What deltalake does not take from the variables by which fsspec finds an object store."""
    return {"allow_http": "true"} if os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://") else {}


def _found(url: str, extract: Extract) -> DeltaTable | None:
    """The table of an extract, if there is one."""
    from deltalake import DeltaTable

    place = _place(url, extract)
    if not DeltaTable.is_deltatable(place, storage_options=_options()):
        return None
    return DeltaTable(place, storage_options=_options())


def _make(url: str, extract: Extract) -> DeltaTable:
    """Make the table of an extract. Its log has no smallest and largest pseudonyms: they would outlive an erasure."""
    from deltalake import DeltaTable

    schema = published_schema(extract)
    shown = ",".join(name for name in schema.names if name not in {extract.user_key, "month"})
    return DeltaTable.create(
        _place(url, extract),
        schema=schema,
        mode="ignore",
        partition_by=["month"],
        description=snapshot.comment(extract.relation),
        configuration={"delta.dataSkippingStatsColumns": shown},
        storage_options=_options(),
    )


def _replace(connection: Connection, table: DeltaTable, extract: Extract, month: date) -> None:
    """Replace a month by what the database has of it, in one snapshot, as one commit."""
    import pyarrow as pa
    from deltalake import CommitProperties, Transaction, write_deltalake

    schema = published_schema(extract)
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        (build,) = [each for each in _builds(connection, extract) if each.month == month]
        marks = zip(_marks(month), (build.build, build.number), strict=True)
        chunks = read_chunks(connection, extract, [month], schema, decimals=True, size=BATCH)
        sys.audit(STEP_EVENT, f"publish {extract.relation.name} of {month:%Y-%m}")
        write_deltalake(
            table,
            pa.RecordBatchReader.from_batches(schema, (batch for chunk in chunks for batch in chunk.to_batches())),
            mode="overwrite",
            predicate=f"month = '{month}'",
            commit_properties=CommitProperties(
                custom_metadata={"month": f"{month:%Y-%m}"},
                app_transactions=[Transaction(name, number) for name, number in marks],
            ),
        )
        sys.audit(STEP_EVENT, f"published {extract.relation.name} of {month:%Y-%m}")


def _remove_old_files(table: DeltaTable) -> None:
    """Remove all files that the table's present version does not need. Nobody else writes: the lock is held."""
    unneeded: dict[str, Any] = {"retention_hours": 0, "enforce_retention_duration": False, "full": True}
    table.update_incremental()
    if table.vacuum(**unneeded, dry_run=True):
        table.vacuum(**unneeded, dry_run=False)


@contextmanager
def _explained(url: str) -> Iterator[None]:
    """Turn an error of the store, or of a missing package, into a message for people."""
    try:
        from deltalake.exceptions import DeltaError
    except ImportError as error:
        raise PublicationError(
            f"YUMAI_EXTRACTS_URL is set, and {error.name} is not installed: pip install 'yumai-pipelines[delta]'"
        ) from error
    try:
        yield
    except (DeltaError, OSError) as error:
        raise PublicationError(
            f"The extracts cannot be published to {url}: {error}. What was published is as it was. YUMAI_EXTRACTS_URL "
            "says where it is; put that right, and run again."
        ) from error
