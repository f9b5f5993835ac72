"""Directories and files that their owner alone may read, whatever the umask: what people said is in them."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

DIRECTORY, FILE = 0o700, 0o600


def make_private(directory: Path, mode: int = DIRECTORY) -> None:
    """Make a directory, and those above it that are missing. One that is there keeps its mode: it may be shared."""
    for missing in reversed([each for each in (directory, *directory.parents) if not each.exists()]):
        with suppress(FileExistsError):
            missing.mkdir(mode)


def touch_private(path: Path) -> None:
    """Make an empty file, or empty the one that is there; its owner alone may read it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE)
    try:
        os.fchmod(descriptor, FILE)
    finally:
        os.close(descriptor)
