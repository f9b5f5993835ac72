"""A store of files, the archives or the reports: a directory, or any place that fsspec has a URL for.

A file gets its name when it is complete. On a local disk, the file and its directory are synced, and their owner alone
may read them, unless the store is shared.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from yumai_pipelines.local import files
from yumai_pipelines.postgres.errors import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsspec import AbstractFileSystem

PARTIAL = ".partial"

BROKEN = (
    "Nothing was changed. If the store can be reached, bring the file back from a copy, or correct its uri in "
    "yumai_pipelines.archives. If this is the only copy, the rows in it that cannot be read are lost."
)
_WRITE = "No row was lost. YUMAI_ARCHIVE_URL or YUMAI_REPORT_URL says where it is; put that right, and run again."


class ArchiveError(DatabaseError):
    """A store cannot be used, or a month not be archived or restored. Its rows are in a table or a file, as before."""


@dataclass(frozen=True)
class Store:
    """A directory of archives.

    Attributes:
        filesystem: the file system of the directory.
        root: its path in the file system.
        shared: whether others than the owner may read the files on a local disk.
    """

    filesystem: AbstractFileSystem
    root: str
    shared: bool = False

    @classmethod
    def at(cls, url: str, *, shared: bool = False) -> Self:
        """The store at a path or a URL. Nothing is created or looked up yet.

        Raises:
            ArchiveError: fsspec does not know such URLs, or lacks the package for them.
        """
        try:
            filesystem, root = url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise ArchiveError(
                f"Nothing can be kept at {url} (YUMAI_ARCHIVE_URL or YUMAI_REPORT_URL): {error}"
            ) from error
        return cls(filesystem, root, shared)

    @property
    def local(self) -> bool:
        """Whether it is a directory of this machine."""
        return isinstance(self.filesystem, LocalFileSystem)

    def uri(self, name: str) -> str:
        """The URL of a file of the store."""
        return str(self.filesystem.unstrip_protocol(self._path(name)))

    @contextmanager
    def writing(self, name: str) -> Iterator[IO[bytes]]:
        """Open a new file, which gets its name when it is complete; an older file of that name is replaced."""
        path = self._path(name)
        with explained(self.uri(name), "cannot be written", _WRITE):
            self._prepare(path)
            with self.filesystem.open(path + PARTIAL, "wb") as file:
                if self.shared and self.local:
                    os.fchmod(file.fileno(), 0o644)
                yield file
                self._sync(file)
            self.filesystem.mv(path + PARTIAL, path)
            self._sync_directory(path)

    def files(self, pattern: str) -> list[str]:
        """The URLs of the files whose names match a glob pattern."""
        with explained(self.uri(pattern), "cannot be listed", _WRITE):
            return [str(self.filesystem.unstrip_protocol(path)) for path in self.filesystem.glob(self._path(pattern))]

    def try_out(self, directory: str) -> None:
        """Write a small file into a directory, and remove it.

        Raises:
            ArchiveError: that is not possible; it says why.
        """
        name = f"{directory}/writable{PARTIAL}"
        with self.writing(name) as file:
            file.write(b"This directory can be written to.")
        with explained(self.uri(name), "cannot be removed", _WRITE):
            self.filesystem.rm_file(self._path(name))

    def remove_partial(self, directory: str) -> None:
        """Remove the unfinished files that killed runs have left in a directory."""
        with explained(self.uri(directory), "cannot be tidied", _WRITE):
            for path in self.filesystem.glob(f"{self._path(directory)}/*{PARTIAL}"):
                self.filesystem.rm_file(path)

    def _path(self, name: str) -> str:
        return f"{self.root}/{name}"

    def _prepare(self, path: str) -> None:
        """Make the directory of a file. On a local disk, nobody but the owner may read the file."""
        if self.local:
            files.make_directory(Path(path).parent)
            files.replace(Path(path + PARTIAL))
        else:
            self.filesystem.makedirs(path.rpartition("/")[0], exist_ok=True)

    def _sync(self, file: IO[bytes]) -> None:
        if self.local:
            file.flush()
            os.fsync(file.fileno())

    def _sync_directory(self, path: str) -> None:
        if self.local:
            descriptor = os.open(Path(path).parent, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


@contextmanager
def reading(uri: str) -> Iterator[IO[bytes]]:
    """Open a file of any store by its URL."""
    with explained(uri, "cannot be read, or is damaged", BROKEN):
        filesystem, path = url_to_fs(uri)
        with filesystem.open(path, "rb") as file:
            yield file


def size_of(uri: str) -> int:
    """The size of a file of any store, in bytes, by its URL."""
    with explained(uri, "cannot be read", BROKEN):
        filesystem, path = url_to_fs(uri)
        return int(filesystem.size(path))


def exists(uri: str) -> bool:
    """Whether a file of any store exists, by its URL."""
    with explained(uri, "cannot be looked for", _WRITE):
        filesystem, path = url_to_fs(uri)
        return bool(filesystem.exists(path))


def remove(uri: str) -> None:
    """Remove a file of any store by its URL."""
    with explained(uri, "cannot be removed", _WRITE):
        filesystem, path = url_to_fs(uri)
        filesystem.rm_file(path)


@contextmanager
def explained(uri: str, trouble: str, what_to_do: str) -> Iterator[None]:
    """Turn an error of the store into a message for people.

    Args:
        uri: the file or the directory.
        trouble: what cannot be done with it.
        what_to_do: sentences that follow.

    Raises:
        ArchiveError: names the file, and the error of the operating system or the service.
    """
    try:
        yield
    except OSError as error:
        raise ArchiveError(f"{uri} {trouble}: {error}. {what_to_do}") from error
