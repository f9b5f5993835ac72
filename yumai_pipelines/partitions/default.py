"""Moves rows out of the default partition into the partitions of their months, while the table is in use.

PostgreSQL refuses to attach a month while the default partition holds rows of it. So the month's table and a new
default partition are filled in another schema, and then replace the old default partition in one transaction:

1. A trigger repeats each change of the old default partition in the new tables, in the writer's own transaction, so
   that the same snapshots see it in both.
2. The rows that were there before are copied in batches. Rows that the trigger could not change are noted for a
   second look.
3. The run waits, without any lock, until snapshots older than the copy have ended. From then on, every snapshot sees
   the same rows in the old table and in the new ones.
4. One transaction of catalogue changes detaches the old table and attaches the new ones. The old table is dropped
   afterwards.

If a run is killed, either the old default partition or the new tables are attached, and complete. `clean_up` drops the
tables that are not attached.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Protocol

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from yumai_pipelines.model.relations import Relation
from yumai_pipelines.partitions.tables import (
    DEFAULT,
    MARK,
    PARENT,
    TIME,
    WORKSHOP,
    MonthTable,
    PartitionError,
    attach,
    build,
    dependents,
    describe_partitions,
    execute,
    falls_between,
    finish,
    foreign_keys,
    mark,
    own,
    referenced_locks,
    refuse_dependents,
    rename,
)
from yumai_pipelines.postgres.locks import LockMode, TableLock
from yumai_pipelines.postgres.patience import Blocker, Patience
from yumai_pipelines.postgres.sql_files import read_sql
from yumai_pipelines.postgres.transactions import STEP_EVENT, PatientTransactions
from yumai_pipelines.postgres.values import read_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from zoneinfo import ZoneInfo

    from yumai_pipelines.model.months import Month
    from yumai_pipelines.partitions.tables import Partition
    from yumai_pipelines.postgres.connections import Connection

MIRROR = Relation(WORKSHOP, "mirror_default_changes")
SECOND_LOOK = Relation(WORKSHOP, "conversations_second_look")
ROW_TRIGGER = sql.Identifier("yumai_mirror_rows")
TRUNCATE_TRIGGER = sql.Identifier("yumai_mirror_truncate")

FIRST_PAUSE = timedelta(milliseconds=5)
LONGEST_PAUSE = timedelta(milliseconds=500)
"""The pauses between two looks at the old snapshots. They may be short, because no lock is held meanwhile."""

_BEFORE_ALL_IDS = -(2**63)


def ensure_default(transactions: PatientTransactions, partitions: Iterable[Partition]) -> Relation:
    """Return the default partition, and make it if there is none: without it, a row of no partition is refused."""
    for partition in partitions:
        if partition.is_default:
            return partition.relation
    aside = _next(DEFAULT)
    transactions.run(
        "build the default partition", [], lambda: build(transactions.connection, PARENT, aside, sql.SQL("true"))
    )
    locks = [
        *referenced_locks(transactions.connection, LockMode.SHARE_ROW_EXCLUSIVE),
        TableLock(PARENT, LockMode.SHARE_ROW_EXCLUSIVE),
    ]
    transactions.run(
        "attach the default partition", locks, lambda: _attach_default(transactions.connection, aside, DEFAULT)
    )
    return DEFAULT


class Inflow(Protocol):
    """Writes further rows into the tables of months, before those of the default partition."""

    def fill(self, table: MonthTable) -> None:
        """Write the rows into the month's table, which is empty and not attached yet."""

    def reconcile(self, table: MonthTable) -> None:
        """Make the rows obey the foreign keys, which have been added by now, but not validated."""

    def arrive(self) -> None:
        """Record that the rows are there, in the transaction that attaches the month's table."""


def move_out_of_default(
    transactions: PatientTransactions,
    months: Sequence[MonthTable],
    default: Relation,
    zone: ZoneInfo,
    batch_rows: int,
    inflow: Inflow | None = None,
) -> dict[Month, int]:
    """Give each month a partition, with the month's rows from the default partition.

    Args:
        transactions: runs each step under the lock policy.
        months: the tables of months that have no partition yet.
        default: the default partition.
        zone: the business's time zone.
        batch_rows: rows that one transaction copies.
        inflow: writes further rows into the months' tables.

    Returns:
        The number of rows of each month, counted before the new tables were attached.

    Raises:
        LockNotObtainedError: somebody was in the way, or kept an old snapshot, for as long as the policy's patience.
        PartitionError: the default partition has a row that violates a foreign key, or something depends on it;
            nothing was exchanged.
    """
    refuse_dependents(transactions.connection, default, "is to be replaced by one without the rows of these months")
    move = _Move(transactions, tuple(months), default, _columns(transactions.connection, default), batch_rows, inflow)
    move.build(describe_partitions(transactions.connection, zone))
    move.fill()
    move.start_mirror()
    move.copy()
    move.catch_up()
    try:
        move.add_foreign_keys()
    except PartitionError:
        clean_up(transactions)
        raise
    rows = move.count()
    while not move.exchange():
        move.catch_up()
    clean_up(transactions)
    return rows


def kept_tables(connection: Connection) -> dict[Relation, list[str]]:
    """The tables that `clean_up` cannot drop, each with what depends on it."""
    return {table: found for table in _marked(connection) if (found := dependents(connection, table))}


def has_remains(connection: Connection) -> bool:
    """Whether a killed run has left something that `clean_up` removes."""
    mirror = read_value(connection, "SELECT to_regproc(%s) IS NOT NULL", (MIRROR.quoted,))
    return bool(mirror) or set(_marked(connection)) > kept_tables(connection).keys()


def _marked(connection: Connection) -> list[Relation]:
    """The tables that a run was to drop, or has not come to the end of."""
    rows = connection.execute(
        read_sql("partitions", "list_unfinished_tables.sql"), {"workshop": WORKSHOP, "mark": MARK}
    ).fetchall()
    return [Relation(WORKSHOP, name) for (name,) in rows]


def clean_up(transactions: PatientTransactions) -> None:
    """Drop what a run left that was killed, or has just ended; the mirror first, before writers miss its tables.

    A table on which something else depends by now is left as it is, with its foreign keys, so that what is deleted goes
    from it too; a check names it.
    """
    connection = transactions.connection
    for schema, name in connection.execute(read_sql("partitions", "list_mirrored_tables.sql"), {"workshop": WORKSHOP}):
        table = Relation(schema, name)
        transactions.run(
            f"stop mirroring {table}",
            [TableLock(table, LockMode.ACCESS_EXCLUSIVE)],
            partial(_stop_mirror, connection, table),
        )
    for table in _marked(connection):
        if dependents(connection, table):
            continue
        for key in foreign_keys(connection, table):  # one by one: each lock alone, and none for long
            locks = [TableLock(relation, LockMode.ACCESS_EXCLUSIVE) for relation in (key.referenced, table)]
            drop = "ALTER TABLE {} DROP CONSTRAINT {}"
            names = (table.identifier, sql.Identifier(key.name))
            transactions.run(f"drop {key.name} of {table}", locks, partial(execute, connection, drop, *names))
        transactions.run(f"drop {table}", [], partial(execute, connection, "DROP TABLE {}", table.identifier))
    if read_value(connection, "SELECT to_regproc(%s) IS NOT NULL", (MIRROR.quoted,)):
        transactions.run(
            "drop the mirror",
            [],
            partial(connection.execute, sql.SQL("DROP FUNCTION {}").format(MIRROR.identifier)),
        )


@dataclass(frozen=True)
class _Move:
    transactions: PatientTransactions
    months: tuple[MonthTable, ...]
    default: Relation
    columns: tuple[str, ...]
    batch_rows: int
    inflow: Inflow | None

    @property
    def connection(self) -> Connection:
        return self.transactions.connection

    @property
    def next_default(self) -> Relation:
        return _next(self.default)

    @property
    def targets(self) -> list[Relation]:
        return [*(month.aside for month in self.months), self.next_default]

    def build(self, occupied: Iterable[Partition]) -> None:
        """Build the new tables.

        The check constraint of the next default partition excludes the months, so that ATTACH need not scan it.
        """
        for month in self.months:
            self.transactions.run(
                f"build {month.month}", [], partial(build, self.connection, PARENT, month.aside, month.bounds)
            )
        taken = [(p.lower, p.upper) for p in occupied if not p.is_default]
        taken += [(month.lower, month.upper) for month in self.months]
        check = sql.SQL("NOT (conversation_time IS NOT NULL AND ({}))").format(
            sql.SQL(" OR ").join(
                falls_between(TIME, lower, upper)
                for lower, upper in sorted(taken, key=lambda bounds: (bounds[0] is not None, bounds[0]))
            )
        )
        self.transactions.run(
            "build the next default partition",
            [],
            lambda: build(self.connection, self.default, self.next_default, check),
        )

    def fill(self) -> None:
        """Let the inflow, if there is one, write its rows into the months' tables."""
        if self.inflow is not None:
            for month in self.months:
                self.transactions.run(f"fill {month.month}", [], partial(self.inflow.fill, month))

    def start_mirror(self) -> None:
        """Begin to repeat each change of the default partition in the new tables.

        Autovacuum is switched off: vacuuming a table that will soon be dropped would only get in the way.
        """

        def work() -> None:
            execute(self.connection, "ALTER TABLE {} SET (autovacuum_enabled = off)", self.default.identifier)
            execute(
                self.connection,
                "CREATE TABLE {} (entry bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id bigint, "
                "conversation_time timestamptz)",
                SECOND_LOOK.identifier,
            )
            mark(self.connection, SECOND_LOOK)
            own(self.connection, sql.SQL("TABLE"), SECOND_LOOK.identifier)
            self.connection.execute(self._mirror())
            own(self.connection, sql.SQL("FUNCTION"), MIRROR.identifier)
            for trigger, events in (
                (ROW_TRIGGER, "INSERT OR UPDATE OR DELETE ON {} FOR EACH ROW"),
                (TRUNCATE_TRIGGER, "TRUNCATE ON {} FOR EACH STATEMENT"),
            ):
                on = sql.SQL(events).format(self.default.identifier)
                execute(
                    self.connection,
                    "CREATE TRIGGER {} AFTER {} EXECUTE FUNCTION {}()",
                    trigger,
                    on,
                    MIRROR.identifier,
                )
                execute(
                    self.connection,
                    "ALTER TABLE {} ENABLE ALWAYS TRIGGER {}",
                    self.default.identifier,
                    trigger,
                )

        self.transactions.run("start the mirror", [TableLock(self.default, LockMode.SHARE_ROW_EXCLUSIVE)], work)

    def copy(self) -> None:
        """Copy the rows that were there before the mirror, in the order of their ids, each batch in a transaction."""
        self._analyze(self.default)  # without statistics, each batch may scan the whole table
        last, end = _BEFORE_ALL_IDS, self._value("SELECT max(id) FROM {}", self.default.identifier)
        while end is not None and last < end:
            upper = self._value(
                "SELECT max(id) FROM (SELECT id FROM {} WHERE id > {} AND id <= {} ORDER BY id LIMIT {}) AS batch",
                self.default.identifier,
                *map(sql.Literal, (last, end, self.batch_rows)),
            )
            if upper is None:
                return
            batch = sql.SQL("id > {} AND id <= {}").format(sql.Literal(last), sql.Literal(upper))
            self.transactions.run("copy a batch", self._reading, partial(self._insert, batch))
            last = upper

    def catch_up(self) -> bool:
        """Wait, and correct noted rows, until every snapshot sees the same rows in the old table and in the new ones.

        Returns:
            Whether rows had to be corrected.
        """
        corrected = False
        self._wait_for_snapshots()
        while self._look_again():
            corrected = True
            self._wait_for_snapshots()
        return corrected

    def add_foreign_keys(self) -> None:
        """Add the foreign keys, and validate them while writers go on, so that ATTACH need not check the rows.

        This comes after the copy, because a cascade whose snapshot is older than a copied row would be refused.
        """
        keys = foreign_keys(self.connection)
        for target in self.targets:
            add = sql.SQL("; ").join(
                sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {} NOT VALID").format(
                    target.identifier, sql.Identifier(key.name), sql.SQL(key.definition)
                )
                for key in keys
            )
            validate = sql.SQL("; ").join(
                sql.SQL("ALTER TABLE {} VALIDATE CONSTRAINT {}").format(target.identifier, sql.Identifier(key.name))
                for key in keys
            )
            locks = [*self._referenced, TableLock(target, LockMode.SHARE_ROW_EXCLUSIVE)]
            self.transactions.run(f"add foreign keys to {target}", locks, partial(self.connection.execute, add))
            self._reconcile(target)
            self._validate(target, validate)
            self._analyze(target)

    def _reconcile(self, target: Relation) -> None:
        if self.inflow is not None:
            for month in self.months:
                if month.aside == target:
                    self.transactions.run(f"reconcile {month.month}", [], partial(self.inflow.reconcile, month))

    def _validate(self, target: Relation, statement: sql.Composed) -> None:
        """Validate the foreign keys; if that fails, take a second look and validate again.

        A row that was deleted while it was copied is an orphan in the new table until the second look.
        """
        while True:
            try:
                self.transactions.run(
                    f"validate foreign keys of {target}", [], partial(self.connection.execute, statement)
                )
            except psycopg.errors.ForeignKeyViolation as error:
                if not self.catch_up():
                    raise PartitionError(
                        f"{self.default} has a row that violates {error.diag.constraint_name} "
                        f"({error.diag.message_detail}), so it can be moved to no month. Nothing was changed. Delete "
                        "such rows (the integrity checks list them), and run again."
                    ) from error
            else:
                return

    def count(self) -> dict[Month, int]:
        """Count the rows of each month's table."""
        return {m.month: self._value("SELECT count(*) FROM {}", m.aside.identifier) or 0 for m in self.months}

    def exchange(self) -> bool:
        """Replace the default partition by the new tables; return False if a second look is needed first.

        Because of the lock on the parent, a writer chooses its row's partition either before the exchange, and the row
        is mirrored, or after it. ATTACH replaces the triggers by which the new tables' foreign keys watch the
        referenced tables, which needs an exclusive lock on those. That lock is taken last, because a writer checks the
        foreign key after it has inserted its row.
        """
        exclusive = [PARENT, self.default, *self.targets]
        locks = [
            *self._referenced,
            *(TableLock(table, LockMode.ACCESS_EXCLUSIVE) for table in exclusive),
            *(TableLock(lock.relation, LockMode.ACCESS_EXCLUSIVE, strengthens=True) for lock in self._referenced),
        ]
        return self.transactions.run("exchange the default partition", locks, self._exchange)

    def _exchange(self) -> bool:
        if self._value("SELECT count(*) FROM {}", SECOND_LOOK.identifier):
            return False
        retired = Relation(WORKSHOP, f"{self.default.name}_retired")
        execute(self.connection, "ALTER TABLE {} DETACH PARTITION {}", PARENT.identifier, self.default.identifier)
        _stop_mirror(self.connection, self.default)  # foreign keys still cascade into the table until it is dropped
        rename(self.connection, self.default, retired)
        mark(self.connection, retired)
        for month in self.months:
            attach(self.connection, month)
        _attach_default(self.connection, self.next_default, self.default)
        if self.inflow is not None:
            self.inflow.arrive()
        return True

    def _look_again(self) -> bool:
        """Make the new tables agree with the default partition on a batch of noted rows; False if none is noted.

        If a session is deleted meanwhile, its row violates a foreign key; at the next attempt, the row is gone too.
        """
        transient = (psycopg.errors.ForeignKeyViolation,)
        return self.transactions.run("take a second look", self._reading, self._correct_noted, transient=transient)

    def _correct_noted(self) -> bool:
        keys = self.connection.execute(
            sql.SQL(
                "DELETE FROM {0} WHERE entry IN (SELECT entry FROM {0} ORDER BY entry LIMIT {1}) "
                "RETURNING id, conversation_time"
            ).format(SECOND_LOOK.identifier, sql.Literal(self.batch_rows))
        ).fetchall()
        if not keys:
            return False
        batch = sql.SQL("(id, conversation_time) IN ({})").format(
            sql.SQL(", ").join(sql.SQL("({}, {})").format(sql.Literal(i), sql.Literal(time)) for i, time in keys)
        )
        for target in self.targets:
            execute(self.connection, "DELETE FROM {} WHERE {}", target.identifier, batch)
        self._insert(batch)
        return True

    def _insert(self, batch: sql.Composable) -> None:
        """Copy rows into the tables where they belong, except those that the mirror has already written there.

        A writer that changes such a row before the copy is committed cannot see the copy, so it notes the row.
        """
        columns = self._column_list
        inserts = (
            sql.SQL("into_{} AS (INSERT INTO {} ({}) SELECT {} FROM batch WHERE {} ON CONFLICT DO NOTHING)").format(
                sql.SQL(str(number)), target.identifier, columns, columns, condition
            )
            for number, (target, condition) in enumerate(self._routes(TIME))
        )
        execute(
            self.connection,
            "WITH batch AS MATERIALIZED (SELECT {} FROM {} WHERE {}), {} SELECT",
            columns,
            self.default.identifier,
            batch,
            sql.SQL(", ").join(inserts),
        )

    def _routes(self, column: sql.Composable) -> list[tuple[Relation, sql.Composed]]:
        """Return each new table with the SQL condition of its rows."""
        months = [(month.aside, falls_between(column, month.lower, month.upper)) for month in self.months]
        rest = sql.SQL("NOT ({})").format(sql.SQL(" OR ").join(condition for _, condition in months))
        return [*months, (self.next_default, rest)]

    def _mirror(self) -> sql.Composed:
        """Compose the trigger function, with the new tables and their bounds written into it."""
        delete = sql.SQL("DELETE FROM {target} WHERE id = OLD.id AND conversation_time = OLD.conversation_time;")
        insert = sql.SQL("INSERT INTO {target} ({columns}) VALUES ({values});")
        values = sql.SQL(", ").join(sql.SQL("NEW.{}").format(sql.Identifier(name)) for name in self.columns)
        return sql.SQL(read_sql("partitions", "create_mirror.sql")).format(
            function=MIRROR.identifier,
            second_look=SECOND_LOOK.identifier,
            clear_all=sql.SQL(" ").join(sql.SQL("DELETE FROM {};").format(t.identifier) for t in self.targets),
            delete_old=self._route("OLD", lambda target: delete.format(target=target)),
            insert_new=self._route(
                "NEW", lambda target: insert.format(target=target, columns=self._column_list, values=values)
            ),
        )

    def _route(self, record: str, statement: Callable[[sql.Identifier], sql.Composed]) -> sql.Composed:
        """Compose the PL/pgSQL that runs the statement on the new table to which the record's row belongs."""
        return sql.SQL("CASE {} END CASE;").format(
            sql.SQL(" ").join(
                sql.SQL("WHEN {} THEN {}").format(condition, statement(target.identifier))
                for target, condition in self._routes(sql.SQL("{}.conversation_time").format(sql.SQL(record)))
            )
        )

    def _wait_for_snapshots(self) -> None:
        """Wait, without any lock, until the snapshots that are older than the last commit have ended."""
        sys.audit(STEP_EVENT, "wait for old snapshots")
        patience = Patience(self.transactions.policy, "wait for old snapshots", FIRST_PAUSE, LONGEST_PAUSE)
        old = self._snapshots()
        while old := old & self._snapshots():
            with self.connection.cursor(row_factory=class_row(Blocker)) as cursor:
                pids = {"pids": [pid for pid, _, _ in old]}
                patience.pause(cursor.execute(read_sql("postgres", "describe_sessions.sql"), pids).fetchall())

    def _snapshots(self) -> set[tuple[int, str, str]]:
        return set(self.connection.execute(read_sql("partitions", "list_snapshots.sql")).fetchall())

    def _analyze(self, table: Relation) -> None:
        self.transactions.run(f"analyze {table}", [], partial(execute, self.connection, "ANALYZE {}", table.identifier))

    @property
    def _referenced(self) -> list[TableLock]:
        return referenced_locks(self.connection, LockMode.SHARE_ROW_EXCLUSIVE)

    @property
    def _reading(self) -> list[TableLock]:
        return [TableLock(self.default, LockMode.ACCESS_SHARE)]

    @property
    def _column_list(self) -> sql.Composed:
        return sql.SQL(", ").join(map(sql.Identifier, self.columns))

    def _value(self, query: str, *parts: sql.Composable) -> int | None:
        value: int | None = read_value(self.connection, sql.SQL(query).format(*parts))
        return value


def _stop_mirror(connection: Connection, table: Relation) -> None:
    execute(connection, "ALTER TABLE {} RESET (autovacuum_enabled)", table.identifier)
    for trigger in (ROW_TRIGGER, TRUNCATE_TRIGGER):
        execute(connection, "DROP TRIGGER {} ON {}", trigger, table.identifier)


def _attach_default(connection: Connection, aside: Relation, default: Relation) -> None:
    """Attach a new table as the default partition, with the names of the previous one and of its indexes."""
    rename(connection, aside, default)
    execute(connection, "ALTER TABLE {} ATTACH PARTITION {} DEFAULT", PARENT.identifier, default.identifier)
    finish(connection, default, "Conversations of no month that has a partition.")
    for schema, old, new in connection.execute(
        read_sql("partitions", "list_index_names.sql"),
        {"table": default.quoted, "old": aside.name, "new": default.name},
    ).fetchall():
        execute(connection, "ALTER INDEX {} RENAME TO {}", sql.Identifier(schema, old), sql.Identifier(new))


def _next(default: Relation) -> Relation:
    return Relation(WORKSHOP, f"{default.name}_next")


def _columns(connection: Connection, table: Relation) -> tuple[str, ...]:
    """Return the columns that a copy writes, which are all but the generated ones."""
    rows = connection.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped "
        "AND attgenerated = '' ORDER BY attnum",
        (table.quoted,),
    )
    return tuple(name for (name,) in rows)
