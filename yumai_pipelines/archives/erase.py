"""A person's rows leave the archived months: a file that has some is written anew without them, and then removed.

Rows in tables are erased elsewhere (`erasure`); detached months lose theirs by their foreign keys.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from yumai_pipelines.archives import ledger
from yumai_pipelines.archives.archive import ARCHIVE_LOCK
from yumai_pipelines.archives.checksum import summarize_batches
from yumai_pipelines.archives.files import BATCH_ROWS, read_file, summarize_file, write_batches
from yumai_pipelines.archives.store import ArchiveError, exists, reading, remove, size_of
from yumai_pipelines.online_ddl import STEP_EVENT, advisory_lock

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow.parquet as pq

    from yumai_pipelines.archives.columns import Column
    from yumai_pipelines.archives.store import Store
    from yumai_pipelines.archives.summary import Summary
    from yumai_pipelines.online_ddl import Connection, LockPolicy


def erase_user_from_archives(
    connection: Connection, user_id: int, *, store: Store, policy: LockPolicy
) -> dict[str, int]:
    """Take a person's rows out of every archived month: those that name them, and the others of the same sessions.

    Every file of the store is looked into, also one that a later archive of its month has replaced. Killed anywhere,
    run it again: an old file goes only when the new one is proven and recorded.

    Args:
        connection: in autocommit mode, as the owner of the ledger.
        user_id: whose rows.
        store: where archives are kept.
        policy: how long to wait for a run that archives or restores.

    Returns:
        The rows that were erased, by month; none for a month without any.

    Raises:
        ArchiveError: a file cannot be read or written, or does not hold what it should.
        LockNotObtainedError: another run went on for as long as the policy's patience.
    """
    erased: Counter[str] = Counter()
    with advisory_lock(connection, ARCHIVE_LOCK, policy):
        recorded = {archive.uri for archive in ledger.read(connection).values() if archive.uri}
        for uri in sorted(recorded | set(store.files("conversations/*/*.parquet"))):
            erased[uri.split("/")[-2]] += _rewrite(connection, store, uri, user_id)
    return {month: rows for month, rows in sorted(erased.items()) if rows}


def _rewrite(connection: Connection, store: Store, uri: str, user_id: int) -> int:
    """Write a file anew without the person's rows; returns how many it had."""

    def rewrite(file: pq.ParquetFile, columns: tuple[Column, ...]) -> int:
        sessions = _sessions(file, user_id)
        if not len(sessions):
            return 0
        kept = summarize_batches(_others(file, user_id, sessions), columns)
        stem = f"{'/'.join(uri.split('/')[-3:-1])}/{kept.checksum[:16]}"
        sys.audit(STEP_EVENT, f"rewrite {uri}")
        with store.writing(f"{stem}.parquet") as target:
            write_batches(_others(file, user_id, sessions), file.schema_arrow, target)
        _replace(connection, store, uri, stem, kept)
        return int(file.metadata.num_rows - kept.rows)

    return read_file(uri, rewrite)


def _sessions(file: pq.ParquetFile, user_id: int) -> pa.Array:
    """The sessions of the rows that name the person."""
    found: set[str] = set()
    for batch in file.iter_batches(BATCH_ROWS, columns=["user_id", "session_id"]):
        found.update(batch.filter(pc.equal(batch["user_id"], user_id))["session_id"].to_pylist())
    return pa.array(sorted(found), pa.string())


def _others(file: pq.ParquetFile, user_id: int, sessions: pa.Array) -> Iterator[pa.RecordBatch]:
    """The rows of everybody else."""
    for batch in file.iter_batches(BATCH_ROWS):
        theirs = pc.or_(
            pc.fill_null(pc.equal(batch["user_id"], user_id), False), pc.is_in(batch["session_id"], sessions)
        )
        yield batch.filter(pc.invert(theirs))


def _replace(connection: Connection, store: Store, old: str, stem: str, kept: Summary) -> None:
    """Prove the new file, record it where the old one was recorded, and remove that."""
    new = store.uri(f"{stem}.parquet")
    found, _ = summarize_file(new)
    if found != kept:
        raise ArchiveError(
            f"{new} does not hold what was written: {found} instead of {kept}. {old} is kept. Run again."
        )
    old_manifest = f"{old.removesuffix('.parquet')}.json"
    manifest = {}
    if exists(old_manifest):  # else a killed run has left the file
        with reading(old_manifest) as file:
            manifest = json.load(file)
    with store.writing(f"{stem}.json") as file:
        manifest |= {"summary": asdict(kept), "bytes": size_of(new)}
        text = json.dumps(manifest, default=datetime.isoformat, ensure_ascii=False, indent=2)
        file.write(f"{text}\n".encode())
    sys.audit(STEP_EVENT, f"record {new}")
    ledger.record_rewrite(connection, old, kept, new, size_of(new))
    sys.audit(STEP_EVENT, f"remove {old}")
    remove(old)
    if exists(old_manifest):
        remove(old_manifest)
