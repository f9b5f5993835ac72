"""A run that leaves a month half-way into its file."""

from __future__ import annotations

from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from yumai_pipelines.archives.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator


class Interrupted(Store):
    """A store whose run is ended by Ctrl-C when it has begun a Parquet file."""

    @contextmanager
    def writing(self, name: str) -> Iterator[IO[bytes]]:
        with super().writing(name) as file:
            if name.endswith(".parquet"):
                raise KeyboardInterrupt
            yield file
