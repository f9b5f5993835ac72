"""Publishes the extracts as Delta tables, one for each, partitioned by month, for readers beside the database.

A month is replaced as a whole by one commit of its table. The commit says which build it holds, and how many rows, as
transactions of the Delta protocol, which outlive the log's own history. So a publication that was killed is finished by
the next one, and one of months that are published does nothing. Files that no version needs any more are removed at
once, those of a killed publication too: what is erased from the extracts is to be gone from the files.

A table belongs to one database, which it names, and to nobody else: one that others made, and files of others among its
own, are refused before anything is written or removed. Where others have changed it, all its months are published anew.

Rows come by a server-side cursor in batches of bounded size. Types are the registry's columns', and are never inferred:
times are in UTC, numeric with a scale is decimal; numeric without one is double precision, as in `read_extract`, since
no decimal holds every number of it. deltalake and PyArrow are imported when something is published, and not before.
"""

from __future__ import annotations

import os
import re
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from psycopg import sql
from psycopg.rows import class_row

from yumai_pipelines.extracts.arrow import read_chunks, schema_of
from yumai_pipelines.model.registry import EXTRACTS
from yumai_pipelines.postgres.errors import DatabaseError
from yumai_pipelines.postgres.identity import identify
from yumai_pipelines.postgres.locks import AdvisoryLock, advisory_lock
from yumai_pipelines.postgres.sql_files import read_sql
from yumai_pipelines.postgres.transactions import STEP_EVENT
from yumai_pipelines.schema import snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    import pyarrow as pa
    from deltalake import DeltaTable, Transaction

    from yumai_pipelines.model.entries import Extract
    from yumai_pipelines.model.lock_policy import LockPolicy
    from yumai_pipelines.postgres.connections import Connection

BATCH = 20_000
"""Number of rows that are fetched at a time."""

OF_DATABASE = "yumai.database"
"""The property of a table that names the database whose extract it is."""

LEFT = "version"
"""The transaction by which a table says which version of it was the last that was published."""

_OWN_FILE = re.compile(r"month=\d{4}-\d\d-\d\d/part-[^/]+\.parquet")
_SHOWN_FILES = 3

_UNUSABLE = re.compile(r"[%\\\[\]\x00-\x1f]")
"""What deltalake takes for something else in the name of a directory."""

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class PublicationError(DatabaseError):
    """The place of the published extracts cannot be used. What was published before is as it was."""


class Build(NamedTuple):
    """A month of an extract in the database.

    Attributes:
        month: its first day.
        build: when it was built, in microseconds since 1970; it tells one build from another.
        number: the rows that it has now: an erasure takes some out without a build.
        passed: whether it passed its checks.
        erasure: the number of the last erasure in the database.
    """

    month: date
    build: int
    number: int
    passed: bool
    erasure: int

    @property
    def marks(self) -> dict[str, int]:
        """The transactions by which a table says what it holds of a month."""
        names = [f"{what} of {self.month:%Y-%m}" for what in ("build", "rows", "erasures")]
        return dict(zip(names, (self.build, self.number, self.erasure), strict=True))


class Late(NamedTuple):
    """A month of an extract that is not published as it is in the database.

    Attributes:
        extract: the extract.
        build: the month.
        published: whether an older state of it is published.
        erased: whether somebody was erased since then.
    """

    extract: Extract
    build: Build
    published: bool
    erased: bool


def late_months(connection: Connection, url: str) -> list[Late]:
    """The months of all extracts that are not published as they are in the database.

    Raises:
        PublicationError: the place cannot be read.
    """
    late: list[Late] = []
    with _explained(url):
        for extract in EXTRACTS:
            table = _found(connection, url, extract)
            as_left = table is not None and _is_as_left(table)
            late += _late(_builds(connection, extract), extract, table, as_left=as_left)
    return late


def publish(connection: Connection, url: str, policy: LockPolicy) -> list[Late]:
    """Publish the months that are not published as they are in the database, and remove files of older versions.

    Only months that passed their checks are published, and those of which an older state is published since before
    somebody was erased, so that nobody who was erased stays in the files.

    Args:
        connection: in autocommit mode, as the owner of the extracts.
        url: directory or URL, below which each extract has a Delta table of its name.
        policy: how long to wait for another publication.

    Returns:
        The months that were published.

    Raises:
        PublicationError: the place cannot be used, or has tables or files of others; months before are published.
        LockNotObtainedError: another publication, or an erasure, went on for as long as the policy's patience.
    """
    done = []
    with advisory_lock(connection, AdvisoryLock.PUBLICATION, policy), _explained(url):
        for extract in EXTRACTS:
            builds = _builds(connection, extract)
            table = _found(connection, url, extract)
            as_left = table is not None and _is_as_left(table)
            late = [each for each in _late(builds, extract, table, as_left=as_left) if each.build.passed or each.erased]
            if table is None:
                if not late:
                    continue
                table, as_left = _make(connection, url, extract), True
            _unneeded(table)
            if not as_left:
                table = _make(connection, url, extract, replaced=(table, builds))
            for each in late:
                _replace(connection, table, extract, each.build.month)
            done += late
            _remove_old_files(table)
    return done


def published_schema(extract: Extract) -> pa.Schema:
    """The columns of a published extract, by those of the registry."""
    return schema_of(extract.relation, "UTC", decimals=True)


def _builds(connection: Connection, extract: Extract) -> list[Build]:
    statement = sql.SQL(read_sql("extracts", "list_builds.sql")).format(extract=extract.relation.identifier)
    with connection.cursor(row_factory=class_row(Build)) as cursor:
        return cursor.execute(statement, {"extract": extract.relation.name}).fetchall()


def _late(builds: list[Build], extract: Extract, table: DeltaTable | None, *, as_left: bool) -> Iterator[Late]:
    for each in builds:
        build, number, erasure = [table and table.transaction_version(name) for name in each.marks]
        if not as_left or (build, number) != (each.build, each.number):
            yield Late(extract, each, bool(build), bool(build) and erasure != each.erasure)


def _is_as_left(table: DeltaTable) -> bool:
    """Whether a table holds what was published, and nobody else has changed it, or removed files of it, since."""
    if changes := table.version() - (table.transaction_version(LEFT) or 0):
        since = table.history(changes)
        if not all(each["operation"].startswith("VACUUM") for each in since):
            return False
    return not table.repair(dry_run=True)["files_removed"]


def _place(url: str, extract: Extract) -> str:
    if "://" not in url and _UNUSABLE.search(url):
        raise PublicationError(
            f"The extracts cannot be published to {url!r}: a directory of YUMAI_EXTRACTS_URL must have no percent "
            "sign, bracket, backslash or control character in its name."
        )
    return f"{url.rstrip('/')}/{extract.relation.name}"


def _options() -> dict[str, str]:
    """What deltalake does not take from the variables by which fsspec finds an object store."""
    return {"allow_http": "true"} if os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://") else {}


def _found(connection: Connection, url: str, extract: Extract) -> DeltaTable | None:
    """The table of an extract, if there is one.

    Raises:
        PublicationError: it is not this database's.
    """
    from deltalake import DeltaTable

    place = _place(url, extract)
    if not DeltaTable.is_deltatable(place, storage_options=_options()):
        return None
    table = DeltaTable(place, storage_options=_options())
    owner, own = table.metadata().configuration.get(OF_DATABASE), str(identify(connection))
    if owner != own:
        whose = f"an extract of the database {owner}" if owner else "a Delta table that somebody else made"
        raise PublicationError(
            f"{place} is {whose}, and YUMAI_DATABASE_URL names {own}. Nothing was changed there. Let "
            "YUMAI_EXTRACTS_URL name a place of this database alone; or, if that table is this database's of before it "
            f"was renamed or moved, remove {place}: all of it is published anew."
        )
    return table


def _make(
    connection: Connection, url: str, extract: Extract, replaced: tuple[DeltaTable, list[Build]] | None = None
) -> DeltaTable:
    """Make the table of an extract. Its log has no smallest and largest pseudonyms: they would outlive an erasure.

    Args:
        connection: to its database.
        url: as of `publish`.
        extract: the extract.
        replaced: a table that others have changed, which is emptied, and the months that it holds no longer.
    """
    from deltalake import CommitProperties, DeltaTable

    schema = published_schema(extract)
    shown = ",".join(name for name in schema.names if name not in {extract.user_key, "month"})
    marks = {}
    if replaced is not None:
        before, builds = replaced
        marks = {name: 0 for build in builds for name in build.marks} | {LEFT: before.version() + 1}
    return DeltaTable.create(
        _place(url, extract),
        schema=schema,
        mode="ignore" if replaced is None else "overwrite",
        partition_by=["month"],
        description=snapshot.comment(extract.relation),
        configuration={"delta.dataSkippingStatsColumns": shown, OF_DATABASE: str(identify(connection))},
        raise_if_key_not_exists=False,
        storage_options=_options(),
        commit_properties=CommitProperties(app_transactions=_transactions(marks)),
    )


def _transactions(marks: dict[str, int]) -> list[Transaction]:
    from deltalake import Transaction

    return [Transaction(name, number) for name, number in marks.items()]


def _replace(connection: Connection, table: DeltaTable, extract: Extract, month: date) -> None:
    """Replace a month by what the database has of it, in one snapshot, as one commit."""
    import pyarrow as pa
    from deltalake import CommitProperties, write_deltalake

    schema = published_schema(extract)
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        (build,) = [each for each in _builds(connection, extract) if each.month == month]
        chunks = read_chunks(connection, extract, [month], schema, decimals=True, size=BATCH)
        sys.audit(STEP_EVENT, f"publish {extract.relation.name} of {month:%Y-%m}")
        write_deltalake(
            table,
            pa.RecordBatchReader.from_batches(schema, (batch for chunk in chunks for batch in chunk.to_batches())),
            mode="overwrite",
            predicate=f"month = '{month}'",
            commit_properties=CommitProperties(
                custom_metadata={"month": f"{month:%Y-%m}"},
                app_transactions=_transactions(build.marks | {LEFT: table.version() + 1}),
            ),
        )
        sys.audit(STEP_EVENT, f"published {extract.relation.name} of {month:%Y-%m}")


_ALL: dict[str, Any] = {"retention_hours": 0, "enforce_retention_duration": False, "full": True}


def _unneeded(table: DeltaTable) -> list[str]:
    """List the files that the table's present version does not need.

    Raises:
        PublicationError: some of them are not of a publication, and would be removed with the others.
    """
    files = table.vacuum(**_ALL, dry_run=True)
    if others := sorted(file for file in files if not _OWN_FILE.fullmatch(file)):
        shown = ", ".join(others[:_SHOWN_FILES]) + (" …" if len(others) > _SHOWN_FILES else "")
        raise PublicationError(
            f"{table.table_uri} has files that are not of its Delta table: {shown}. Nothing was removed. Move them "
            "elsewhere, since files of older versions can be removed only where no others are, and run again."
        )
    return files


def _remove_old_files(table: DeltaTable) -> None:
    """Remove all files that the table's present version does not need. Nobody else writes: the lock is held."""
    table.update_incremental()
    if _unneeded(table):
        table.vacuum(**_ALL, dry_run=False)


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
        said = " ".join(_COLOURS.sub("", str(error)).split())
        raise PublicationError(
            f"The extracts cannot be published to {url}: {said}. What was published of months that were not reached is "
            "as it was. YUMAI_EXTRACTS_URL says where it is; put that right, and run again."
        ) from error
