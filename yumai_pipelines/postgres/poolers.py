"""Connection poolers that give each transaction another session of the server, such as PgBouncer in transaction mode.

The role and the settings of a session would be lost with its next transaction, and stay behind for whoever is given the
session after us. So such a pooler is found out before anything is set, and refused.
"""

from __future__ import annotations

import psycopg

from yumai_pipelines.postgres.errors import PoolerError

ROUNDS = 5
"""How often two clients are compared. One does on a pooler that is at rest; others may be given sessions in between."""

_PID = "SELECT pg_catalog.pg_backend_pid()"


def refuse_shared_sessions(connection: psycopg.Connection, pid: int, conninfo: str, variable: str) -> None:
    """Make sure that the session is this connection's own for as long as it lives.

    A pooler gives each client a number of its own in the place of the session's pid. Only where it does, a second
    connection is made: one that is given this one's session, while this one lives, shares it.

    Args:
        connection: a new one, in autocommit mode, with nothing set.
        pid: what the server says is the pid of its session.
        conninfo: how the connection was made.
        variable: the setting that says so.

    Raises:
        PoolerError: it is given another session for each transaction.
    """
    if connection.info.backend_pid == pid:
        return
    with psycopg.connect(conninfo, autocommit=True) as other:
        for _ in range(ROUNDS):
            # Twice, since two sessions in turn would give each of two clients the same one again and again.
            if _pid(other) == pid or _pid(connection) != pid or _pid(connection) != pid:
                raise PoolerError(
                    f"What answers at {connection.info.host}:{connection.info.port} is a connection pooler that gives "
                    "each transaction another session of the server, such as PgBouncer with pool_mode = transaction. "
                    "The role and the settings of this project would be lost, and stay behind for others. Point "
                    f"{variable} at the server itself, or at a pool with pool_mode = session."
                )


def _pid(connection: psycopg.Connection) -> int | None:
    row = connection.execute(_PID).fetchone()
    return None if row is None else int(row[0])
