"""Which server is read: a replica that has replayed all that the primary had written, or else the primary.

A replica is behind the primary, and nobody knows by how much when nothing is written. So each reading first asks the
primary up to where its WAL is written (an LSN), and reads the replica only once that is replayed there. What a run has
committed before is therefore there, and a check that runs right after a build in the same run may be read there, too: a
replica that is late can make no check pass or fail that would not on the primary. Beyond a bound nobody waits: the
primary is read, and what was read says so.

Seconds since the last replayed transaction (`pg_last_xact_replay_timestamp`) are no measure, since they also grow while
the primary is idle. Nothing is written here, since a standby takes no writes, has no temporary tables, no advisory
locks that others see, no FOR UPDATE and no SERIALIZABLE: what needs these works on the primary.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import class_row

from yumai_pipelines.postgres.endings import first_error
from yumai_pipelines.postgres.errors import DatabaseError
from yumai_pipelines.postgres.sql_files import read_sql
from yumai_pipelines.postgres.values import read_value

if TYPE_CHECKING:
    from collections.abc import Callable

    from yumai_pipelines.postgres.connections import Connection
    from yumai_pipelines.settings import Settings

T = TypeVar("T")

REFUSED_FOR = timedelta(minutes=1)
"""How long a replica that could not be read is left alone, so that not each check of a run waits for it."""

PAUSE = timedelta(milliseconds=10)
"""Between two looks at how far a replica has come."""

SHORTEST_CONNECT_TIMEOUT_S = 2
"""libpq takes nothing below for a bound of its own."""


class ReplicaError(DatabaseError):
    """The replica cannot be read at this moment. The message says why, as the end of a sentence."""


class Reader(NamedTuple):
    """What a reading reads from.

    Attributes:
        connection: to the server that is read.
        primary: to the primary, by whose clock rows are dated; the same connection where the primary is read.
    """

    connection: Connection
    primary: Connection


@dataclass(frozen=True)
class Source:
    """Which server was read.

    Attributes:
        server: the replica or the primary, and where it is.
        behind: bytes of WAL that the replica had still to replay; None where the primary was read.
        waited: until it had replayed them; None where the primary was read.
        refusal: why the replica was not read, as a sentence; None where it was, and where there is none.
    """

    server: str
    behind: int | None = None
    waited: timedelta | None = None
    refusal: str | None = None

    @property
    def metadata(self) -> dict[str, Any]:
        """The same for Dagster; nothing where there is no replica."""
        if self.refusal is not None:
            return {"read_from": f"{self.server}. {self.refusal}"}
        if self.behind is None or self.waited is None:
            return {}
        return {
            "read_from": self.server,
            "replica_behind_bytes": self.behind,
            "replica_waited_seconds": round(self.waited.total_seconds(), 3),
        }

    def __str__(self) -> str:
        """Return a sentence or two."""
        return f"Read from {self.server}." + (f" {self.refusal}" if self.refusal else "")


@dataclass(frozen=True)
class Read(Generic[T]):
    """What was read, and where."""

    value: T
    source: Source


class _Identity(NamedTuple):
    """What a standby has in common with its primary, and what it has not."""

    system: int
    timeline: int
    database: int
    standby: bool


class Position(NamedTuple):
    """How far a replica is behind.

    Attributes:
        behind: bytes of WAL between what the primary had written and what the replica has replayed; 0 or less where it
            has replayed all.
        paused: whether somebody has paused its replay.
    """

    behind: int
    paused: bool


@dataclass
class Replica:
    """A hot standby of the primary, which is read where it is not too far behind.

    Attributes:
        url: its libpq URL; the database must be the same as on the primary.
        bound: how long a reading waits for it.
    """

    url: str
    bound: timedelta
    _refused: tuple[float, str] | None = field(default=None, init=False, repr=False)

    @property
    def conninfo(self) -> str:
        """Its connection string. A host that does not answer is waited for no longer than a late one."""
        timeout = max(SHORTEST_CONNECT_TIMEOUT_S, math.ceil(self.bound.total_seconds()))
        parameters: dict[str, Any] = {"connect_timeout": timeout, **conninfo_to_dict(self.url)}
        return make_conninfo(**parameters)

    def read(self, primary: Connection, connect: Callable[[str], Connection], work: Callable[[Reader], T]) -> Read[T]:
        """Read on the replica, as of now or later.

        Args:
            primary: a connection to the primary.
            connect: connects to the replica's connection string, in the same way.
            work: reads, and nothing else.

        Raises:
            ReplicaError: the replica could not be read. What `work` has read until then is to be forgotten.
        """
        connection, source = self._open(primary, connect)
        with connection:
            try:
                return Read(work(Reader(connection, primary)), source)
            except Exception as error:
                # A conflict with the recovery (40001), a restart, a promotion, a lost network.
                ended = first_error(error)
                if isinstance(ended, psycopg.OperationalError):
                    raise ReplicaError(f"it ended the reading: {_in_one_line(ended)}") from error
                raise

    def _open(self, primary: Connection, connect: Callable[[str], Connection]) -> tuple[Connection, Source]:
        """Connect, and wait until all is replayed; a replica that was refused a moment ago is refused again."""
        if self._refused is not None and time.monotonic() < self._refused[0]:
            raise ReplicaError(self._refused[1])
        try:
            connection = connect(self.conninfo)
            try:
                return connection, self._catch_up(connection, primary)
            except BaseException:
                connection.close()
                raise
        except (psycopg.Error, DatabaseError) as error:
            said = _in_one_line(error)
            self._refused = time.monotonic() + REFUSED_FOR.total_seconds(), said
            raise ReplicaError(said) from error

    def _catch_up(self, connection: Connection, primary: Connection) -> Source:
        """Wait until all is replayed that the primary has written by now."""
        refuse_other(connection, primary)
        mark = written(primary)
        begun = time.monotonic()
        first = position = look(connection, mark)
        while position.behind > 0:
            if position.paused:
                raise ReplicaError(f"its replay is paused, {position.behind:,} bytes behind")
            if time.monotonic() - begun > self.bound.total_seconds():
                raise ReplicaError(
                    f"it is still {position.behind:,} bytes behind after {self.bound.total_seconds():g} s "
                    "(YUMAI_REPLICA_LAG_S)"
                )
            time.sleep(PAUSE.total_seconds())
            position = look(connection, mark)
        waited = timedelta(seconds=time.monotonic() - begun) if first.behind > 0 else timedelta()
        return Source(f"the replica {_place(connection)}", max(first.behind, 0), waited)


def read(
    work: Callable[[Reader], T],
    primary: Connection,
    replica: Replica | None = None,
    connect: Callable[[str], Connection] | None = None,
) -> Read[T]:
    """Read on the replica if it can be read, and else on the primary; also if the replica ends the reading halfway.

    Args:
        work: reads, and nothing else: it may be done twice.
        primary: a connection to the primary.
        replica: without it, the primary is read.
        connect: connects to the replica's connection string, in the same way as to the primary.
    """
    refusal = None
    if replica is not None and connect is not None:
        try:
            return replica.read(primary, connect, work)
        except ReplicaError as error:
            refusal = f"The replica (YUMAI_REPLICA_URL) was not read: {error}."
    source = Source(f"the primary {_place(primary)}", refusal=refusal)
    return Read(work(Reader(primary, primary)), source)


def replica_of(settings: Settings) -> Replica | None:
    """The replica of the settings, if they name one."""
    if settings.replica_url is None:
        return None
    return Replica(settings.replica_url.get_secret_value(), timedelta(seconds=settings.replica_lag_s))


def refuse_other(connection: Connection, primary: Connection) -> None:
    """Make sure that a server is a standby of the primary, and the database the same.

    A copy that was promoted has the primary's system identifier, as its own standbys have, but another timeline. After
    a failover a standby is refused until its next restartpoint, which is when it records the new timeline.

    Raises:
        ReplicaError: it is none.
    """
    ours, theirs = _identify(primary), _identify(connection)
    if ours.standby:
        raise ReplicaError("YUMAI_DATABASE_URL names a standby itself, so how far behind it is cannot be told")
    if not theirs.standby:
        raise ReplicaError("it is no standby, but takes writes of its own")
    if ours.system != theirs.system:
        raise ReplicaError("it is a standby of another server than YUMAI_DATABASE_URL names")
    if ours.timeline != theirs.timeline:
        raise ReplicaError(
            f"it is on timeline {theirs.timeline}, and the primary on {ours.timeline}: it follows another server, or "
            "has not yet come to its first restartpoint since a failover"
        )
    if ours.database != theirs.database:
        raise ReplicaError(
            f"{connection.info.dbname} is another database than {primary.info.dbname}, which YUMAI_DATABASE_URL names"
        )


def written(primary: Connection) -> str:
    """Up to where the primary's WAL is written: this session's kind of commits that others see are before it."""
    lsn: str = read_value(primary, read_sql("postgres", "read_written_lsn.sql"))
    return lsn


def look(connection: Connection, mark: str) -> Position:
    """How far a standby is from having replayed all up to an LSN of the primary."""
    return _one(connection, Position, "read_replayed_lsn.sql", {"mark": mark})


def _identify(connection: Connection) -> _Identity:
    return _one(connection, _Identity, "identify_server.sql")


Row = TypeVar("Row")


def _one(connection: Connection, kind: type[Row], name: str, parameters: dict[str, object] | None = None) -> Row:
    with connection.cursor(row_factory=class_row(kind)) as cursor:
        row = cursor.execute(read_sql("postgres", name), parameters).fetchone()
    if row is None:
        raise TypeError(f"{name} returned no row")
    return row


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")


def _place(connection: Connection) -> str:
    return f"{connection.info.host}:{connection.info.port}"
