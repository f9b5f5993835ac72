"""The locks of this project: the modes in which tables are locked, and all advisory locks in their order."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import Enum
from secrets import randbits
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from psycopg import sql
from psycopg.rows import class_row

from yumai_pipelines.postgres.patience import Blocker, Patience
from yumai_pipelines.postgres.sql_files import read_sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from yumai_pipelines.model.lock_policy import LockPolicy
    from yumai_pipelines.model.relations import Relation
    from yumai_pipelines.postgres.connections import Connection


class LockMode(Enum):
    """The mode of a table lock, with the modes of other sessions' locks that are compatible with it."""

    ACCESS_SHARE = (
        "ACCESS SHARE",
        "AccessShareLock RowShareLock RowExclusiveLock ShareUpdateExclusiveLock ShareLock ShareRowExclusiveLock "
        "ExclusiveLock",
    )
    SHARE_ROW_EXCLUSIVE = ("SHARE ROW EXCLUSIVE", "AccessShareLock RowShareLock")
    ACCESS_EXCLUSIVE = ("ACCESS EXCLUSIVE", "")

    def __init__(self, statement: str, compatible: str) -> None:
        """Keep the mode as `LOCK TABLE` spells it, and the compatible modes as `pg_locks` spells them."""
        self.statement = sql.SQL(statement)
        self.compatible = frozenset(compatible.split())

    @property
    def stops_writers(self) -> bool:
        """Whether writers have to wait while a lock of this mode is held."""
        return "RowExclusiveLock" not in self.compatible


@dataclass(frozen=True)
class TableLock:
    """A lock on a table that an attempt of a transaction takes.

    Attributes:
        relation: the table.
        mode: the mode of the lock.
        strengthens: whether the attempt already holds a weaker lock on the table. If so, it asks for this one again and
            again instead of waiting for it: if it waited, PostgreSQL would at once cancel another session that also
            wants to strengthen its lock on the table, without waiting for `deadlock_timeout`.
    """

    relation: Relation
    mode: LockMode
    strengthens: bool = False


class AdvisoryLock(Enum):
    """All advisory locks of the project. A run that needs several of them takes them in this order."""

    DEMO = "yumai_pipelines: demo"
    """One run at a time fills an empty database with rows that are made up."""

    SCHEMA = "yumai_pipelines: schema"
    """One run at a time installs, upgrades or adopts."""

    REPAIR = "yumai_pipelines: repair"
    """One run at a time repairs rows."""

    EXTRACTS = "yumai_pipelines: extracts"
    """One run at a time deletes rows from which the extracts were built. Builds hold parts of it, which are months: one
    run at a time builds a month, and none does while rows are deleted."""

    ARCHIVES = "yumai_pipelines: archives of chatbot.conversations"
    """One run at a time takes months out, brings them back, or removes a person's rows from the files."""

    PARTITIONS = "yumai_pipelines: partitions of chatbot.conversations"
    """One run at a time makes or detaches partitions."""

    PUBLICATION = "yumai_pipelines: published extracts"
    """One run at a time publishes the extracts, and none while a person is erased."""


_ORDER = list(AdvisoryLock)
_HELD: WeakKeyDictionary[Connection, list[AdvisoryLock]] = WeakKeyDictionary()


@contextmanager
def advisory_lock(
    connection: Connection, lock: AdvisoryLock, policy: LockPolicy, parts: Sequence[object] = ()
) -> Iterator[None]:
    """Hold an advisory lock during the `with` block, so that no other run in this database holds the same one.

    PostgreSQL lets every login take every advisory lock, and shows the keys of those that are held. So each run takes a
    key of its own, which nobody can guess, and then looks who else of the pipeline's logins has one; what strangers
    hold counts for nothing. Of two runs that take theirs at the same moment, one at least sees the other's.

    If the session ends, PostgreSQL releases the lock.

    Args:
        connection: the session that holds it.
        lock: the lock.
        policy: how long to wait for other runs.
        parts: what to hold of the lock, as months of the extracts. Runs that hold other parts go on at the same time;
            none of them holds the whole. Without any, the whole is held.

    Raises:
        LockNotObtainedError: another run held the lock, or one of the parts, until the policy's patience ended.
        RuntimeError: the connection already holds a lock that comes after this one.
    """
    held = _HELD.setdefault(connection, [])
    if held and _ORDER.index(lock) < _ORDER.index(held[-1]):
        raise RuntimeError(f"{lock.name} is to be taken before {held[-1].name}")
    names = [f"{lock.value}, {part}" for part in parts]
    in_the_way = [lock.value, *(names or [_in_part(lock)])]
    patience = Patience(policy, lock.value)
    while True:
        # A run that only waits takes no key, so as not to be in the way of others that wait.
        others = _list_runs(connection, in_the_way)
        if not others:
            with _keys(connection, [*names, _in_part(lock)] if parts else [lock.value]):
                others = _list_runs(connection, in_the_way)
                if not others:
                    held.append(lock)
                    try:
                        yield
                    finally:
                        held.remove(lock)
                    return
        patience.pause(others)


@contextmanager
def nobody_else(connection: Connection, lock: AdvisoryLock) -> Iterator[bool]:
    """Tell whether no other run has any part of a lock of which the connection has some, and let none in meanwhile."""
    with _keys(connection, [lock.value]):
        yield not _list_runs(connection, [lock.value, _in_part(lock)])


def _in_part(lock: AdvisoryLock) -> str:
    """The name of the keys that stand for parts of a lock, whichever they are."""
    return f"{lock.value}, in part"


@contextmanager
def _keys(connection: Connection, names: Sequence[str]) -> Iterator[None]:
    """Hold a key of each name."""
    keys = {"names": list(names), "numbers": [randbits(31) for _ in names]}
    change = (
        "SELECT {}(hashtext(k.name), k.number) FROM unnest(%(names)s::text[], %(numbers)s::int[]) AS k (name, number)"
    )
    connection.execute(sql.SQL(change).format(sql.SQL("pg_advisory_lock")), keys)
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute(sql.SQL(change).format(sql.SQL("pg_advisory_unlock")), keys)


def _list_runs(connection: Connection, names: Sequence[str]) -> list[Blocker]:
    """The other sessions of the pipeline's logins that have a key of one of the names, each once."""
    holders = _list_holders(connection, "advisory", {name: f"advisory lock {name}" for name in names})
    return list({each.pid: each for each in holders}.values())


def list_holders(connection: Connection, tables: Iterable[Relation]) -> list[Blocker]:
    """Who else holds any lock on the tables, sessions and prepared transactions alike."""
    return _list_holders(connection, "relation", {table.quoted: str(table) for table in tables})


def _list_holders(connection: Connection, kind: str, labels: dict[str, str]) -> list[Blocker]:
    values = {"kind": kind, "names": list(labels), "labels": list(labels.values())}
    with connection.cursor(row_factory=class_row(Blocker)) as cursor:
        return cursor.execute(read_sql("postgres", "list_lock_holders.sql"), values).fetchall()


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
