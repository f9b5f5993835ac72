"""The two clocks of a run: the server's, which dates rows, and the pipeline's, by which schedules tick."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from yumai_pipelines.postgres.values import read_value

if TYPE_CHECKING:
    from datetime import timedelta

    from yumai_pipelines.postgres.connections import Connection


def server_ahead(connection: Connection) -> timedelta:
    """Return how far the server's clock is ahead of the pipeline's; less than zero if it is behind.

    It is exact to half of the time that the question takes.
    """
    asked = datetime.now(UTC)
    there = _server_clock(connection)
    return there - (asked + (datetime.now(UTC) - asked) / 2)


def earlier_now(connection: Connection) -> datetime:
    """Return the present by the clock that is behind: nothing leaves the database before it is time by both."""
    return min(_server_clock(connection), datetime.now(UTC))


def _server_clock(connection: Connection) -> datetime:
    now: datetime = read_value(connection, "SELECT clock_timestamp()")
    return now
