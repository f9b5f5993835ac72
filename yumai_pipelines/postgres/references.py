"""Says clearly which table of somebody else refuses that rows are deleted, since its rows refer to them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg

from yumai_pipelines.postgres.errors import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Iterator


class StillReferredToError(DatabaseError):
    """Rows cannot be deleted, because rows of a table that this version does not know refer to them."""


@contextmanager
def explaining_references(undone: str) -> Iterator[None]:
    """Explain the error of a deletion that a foreign key refuses.

    Args:
        undone: a sentence that says what was undone, and what was not.

    Raises:
        StillReferredToError: a row refers to one that was to be deleted.
    """
    try:
        yield
    except psycopg.errors.ForeignKeyViolation as error:
        said = error.diag
        raise StillReferredToError(
            f"Rows of {said.schema_name}.{said.table_name} refer to what is to be deleted, and their foreign key "
            f"{said.constraint_name} refuses that ({said.message_detail}). {undone} Delete those rows, or decide by "
            "ALTER TABLE what becomes of them (ON DELETE CASCADE or SET NULL), then run this again."
        ) from error
