"""Directories and files for their owner alone, whatever the umask: what people said is in them, or a password.

Another account may have put something under their names. A program that follows such a link reads or overwrites any
file of its account; as root, any file of the machine.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class PlantedFileError(OSError):
    """Something else is where a file should be. Nothing was read from it, or written to it."""


@contextmanager
def opened(path: Path, *, write: bool = False) -> Iterator[IO[str]]:
    """Open a file, which is made for its owner alone where it is missing and shall be written.

    Raises:
        PlantedFileError: it is a link, has another name elsewhere, or is no file.
        FileNotFoundError: it is missing, and shall be read.
    """
    # Without O_NONBLOCK, to open a named pipe would wait for its other end.
    flags = os.O_NOFOLLOW | os.O_NONBLOCK | (os.O_RDWR | os.O_CREAT if write else os.O_RDONLY)
    try:
        descriptor = os.open(path, flags, stat.S_IRUSR | stat.S_IWUSR)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENXIO, errno.EISDIR}:
            raise _planted(path) from error
        raise
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        os.close(descriptor)
        raise _planted(path)
    with os.fdopen(descriptor, "r+" if write else "r", errors="replace") as file:
        yield file


def read(path: Path) -> str:
    """Return the text of a file. Raises what `opened` raises."""
    with opened(path) as file:
        return file.read()


def write(path: Path, text: str) -> None:
    """Write the text of a file, instead of what it had. Raises what `opened` raises."""
    with opened(path, write=True) as file:
        file.truncate()
        file.write(text)


@contextmanager
def replaced(path: Path, text: str) -> Iterator[IO[str]]:
    """Put a new file with a text in the place of whatever is there; while it is open, it may be given away.

    Raises:
        FileExistsError: somebody put something there at the same moment.
    """
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, stat.S_IRUSR | stat.S_IWUSR)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        yield file


def replace(path: Path, text: str = "") -> None:
    """Do what `replaced` does, and close the file."""
    with replaced(path, text):
        pass


def make_directory(directory: Path) -> None:
    """Make a directory, and those above it that are missing. One that is there stays as it is: it may be shared."""
    for missing in reversed([each for each in (directory, *directory.parents) if not each.exists()]):
        with suppress(FileExistsError):
            missing.mkdir(0o700)


def take_directory(directory: Path, *, enter: bool = False) -> None:
    """Make a directory, or one that is there, this account's own: others cannot see what is in it.

    Args:
        directory: its parent is this account's.
        enter: whether others may enter it, to reach what they know to be there.

    Raises:
        PlantedFileError: it is a link, or no directory.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENOTDIR}:
            raise _planted(directory) from error
        raise
    try:
        if os.fstat(descriptor).st_uid != os.geteuid():
            os.fchown(descriptor, os.geteuid(), os.getegid())
        os.fchmod(descriptor, 0o711 if enter else 0o700)
    finally:
        os.close(descriptor)


def _planted(path: Path) -> PlantedFileError:
    return PlantedFileError(
        f"{path} is a link, or something else that is not made here. Somebody who may write there can have put it, to "
        "have another file read or overwritten. It was left alone. See whose it is, and remove it"
    )
