"""Removes a person's rows from the archived months: a file that has some is rewritten without them, then removed.

The old files are removed only when all new ones are recorded, since the file of one month may be needed to find the
person's sessions in another. `erasure.erase` erases the rows in tables, and holds the lock of the archives meanwhile.
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
from yumai_pipelines.archives.files import BATCH_ROWS, read_file, refuse_other_bytes, summarize_file, write_batches
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
"""A list in the store of old files that are to be removed, so that the run after a killed one removes the rest."""


@dataclass(frozen=True)
class Rewritten:
    """The result of rewriting files.

    Attributes:
        rows: number of rows that the new files leave out, by month.
        replaced: URLs of the old files, which still exist.
    """

    rows: dict[str, int]
    replaced: tuple[str, ...]


def rewrite_archives(connection: Connection, store: Store, user_id: int, sessions: Iterable[str]) -> Rewritten:
    """Rewrite each file that has rows of a person: rows that name the person, and other rows of the same sessions.

    Every file of the store is searched, including those that a later archive of their month has replaced. What a killed
    run has left behind is removed first.

    Args:
        connection: in autocommit mode, as the owner of the ledger, with the lock of the archives.
        store: where archives are kept.
        user_id: id of the person.
        sessions: the person's sessions that the database knows.

    Raises:
        ArchiveError: a file cannot be read or written, or does not hold what it should. The old files still exist.
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
    """Remove the old files. If the process is killed meanwhile, `remove_listed` removes the rest in the next run."""
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
    """The sessions of those rows of a file that name the person."""

    def find(file: pq.ParquetFile, _: tuple[Column, ...]) -> set[str]:
        found: set[str] = set()
        for batch in file.iter_batches(BATCH_ROWS, columns=["user_id", "session_id"]):
            found.update(batch.filter(pc.equal(batch["user_id"], user_id))["session_id"].to_pylist())
        return found

    return read_file(uri, find)


def _rewrite(connection: Connection, store: Store, uri: str, user_id: int, sessions: pa.Array) -> int:
    """Rewrite a file without the person's rows, if it has any; return their number."""

    def rewrite(file: pq.ParquetFile, columns: tuple[Column, ...]) -> int:
        named = file.iter_batches(BATCH_ROWS, columns=["user_id", "session_id"])
        gone = sum(pc.sum(_theirs(batch, user_id, sessions)).as_py() or 0 for batch in named)
        if gone:
            kept = summarize_batches(_others(file, user_id, sessions), columns)
            stem = f"{'/'.join(uri.split('/')[-3:-1])}/{kept.checksum[:16]}"
            sys.audit(STEP_EVENT, f"rewrite {uri}")
            with store.writing(f"{stem}.parquet") as target:
                written = write_batches(_others(file, user_id, sessions), file.schema_arrow, target)
            _record(connection, store, uri, stem, kept, written)
        return int(gone)

    return read_file(uri, rewrite)


def _others(file: pq.ParquetFile, user_id: int, sessions: pa.Array) -> Iterator[pa.RecordBatch]:
    """The rows of a file that are not the person's."""
    for batch in file.iter_batches(BATCH_ROWS):
        yield batch.filter(pc.invert(_theirs(batch, user_id, sessions)))


def _theirs(batch: pa.RecordBatch, user_id: int, sessions: pa.Array) -> pa.BooleanArray:
    """For each row of a batch, whether it is the person's."""
    named = pc.fill_null(pc.equal(batch["user_id"], user_id), False)
    return pc.or_(named, pc.is_in(batch["session_id"], sessions))


def _record(connection: Connection, store: Store, old: str, stem: str, kept: Summary, written: str) -> None:
    """Check the new file, and record it in the place of the old one."""
    new = store.uri(f"{stem}.parquet")
    found, _ = summarize_file(new)
    if found != kept:
        raise ArchiveError(
            f"{new} does not hold what was written: {found} instead of {kept}. {old} is kept. Run again."
        )
    refuse_other_bytes(new, written)
    old_manifest = _manifest_of(old)
    manifest = {}
    if exists(old_manifest):  # a file that a killed run has left may have none
        with reading(old_manifest) as file:
            manifest = json.load(file)
    with store.writing(f"{stem}.json") as file:
        manifest |= {"summary": asdict(kept), "bytes": size_of(new), "sha256": written}
        text = json.dumps(manifest, default=datetime.isoformat, ensure_ascii=False, indent=2)
        file.write(f"{text}\n".encode())
    sys.audit(STEP_EVENT, f"record {new}")
    archived.record_rewrite(connection, old, kept, new, size_of(new))


def _manifest_of(uri: str) -> str:
    return f"{uri.removesuffix('.parquet')}.json"
