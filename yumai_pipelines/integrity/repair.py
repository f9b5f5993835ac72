"""Repairs rows that refer to something that is gone: gives them a session again, or moves them into the quarantine.

Nothing is deleted without being kept in the table `yumai_pipelines.quarantine`. The checks in `integrity.foreign_keys`
find such rows, and `docs/integrity.md` says how they come about.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from psycopg import sql

from yumai_pipelines.integrity.samples import sample
from yumai_pipelines.model.lock_policy import LockPolicy
from yumai_pipelines.postgres.locks import AdvisoryLock, advisory_lock
from yumai_pipelines.postgres.sql_files import read_sql
from yumai_pipelines.postgres.transactions import STEP_EVENT
from yumai_pipelines.schema.differences import list_accepted
from yumai_pipelines.schema.tables import SESSION_CHILDREN, TABLES, OnDelete, references_to, table_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from yumai_pipelines.model.relations import Relation
    from yumai_pipelines.postgres.connections import Connection
    from yumai_pipelines.schema.tables import ForeignKey


class Orphans(StrEnum):
    """What is done with rows whose session is gone."""

    RECOVER = "recover"
    """The rows stay, and get a session again, which is marked as recovered."""

    QUARANTINE = "quarantine"
    """The rows are moved into the quarantine."""


class Broken(StrEnum):
    """What is done with rows that violate any other foreign key."""

    AS_THE_KEY_SAYS = "as_the_key_says"
    """If the key is ON DELETE SET NULL, the reference is emptied, and the row as it was is kept in the quarantine. Rows
    that violate another key are moved there."""

    QUARANTINE = "quarantine"
    """The rows are moved into the quarantine."""


class RepairAction(StrEnum):
    """What is done with the rows that violate one foreign key."""

    RECOVER = "give a session again"
    EMPTY = "empty the reference, keep the row as it was"
    MOVE = "move into the quarantine"


@dataclass(frozen=True)
class Repair:
    """How many rows violated one foreign key, and what was done with them.

    Attributes:
        key: the foreign key.
        action: what is done with such rows.
        found: the number of such rows.
        sample: the primary keys of the first of them, at most `SAMPLE`, with the value that refers to nothing.
        done: the numbers of rows and sessions, by what was done with them; empty after a dry run. Rows that refer to a
            moved row are repaired with it, so these may be more than were found.
    """

    key: ForeignKey
    action: RepairAction
    found: int
    sample: Sequence[Mapping[str, Any]]
    done: Counter[str] = field(default_factory=Counter)


def repair_orphans(
    connection: Connection,
    *,
    run_id: str,
    dry_run: bool = True,
    orphans: Orphans = Orphans.RECOVER,
    broken: Broken = Broken.AS_THE_KEY_SAYS,
    batch_rows: int = 1000,
    policy: LockPolicy | None = None,
) -> list[Repair]:
    """Repair every row of the registry's tables that violates a foreign key, unless that is accepted.

    This is idempotent. Each batch is a transaction of its own, so a run that is killed keeps what it has done, and the
    next one continues. Sections 3 and 7.3 of the database document.

    Args:
        connection: in autocommit mode, as the owner of the tables.
        run_id: the id that is noted in the quarantine and in recovered sessions.
        dry_run: say what would be repaired, and change nothing.
        orphans: what is done with rows whose session is gone.
        broken: what is done with rows that violate another foreign key.
        batch_rows: rows that one transaction repairs, besides the rows that refer to them.
        policy: how long to wait for another repair to end.

    Returns:
        One repair for each foreign key that rows violate, in the order in which they are made. The keys to sessions
        come last, so that no session is recovered for rows that are moved away.

    Raises:
        LockNotObtainedError: another repair is running.
        ValueError: the connection is not in autocommit mode.
    """
    if not connection.autocommit:
        raise ValueError("repair_orphans needs a connection in autocommit mode: each batch is a transaction")
    accepted = {each.object for each in list_accepted(connection)}
    keys = [key for table in TABLES for key in table.foreign_keys]
    keys = [key for key in keys if f"constraint {key.table}.{key.name}" not in accepted]
    keys.sort(key=_is_session_key)
    with advisory_lock(connection, AdvisoryLock.REPAIR, policy or LockPolicy()):
        searches = [_Search.run(connection, key, number) for number, key in enumerate(keys)]
        repairs = [
            (
                search,
                Repair(search.key, action_for(search.key, orphans, broken), search.rows, search.sample(connection)),
            )
            for search in searches
            if search.rows
        ]
        if not dry_run:
            for search, repair in repairs:
                for rows in search.batches(batch_rows):
                    sys.audit(STEP_EVENT, f"{repair.action}: {repair.key.name}")
                    repair.done.update(_run(connection, steps(repair.key, repair.action, rows, run_id)))
        for search in searches:
            connection.execute(sql.SQL("DROP TABLE {}").format(search.found))
    return [repair for _, repair in repairs]


def _run(connection: Connection, batch: Sequence[Step]) -> Counter[str]:
    """Run the steps of a batch in one transaction, and count what they did."""
    done: Counter[str] = Counter()
    with connection.transaction():
        for step in batch:
            rows = connection.execute(step.statement).rowcount
            done.update({step.done: rows} if step.done and rows else {})
    return done


def _is_session_key(key: ForeignKey) -> bool:
    return key == table_of(key.table).session_key


def action_for(
    key: ForeignKey, orphans: Orphans = Orphans.RECOVER, broken: Broken = Broken.AS_THE_KEY_SAYS
) -> RepairAction:
    """Return what is to be done with rows that violate a foreign key."""
    if _is_session_key(key):
        return RepairAction.RECOVER if orphans is Orphans.RECOVER else RepairAction.MOVE
    if key.on_delete is OnDelete.SET_NULL and broken is Broken.AS_THE_KEY_SAYS:
        return RepairAction.EMPTY
    return RepairAction.MOVE


@dataclass(frozen=True)
class _Search:
    """The rows that violate a foreign key, numbered in a temporary table.

    Attributes:
        key: the foreign key.
        found: the temporary table.
        rows: the number of rows in it.
    """

    key: ForeignKey
    found: sql.Identifier
    rows: int

    @classmethod
    def run(cls, connection: Connection, key: ForeignKey, number: int) -> _Search:
        """Look at every row once, and put those that violate the key into the temporary table."""
        found = sql.Identifier("pg_temp", f"broken_{number}")
        statement = sql.SQL(read_sql("integrity", "find_broken_rows.sql")).format(
            found=found, key=_listed("t", table_of(key.table).key), **_names(key)
        )
        rows = connection.execute(statement).rowcount
        connection.execute(sql.SQL("ANALYZE {}").format(found))
        return cls(key, found, rows)

    def sample(self, connection: Connection) -> list[dict[str, Any]]:
        """Return the primary keys of the first rows, with the value that refers to nothing."""
        query = sql.SQL("SELECT {}, f.named AS {} FROM {} AS f ORDER BY f.number").format(
            _listed("f", table_of(self.key.table).key), sql.Identifier(self.key.column), self.found
        )
        return sample(connection, query)

    def batches(self, size: int) -> Iterator[sql.Composed]:
        """Yield, for each batch of rows, the SQL condition that a row `t` is in it and still violates the key."""
        columns = table_of(self.key.table).key
        batch = sql.SQL(
            "({own}) IN (SELECT {found_key} FROM {found} AS f WHERE f.number BETWEEN {first} AND {last}) "
            "AND NOT EXISTS (SELECT FROM {referenced} AS r WHERE r.{referenced_column} = t.{column})"
        )
        for first in range(1, self.rows + 1, size):
            yield batch.format(
                own=_listed("t", columns),
                found_key=_listed("f", columns),
                found=self.found,
                first=sql.Literal(first),
                last=sql.Literal(first + size - 1),
                **_names(self.key),
            )


@dataclass(frozen=True)
class Step:
    """One statement of a repair.

    Attributes:
        statement: the statement.
        done: what the statement does to the rows that it counts, in words; empty if it only locks rows.
    """

    statement: sql.Composed
    done: str = ""


def steps(key: ForeignKey, action: RepairAction, rows: sql.Composable, run_id: str) -> list[Step]:
    """Return the statements that repair rows which violate a foreign key, to be run in one transaction.

    Args:
        key: the foreign key.
        action: what is to be done.
        rows: the SQL condition that a row `t` of the key's table is one of these rows.
        run_id: the id that is noted in the quarantine and in recovered sessions.
    """
    why = f"{key.column} names no row of {key.referenced}"
    match action:
        case RepairAction.RECOVER:
            return [_recover(key, rows, run_id)]
        case RepairAction.EMPTY:
            return [_empty(key, rows, why, run_id)]
        case RepairAction.MOVE:
            return _move(key.table, rows, why, run_id)


def _recover(key: ForeignKey, rows: sql.Composable, run_id: str) -> Step:
    """Make the sessions that the rows name, from the rows of these sessions in all tables."""
    named = sql.SQL("SELECT t.{} FROM {} AS t WHERE {}").format(sql.Identifier(key.column), key.table.identifier, rows)
    knowledge = sql.SQL("\n    UNION ALL\n    ").join(
        sql.SQL(
            "SELECT t.session_id, {user} AS user_id, t.{time} AS first_at, greatest({times}) AS last_at,\n"
            "        {name} AS source\n    FROM {table} AS t\n    WHERE t.session_id IN ({named})"
        ).format(
            user=sql.Identifier("t", child.user_key.column) if child.user_key else sql.SQL("NULL::int"),
            time=sql.Identifier(child.time or ""),
            times=_listed("t", (child.time or "", *child.later)),
            name=sql.Literal(str(child.relation)),
            table=child.relation.identifier,
            named=named,
        )
        for child in SESSION_CHILDREN
    )
    statement = sql.SQL(read_sql("integrity", "recover_sessions.sql")).format(
        knowledge=knowledge, run_id=sql.Literal(run_id)
    )
    return Step(statement, f"sessions recovered for {key.table}")


def _empty(key: ForeignKey, rows: sql.Composable, why: str, run_id: str) -> Step:
    """Empty a reference, and keep the rows as they were in the quarantine."""
    column = sql.Identifier(key.column)
    statement = _of_rows("empty_references.sql", key.table, rows, why, run_id, column=column)
    return Step(statement, f"rows of {key.table} with {key.column} emptied")


def _move(table: Relation, rows: sql.Composable, why: str, run_id: str) -> list[Step]:
    """Move rows into the quarantine.

    Rows that refer to them are moved or emptied first, since deleting the rows would delete or empty these as well.
    """
    # From here on, a session that writes a row which refers to one of these waits, and is refused when they are gone.
    lock = Step(sql.SQL("SELECT FROM {} AS t WHERE {} FOR UPDATE").format(table.identifier, rows))
    hanging: list[Step] = []
    for key in references_to(table):
        on_these = sql.SQL("t.{} IN (SELECT t.{} FROM {} AS t WHERE {})").format(
            sql.Identifier(key.column), sql.Identifier(key.referenced_column), table.identifier, rows
        )
        because = f"{key.column} names a row of {table} that is in quarantine"
        if key.on_delete is OnDelete.SET_NULL:
            hanging.append(_empty(key, on_these, because, run_id))
        else:
            hanging += _move(key.table, on_these, because, run_id)
    move = Step(_of_rows("quarantine_rows.sql", table, rows, why, run_id), f"rows of {table} moved")
    return [lock, *hanging, move]


def _of_rows(
    name: str, table: Relation, rows: sql.Composable, why: str, run_id: str, **more: sql.Composable
) -> sql.Composed:
    own = table_of(table).key
    pair = sql.SQL("{}, {}")
    return sql.SQL(read_sql("integrity", name)).format(
        table=table.identifier,
        name=sql.Literal(str(table)),
        rows=rows,
        key_of_taken=sql.SQL(", ").join(pair.format(sql.Literal(each), sql.Identifier("taken", each)) for each in own),
        same_key=sql.SQL("({}) = ({})").format(_listed("t", own), _listed("taken", own)),
        why=sql.Literal(why),
        run_id=sql.Literal(run_id),
        **more,
    )


def _names(key: ForeignKey) -> dict[str, sql.Identifier]:
    return {
        "table": key.table.identifier,
        "column": sql.Identifier(key.column),
        "referenced": key.referenced.identifier,
        "referenced_column": sql.Identifier(key.referenced_column),
    }


def _listed(alias: str, columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(alias, column) for column in columns)
