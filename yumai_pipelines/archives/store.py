"""Where archives are kept: a directory, or whatever else fsspec has a URL for.

A file appears under its name whole, and on a disk it is there to stay before anybody is told so. What is in it stands
in `files`.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from yumai_pipelines.postgres.errors import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsspec import AbstractFileSystem

PARTIAL = ".partial"


class ArchiveError(DatabaseError):
    """A month cannot be archived or restored. Its rows are where they were: in a table, or in a file that is whole."""


@dataclass(frozen=True)
class Store:
    """A directory of archives.

    Attributes:
        filesystem: what it is on.
        root: its path there.
    """

    filesystem: AbstractFileSystem
    root: str

    @classmethod
    def at(cls, url: str) -> Self:
        """The store at a path or a URL; nothing is made or looked for yet.

        Raises:
            ArchiveError: fsspec does not know such URLs, or lacks the package for them.
        """
        try:
            return cls(*url_to_fs(url))
        except (ImportError, ValueError) as error:
            raise ArchiveError(f"Archives cannot be kept at {url} (YUMAI_ARCHIVE_URL): {error}") from error

    def uri(self, name: str) -> str:
        """The URL of a file."""
        return str(self.filesystem.unstrip_protocol(self._path(name)))

    @contextmanager
    def writing(self, name: str) -> Iterator[IO[bytes]]:
        """A new file, which has its name once it is whole; an older one of that name is replaced."""
        path = self._path(name)
        with explained(self.uri(name)):
            self.filesystem.makedirs(path.rpartition("/")[0], exist_ok=True)
            with self.filesystem.open(path + PARTIAL, "wb") as file:
                yield file
                self._sync(file)
            self.filesystem.mv(path + PARTIAL, path)
            self._sync_directory(path)

    def files(self, pattern: str) -> list[str]:
        """The URLs of the files whose names match."""
        with explained(self.uri(pattern)):
            return [str(self.filesystem.unstrip_protocol(path)) for path in self.filesystem.glob(self._path(pattern))]

    def remove_partial(self, directory: str) -> None:
        """Remove what a run that was killed has left unfinished in a directory."""
        with explained(self.uri(directory)):
            for path in self.filesystem.glob(f"{self._path(directory)}/*{PARTIAL}"):
                self.filesystem.rm_file(path)

    def _path(self, name: str) -> str:
        return f"{self.root}/{name}"

    def _sync(self, file: IO[bytes]) -> None:
        if isinstance(self.filesystem, LocalFileSystem):
            file.flush()
            os.fsync(file.fileno())

    def _sync_directory(self, path: str) -> None:
        if isinstance(self.filesystem, LocalFileSystem):
            descriptor = os.open(Path(path).parent, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


@contextmanager
def reading(uri: str) -> Iterator[IO[bytes]]:
    """A file of any store, by its URL."""
    with explained(uri):
        filesystem, path = url_to_fs(uri)
        with filesystem.open(path, "rb") as file:
            yield file


def size_of(uri: str) -> int:
    """The bytes of a file of any store, by its URL."""
    with explained(uri):
        filesystem, path = url_to_fs(uri)
        return int(filesystem.size(path))


def exists(uri: str) -> bool:
    """Whether a file of any store is there, by its URL."""
    with explained(uri):
        filesystem, path = url_to_fs(uri)
        return bool(filesystem.exists(path))


def remove(uri: str) -> None:
    """Remove a file of any store, by its URL."""
    with explained(uri):
        filesystem, path = url_to_fs(uri)
        filesystem.rm_file(path)


@contextmanager
def explained(uri: str) -> Iterator[None]:
    """A file that cannot be read or written becomes a message for people.

    Raises:
        ArchiveError: saying which file, and what the operating system or the service said.
    """
    try:
        yield
    except OSError as error:
        raise ArchiveError(
            f"{uri} cannot be read or written: {error}. No row was lost. YUMAI_ARCHIVE_URL says where archives are "
            "kept; put that right, and run again."
        ) from error
