"""Reads the files of archived months again, in turn, and says which are missing, damaged, or not what was written.

A file is read as a whole, and the checksum of its rows and the hash of its bytes are computed anew, as when it was
written: a size says nothing of a flipped bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from yumai_pipelines.archives.files import hash_file, read_manifest, summarize_file
from yumai_pipelines.archives.store import ArchiveError, size_of
from yumai_pipelines.partitions import archived

if TYPE_CHECKING:
    from yumai_pipelines.model.months import Month
    from yumai_pipelines.postgres.connections import Connection

BYTES_AT_ONCE = 1 << 30
"""Bytes of sound files after which one reading ends: some minutes a day, and every file of a large archive in turn."""


@dataclass(frozen=True)
class Reading:
    """The result of reading files.

    Attributes:
        months: the months whose files were read, the one read longest ago first.
        bytes: size of these files.
        faults: what is wrong, by month.
        left: number of files that are due in a later reading.
    """

    months: tuple[Month, ...]
    bytes: int
    faults: dict[Month, str]
    left: int


def read_files(connection: Connection, *, at_most: int = BYTES_AT_ONCE) -> Reading:
    """Read files of archived months, those first that were read longest ago, and note those that are sound.

    At least one is read. A file with a fault counts as never read, so that each reading names it again.

    Args:
        connection: in autocommit mode, as the owner of the ledger.
        at_most: bytes of sound files after which no further one is read.
    """
    due = [(month, archive) for month, archive in archived.read(connection).items() if archive.state == "archived"]
    due.sort(key=lambda each: (each[1].read_at is not None, each[1].read_at, each[0]))
    months: list[Month] = []
    faults: dict[Month, str] = {}
    size = sound = 0
    for month, archive in due:
        if sound >= at_most:
            break
        months.append(month)
        size += archive.bytes or 0
        if fault := fault_of(archive):
            # A person's rows may have been taken out of the file meanwhile, or the month been brought back.
            if archived.read(connection).get(month) == archive:
                faults[month] = fault
                archived.record_reading(connection, month, archive.uri, is_sound=False)
            continue
        sound += archive.bytes or 0
        archived.record_reading(connection, month, archive.uri, is_sound=True)
    return Reading(tuple(months), size, faults, len(due) - len(months))


def fault_of(archive: archived.Archive) -> str:
    """What is wrong with the file of an archived month; empty when nothing is.

    Raises:
        ValueError: the month has no file.
    """
    if archive.uri is None:
        raise ValueError(f"{archive.month} has no file")
    try:
        size = size_of(archive.uri)
        if size != archive.bytes:
            return f"{archive.uri} has {size:,} bytes instead of {archive.bytes:,}"
        found, columns = summarize_file(archive.uri)
        named_columns, named_hash = read_manifest(archive.uri)
        found_hash = hash_file(archive.uri)
    except ArchiveError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return f"{archive.uri}, or the manifest beside it, is not there"
        return str(error)
    if found != archive.summary:
        return f"{archive.uri} is damaged: it holds {found}; written were {archive.summary}"
    if columns != named_columns:
        return f"{archive.uri} is damaged: its columns are not those that the manifest beside it names"
    if named_hash not in (None, found_hash):
        return f"{archive.uri} is damaged: its SHA-256 is {found_hash}, and {named_hash} in the manifest beside it"
    return ""
