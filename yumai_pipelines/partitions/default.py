"""The default partition: moves rows out of it into their months while everybody goes on reading and writing.

PostgreSQL refuses to attach a month while the default partition holds rows of it. So the month's table and a new
default partition are filled aside, and put in its place at once:

1. A trigger makes each change of the old default partition in the new tables too, in the writer's own transaction,
   so that the same snapshots see it in both.
2. The rows that were there before are copied in batches. What could not be mirrored is noted for a second look.
3. Snapshots older than the copy are waited for, without any lock. From then on, every snapshot sees the same rows in
   the old table and in the new ones.
4. One transaction of catalogue changes detaches the old and attaches the new. The old table is dropped afterwards.

A run killed anywhere leaves the old default partition whole, or the new ones; `clean_up` removes what was aside.
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
"""Pauses between looks at who still has an old snapshot: nobody waits for us meanwhile."""

_BEFORE_ALL_IDS = -(2**63)


def ensure_default(transactions: PatientTransactions, partitions: Iterable[Partition]) -> Relation:
    """The default partition, made when there is none: without it, a row that has no month is refused."""
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
    """Rows that a month gets from elsewhere, before it gets those of the default partition."""

    def fill(self, table: MonthTable) -> None:
        """Write them into the month's table, which stands aside and is empty."""

    def reconcile(self, table: MonthTable) -> None:
        """Bring them to where the foreign keys hold, which are there by now, but not proven."""

    def arrive(self) -> None:
        """Say that they are there; in the transaction in which everybody sees them."""


def move_out_of_default(
    transactions: PatientTransactions,
    months: Sequence[MonthTable],
    default: Relation,
    zone: ZoneInfo,
    batch_rows: int,
    inflow: Inflow | None = None,
) -> dict[Month, int]:
    """Give each month a partition with the rows that the default partition has of it.

    Args:
        transactions: how locks are taken.
        months: they have no partition yet.
        default: the default partition.
        zone: the business's time zone.
        batch_rows: rows that one transaction copies.
        inflow: what each month gets besides.

    Returns:
        The rows that each month got, as counted before the exchange.

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
        """Make the new tables. The next default's check rules the months out, so that ATTACH need not scan it."""
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
        """Write into the months' tables what they get from elsewhere."""
        if self.inflow is not None:
            for month in self.months:
                self.transactions.run(f"fill {month.month}", [], partial(self.inflow.fill, month))

    def start_mirror(self) -> None:
        """From here on, what is written to the default partition is written to the new tables too.

        Autovacuum keeps off: a vacuum of what is about to be dropped would only be in the way.
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
        """Copy the rows that were there before the mirror, by id, a batch in a transaction."""
        self._analyze(self.default)  # or each batch may scan it all
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
        """Come to where every snapshot sees the same rows in the old table and in the new ones.

        Returns:
            Whether rows had to be corrected for that.
        """
        corrected = False
        self._wait_for_snapshots()
        while self._look_again():
            corrected = True
            self._wait_for_snapshots()
        return corrected

    def add_foreign_keys(self) -> None:
        """Add the foreign keys, and validate them while writers go on, so that ATTACH finds them proven.

        They come after the copy: a cascade from a snapshot older than the copied row would be refused.
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
        """Validate, again after a second look: a row that went during its copy stands there as an orphan until then."""
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
        """The rows of each month's table."""
        return {m.month: self._value("SELECT count(*) FROM {}", m.aside.identifier) or 0 for m in self.months}

    def exchange(self) -> bool:
        """Put the new tables in the place of the default partition; False when a second look is due first.

        The lock on the parent makes writers choose their row's partition before, when it is mirrored, or after. ATTACH
        replaces the triggers by which the new tables' foreign keys watch the tables that they point to, which takes an
        exclusive lock there; it comes last, since a writer whose row is in checks the foreign key after it.
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
        _stop_mirror(self.connection, self.default)  # its foreign keys go on cascading into it until it is dropped
        rename(self.connection, self.default, retired)
        mark(self.connection, retired)
        for month in self.months:
            attach(self.connection, month)
        _attach_default(self.connection, self.next_default, self.default)
        if self.inflow is not None:
            self.inflow.arrive()
        return True

    def _look_again(self) -> bool:
        """Make the new tables agree with the default partition on a batch of noted rows; False when none is noted.

        A session that goes meanwhile takes its row along, and is no orphan the next time.
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
        """Copy rows to where they belong; a row that the mirror was quicker with is there already.

        A writer that changes such a row before the copy is committed cannot see it there, and notes it.
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
        """Each new table with the condition of its rows."""
        months = [(month.aside, falls_between(column, month.lower, month.upper)) for month in self.months]
        rest = sql.SQL("NOT ({})").format(sql.SQL(" OR ").join(condition for _, condition in months))
        return [*months, (self.next_default, rest)]

    def _mirror(self) -> sql.Composed:
        """The trigger function, with the new tables and their bounds written into it."""
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
        """PL/pgSQL that runs the statement on the new table in which the record's row belongs."""
        return sql.SQL("CASE {} END CASE;").format(
            sql.SQL(" ").join(
                sql.SQL("WHEN {} THEN {}").format(condition, statement(target.identifier))
                for target, condition in self._routes(sql.SQL("{}.conversation_time").format(sql.SQL(record)))
            )
        )

    def _wait_for_snapshots(self) -> None:
        """Wait, without any lock, for the snapshots that are older than what was just committed."""
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
    """Make a table that was built aside the default partition, under the names that the one before had."""
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
    """The columns that a copy writes: not the generated ones."""
    rows = connection.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped "
        "AND attgenerated = '' ORDER BY attnum",
        (table.quoted,),
    )
    return tuple(name for (name,) in rows)
