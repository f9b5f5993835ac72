"""What the server says when somebody else ends a statement or a connection, told as what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import psycopg

from yumai_pipelines.postgres.errors import DatabaseError

if TYPE_CHECKING:
    from types import TracebackType

    from yumai_pipelines.postgres.connections import Connection

CANCELLED = "57014"

_SAID = {
    CANCELLED: "a statement was cancelled, by somebody with pg_cancel_backend() or by a timeout that was set for it",
    "57P01": "the connection was ended, by somebody with pg_terminate_backend() or by a server that is stopped",
    "57P02": "the server crashed, or another of its processes did, and it starts again",
    "57P03": "the server starts, or is being stopped",
    "57P04": "the database was dropped",
    "57P05": "the connection was ended, since it did nothing for as long as idle_session_timeout allows",
    "25P03": "the connection was ended, since its run did nothing in a transaction for longer than "
    "idle_in_transaction_session_timeout allows: it was stopped, or its machine was too busy",
    "25P04": "the connection was ended, since a transaction took longer than transaction_timeout allows: its run was "
    "stopped, or the server or its machine was too busy",
}

UNWANTED = WeakSet["Connection"]()
"""Connections whose work this process itself cancels: what is cancelled on them is not tried again."""


class EndedError(DatabaseError):
    """Somebody else ended a statement, or the connection."""


class ExplainedConnection(psycopg.Connection[Any]):
    """A connection that, used in a `with` statement, says who ended it."""

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        """Close the connection.

        Raises:
            EndedError: somebody else ended a statement, or the connection.
        """
        super().__exit__(exc_type, exc_val, exc_tb)
        if isinstance(exc_val, psycopg.Error):
            refuse_ended(exc_val)


def refuse_ended(error: psycopg.Error) -> None:
    """Say who ended a statement or a connection, if somebody did.

    Raises:
        EndedError: somebody did.
    """
    if (said := explain(error)) is not None:
        raise EndedError(f"{said} Run again: what is done stays done.") from error


def explain(error: psycopg.Error) -> str | None:
    """A sentence for people about who ended a statement or a connection; None of another kind of error."""
    said = _SAID.get(error.sqlstate or "")
    return f"{said[0].upper()}{said[1:]} (PostgreSQL: {error.diag.message_primary})." if said else None


def first_error(error: BaseException) -> psycopg.Error | None:
    """The first error of PostgreSQL in a chain: what came after it, such as a rollback, failed because of it."""
    found = None
    each: BaseException | None = error
    while each is not None:
        found = each if isinstance(each, psycopg.Error) else found
        each = each.__context__
    return found
