"""The locks of this project: the modes in which tables are locked, and every advisory lock with its order."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from psycopg import sql
from psycopg.rows import class_row

from yumai_pipelines.postgres.patience import Blocker, Patience
from yumai_pipelines.postgres.sql_files import read_sql
from yumai_pipelines.postgres.values import read_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from yumai_pipelines.model.lock_policy import LockPolicy
    from yumai_pipelines.model.relations import Relation
    from yumai_pipelines.postgres.connections import Connection


class LockMode(Enum):
    """A table lock's mode, with the held modes that it goes along with."""

    ACCESS_SHARE = (
        "ACCESS SHARE",
        "AccessShareLock RowShareLock RowExclusiveLock ShareUpdateExclusiveLock ShareLock ShareRowExclusiveLock "
        "ExclusiveLock",
    )
    SHARE_ROW_EXCLUSIVE = ("SHARE ROW EXCLUSIVE", "AccessShareLock RowShareLock")
    ACCESS_EXCLUSIVE = ("ACCESS EXCLUSIVE", "")

    def __init__(self, statement: str, compatible: str) -> None:
        """Keep the mode's spelling in `LOCK TABLE` and, as `pg_locks` spells them, the modes it tolerates."""
        self.statement = sql.SQL(statement)
        self.compatible = frozenset(compatible.split())

    @property
    def stops_writers(self) -> bool:
        """Whether writers have to wait for it."""
        return "RowExclusiveLock" not in self.compatible


@dataclass(frozen=True)
class TableLock:
    """A lock that an attempt takes.

    Attributes:
        relation: the table.
        mode: how it is locked.
        strengthens: the attempt holds a weaker lock on the table already. It then asks again and again instead of
            waiting: whoever else wants to strengthen a lock behind one that waits for the same is cancelled at once,
            whatever `deadlock_timeout` says.
    """

    relation: Relation
    mode: LockMode
    strengthens: bool = False


class AdvisoryLock(Enum):
    """Every advisory lock of the project, in the order in which a run that needs several takes them."""

    SCHEMA = "yumai_pipelines: schema"
    """Installing, upgrading and adopting come one after the other."""

    REPAIR = "yumai_pipelines: repair"
    """One repair at a time."""

    EXTRACTS = "yumai_pipelines: extracts"
    """Building months of the extracts, and deleting what they were built from, come one after the other."""

    ARCHIVES = "yumai_pipelines: archives of chatbot.conversations"
    """One run at a time takes months out, brings them back, or removes a person's rows from the files."""

    PARTITIONS = "yumai_pipelines: partitions of chatbot.conversations"
    """One run at a time makes or detaches partitions."""


_ORDER = list(AdvisoryLock)
_HELD: WeakKeyDictionary[Connection, list[AdvisoryLock]] = WeakKeyDictionary()


@contextmanager
def advisory_lock(connection: Connection, lock: AdvisoryLock, policy: LockPolicy) -> Iterator[None]:
    """Keep other runs that take the same lock in this database out, for as long as the session lives.

    Raises:
        LockNotObtainedError: another run holds the lock, and patience ended.
        RuntimeError: the connection holds a lock that comes after this one.
    """
    held = _HELD.setdefault(connection, [])
    if held and _ORDER.index(lock) < _ORDER.index(held[-1]):
        raise RuntimeError(f"{lock.name} is to be taken before {held[-1].name}")
    patience = Patience(policy, lock.value)
    key = {"key": lock.value}
    while not read_value(connection, "SELECT pg_try_advisory_lock(hashtextextended(%(key)s, 0))", key):
        with connection.cursor(row_factory=class_row(Blocker)) as cursor:
            patience.pause(cursor.execute(read_sql("postgres", "list_advisory_lock_holders.sql"), key).fetchall())
    held.append(lock)
    try:
        yield
    finally:
        held.remove(lock)
        if not connection.closed:
            connection.execute("SELECT pg_advisory_unlock(hashtextextended(%(key)s, 0))", key)


@contextmanager
def every_advisory_lock(connection: Connection, policy: LockPolicy) -> Iterator[None]:
    """Keep out all other runs of this project in this database, those that later versions add as well.

    Raises:
        LockNotObtainedError: another run holds a lock, and patience ended.
    """
    with ExitStack() as locks:
        for lock in AdvisoryLock:
            locks.enter_context(advisory_lock(connection, lock, policy))
        yield
