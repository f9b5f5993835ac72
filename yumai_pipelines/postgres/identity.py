"""Which database a connection is to, told by what a copy of it elsewhere has not."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import psycopg

from yumai_pipelines.postgres.values import read_value

if TYPE_CHECKING:
    from yumai_pipelines.postgres.connections import Connection


class Identity(NamedTuple):
    """Which database it is. The number of a server is also that of its standbys, so a failover changes nothing."""

    name: str
    server: str

    def __str__(self) -> str:
        """Return it as it is remembered."""
        return f"{self.name} on the server {self.server}"


def identify(connection: Connection) -> Identity:
    """Return which database a connection is to."""
    try:
        number = str(read_value(connection, "SELECT system_identifier FROM pg_control_system()"))
    except psycopg.errors.InsufficientPrivilege:
        number = "that does not tell its number"
    return Identity(connection.info.dbname, number)
