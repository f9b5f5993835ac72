"""A person's rows leave the archived months: a file that has some is written anew without them, and then removed.

The old files go when all new ones are recorded: a session may be known by a file of another month. Rows in tables are
erased by `erasure`, which holds the lock of the archives meanwhile.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from yumai_pipelines.archives.checksum import summarize_batches
from yumai_pipelines.archives.files import BATCH_ROWS, read_file, summarize_file, write_batches
from yumai_pipelines.archives.store import ArchiveError, exists, reading, remove, size_of
from yumai_pipelines.partitions import archived
from yumai_pipelines.postgres.transactions import STEP_EVENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pyarrow.parquet as pq

    from yumai_pipelines.archives.columns import Column
    from yumai_pipelines.archives.store import Store
    from yumai_pipelines.partitions.summary import Summary
    from yumai_pipelines.postgres.connections import Connection


REPLACED = "replaced-files.json"
"""In the store while old files are being removed: their URLs, so that the run after a killed one removes the others."""


@dataclass(frozen=True)
class Rewritten:
    """Files that were written anew.

    Attributes:
        rows: that are not in the new ones, by month.
        replaced: the URLs of the old ones, which are still there.
    """

    rows: dict[str, int]
    replaced: tuple[str, ...]


def rewrite_archives(connection: Connection, store: Store, user_id: int, sessions: Iterable[str]) -> Rewritten:
    """Write each file anew that has rows of a person: rows that name them, and the others of the same sessions.

    Every file of the store is looked into, also one that a later archive of its month has replaced. What a killed run
    has left is removed first.

    Args:
        connection: in autocommit mode, as the owner of the ledger, with the lock of the archives.
        store: where archives are kept.
        user_id: whose rows.
        sessions: of theirs, as far as the database knows.

    Raises:
        ArchiveError: a file cannot be read or written, or does not hold what it should. The old ones are there.
    """
    store.remove_partial("conversations/*")
    remove_listed(store)
    recorded = {archive.uri for archive in archived.read(connection).values() if archive.uri}
    uris = sorted(recorded | set(store.files("conversations/*/*.parquet")))
    known = pa.array(sorted(set(sessions).union(*(_sessions(uri, user_id) for uri in uris))), pa.string())
    rows: Counter[str] = Counter()
    replaced = []
    for uri in uris:
        if gone := _rewrite(connection, store, uri, user_id, known):
            rows[uri.split("/")[-2]] += gone
            replaced.append(uri)
    return Rewritten(dict(sorted(rows.items())), tuple(replaced))


def remove_replaced(store: Store, uris: Sequence[str]) -> None:
    """Remove the old files; killed in between, `remove_listed` goes on."""
    if uris:
        sys.audit(STEP_EVENT, "list the replaced files")
        with store.writing(REPLACED) as file:
            file.write(json.dumps(uris).encode())
        remove_listed(store)


def remove_listed(store: Store) -> None:
    """Remove the old files that are on the list, and then the list."""
    listed = store.uri(REPLACED)
    if not exists(listed):
        return
    with reading(listed) as file:
        uris = json.load(file)
    for uri in uris:
        for each in (uri, _manifest_of(uri)):
            sys.audit(STEP_EVENT, f"remove {each}")
            if exists(each):
                remove(each)
    sys.audit(STEP_EVENT, "remove the list of replaced files")
    remove(listed)


def _sessions(uri: str, user_id: int) -> set[str]:
    """The sessions of a file's rows that name the person."""

    def find(file: pq.ParquetFile, _: tuple[Column, ...]) -> set[str]:
        found: set[str] = set()
        for batch in file.iter_batches(BATCH_ROWS, columns=["user_id", "session_id"]):
            found.update(batch.filter(pc.equal(batch["user_id"], user_id))["session_id"].to_pylist())
        return found

    return read_file(uri, find)


def _rewrite(connection: Connection, store: Store, uri: str, user_id: int, sessions: pa.Array) -> int:
    """Write a file anew without the person's rows; returns how many it had."""

    def rewrite(file: pq.ParquetFile, columns: tuple[Column, ...]) -> int:
        named = file.iter_batches(BATCH_ROWS, columns=["user_id", "session_id"])
        gone = sum(pc.sum(_theirs(batch, user_id, sessions)).as_py() or 0 for batch in named)
        if gone:
            kept = summarize_batches(_others(file, user_id, sessions), columns)
            stem = f"{'/'.join(uri.split('/')[-3:-1])}/{kept.checksum[:16]}"
            sys.audit(STEP_EVENT, f"rewrite {uri}")
            with store.writing(f"{stem}.parquet") as target:
                write_batches(_others(file, user_id, sessions), file.schema_arrow, target)
            _record(connection, store, uri, stem, kept)
        return int(gone)

    return read_file(uri, rewrite)


def _others(file: pq.ParquetFile, user_id: int, sessions: pa.Array) -> Iterator[pa.RecordBatch]:
    """The rows of everybody else."""
    for batch in file.iter_batches(BATCH_ROWS):
        yield batch.filter(pc.invert(_theirs(batch, user_id, sessions)))


def _theirs(batch: pa.RecordBatch, user_id: int, sessions: pa.Array) -> pa.BooleanArray:
    """Which rows are the person's."""
    named = pc.fill_null(pc.equal(batch["user_id"], user_id), False)
    return pc.or_(named, pc.is_in(batch["session_id"], sessions))


def _record(connection: Connection, store: Store, old: str, stem: str, kept: Summary) -> None:
    """Prove the new file, and record it where the old one was recorded."""
    new = store.uri(f"{stem}.parquet")
    found, _ = summarize_file(new)
    if found != kept:
        raise ArchiveError(
            f"{new} does not hold what was written: {found} instead of {kept}. {old} is kept. Run again."
        )
    old_manifest = _manifest_of(old)
    manifest = {}
    if exists(old_manifest):  # else a killed run has left the file
        with reading(old_manifest) as file:
            manifest = json.load(file)
    with store.writing(f"{stem}.json") as file:
        manifest |= {"summary": asdict(kept), "bytes": size_of(new)}
        text = json.dumps(manifest, default=datetime.isoformat, ensure_ascii=False, indent=2)
        file.write(f"{text}\n".encode())
    sys.audit(STEP_EVENT, f"record {new}")
    archived.record_rewrite(connection, old, kept, new, size_of(new))


def _manifest_of(uri: str) -> str:
    return f"{uri.removesuffix('.parquet')}.json"
