"""Checks foreign keys in two ways: as constraints, and by following the references of the rows.

Both are needed, because rows can get past a foreign key (`session_replication_role`, `DISABLE TRIGGER ALL`, NOT VALID).
The module `defs.integrity.checks` makes checks of Dagster from these.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NamedTuple

from psycopg import sql
from psycopg.rows import class_row

from yumai_pipelines.integrity.findings import SAMPLE, Block, Finding
from yumai_pipelines.integrity.repair import RepairAction, action_for, steps
from yumai_pipelines.integrity.samples import sample
from yumai_pipelines.model.registry import SESSIONS
from yumai_pipelines.model.relations import Relation
from yumai_pipelines.partitions.tables import describe_partitions, falls_between
from yumai_pipelines.postgres.sql_files import read_sql
from yumai_pipelines.schema import snapshot
from yumai_pipelines.schema.differences import list_accepted
from yumai_pipelines.schema.tables import table_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from yumai_pipelines.integrity.scope import Scope
    from yumai_pipelines.model.months import Month
    from yumai_pipelines.partitions.tables import Partition
    from yumai_pipelines.postgres.connections import Connection
    from yumai_pipelines.schema.tables import ForeignKey

_PAST_A_KEY = (
    "rows get past a foreign key when session_replication_role is replica, when its triggers are disabled "
    "(ALTER TABLE … DISABLE TRIGGER ALL, pg_restore --disable-triggers), and while it is missing or NOT VALID"
)

_JOB = "it looks and changes nothing until it is launched with dry_run off, and keeps whatever it takes away."


class KeyState(NamedTuple):
    """A foreign key as it is in the database: a row of `sql/integrity/describe_foreign_keys.sql`."""

    schema: str
    name: str
    key: str
    column: str
    referenced_schema: str
    referenced_name: str
    referenced_column: str
    on_delete: str
    validated: bool
    triggers: int
    triggers_needed: int
    disabled_on: list[str] | None

    @property
    def relation(self) -> Relation:
        """The table or partition that has the key."""
        return Relation(self.schema, self.name)

    @property
    def referenced(self) -> Relation:
        """The table that the key refers to."""
        return Relation(self.referenced_schema, self.referenced_name)


@dataclass(frozen=True)
class Fault:
    """What is wrong with a foreign key on one table or partition, and the SQL that corrects it."""

    relation: Relation
    key: ForeignKey
    what: str
    blocks: tuple[Block, ...]
    of_rows: bool = False


@dataclass(frozen=True)
class Constraints:
    """The foreign keys of a table and its partitions, as they are in the database.

    Attributes:
        scope: names the table.
        states: the foreign keys that have one column.
        partitions: the partitions of the table, if it has any.
    """

    scope: Scope
    states: tuple[KeyState, ...]
    partitions: tuple[Partition, ...]

    @classmethod
    def read(cls, connection: Connection, scope: Scope) -> Constraints:
        """Read the foreign keys and the partitions from PostgreSQL's catalogue."""
        relation = scope.table.relation
        with connection.cursor(row_factory=class_row(KeyState)) as cursor:
            states = cursor.execute(read_sql("integrity", "describe_foreign_keys.sql"), {"table": relation.quoted})
            partitions = describe_partitions(connection, scope.zone) if scope.table.partitioned else ()
            return cls(scope, tuple(states), tuple(partitions))

    @cached_property
    def _by_column(self) -> dict[tuple[Relation, str], list[KeyState]]:
        """The states by relation and column, because searching all of them for each key takes too long."""
        by_column: dict[tuple[Relation, str], list[KeyState]] = {}
        for state in self.states:
            by_column.setdefault((state.relation, state.column), []).append(state)
        return by_column

    def relations(self, month: Month | None) -> list[Relation]:
        """Return the table and its partitions; for a month, only that month's partition and the default partition."""
        return [
            self.scope.table.relation,
            *(
                each.relation
                for each in self.partitions
                if month is None
                or each.is_default
                or each.overlaps(month.start(self.scope.zone), month.end(self.scope.zone))
            ),
        ]

    def state(self, relation: Relation, key: ForeignKey) -> KeyState | None:
        """Return the key of the column on the relation; of several, the one that refers to the right table."""
        states = self._by_column.get((relation, key.column), [])
        return next((each for each in states if each.referenced == key.referenced), next(iter(states), None))


@dataclass(frozen=True)
class References:
    """How many rows of one scope refer to nothing.

    Attributes:
        scope: the rows that were looked at.
        keys: the foreign keys that were followed, or are accepted.
        counts: the number of rows that refer to nothing, by key and month; of an accepted key, none.
        accepted: keys that are missing or not validated, and may stay so, each with why.
    """

    scope: Scope
    keys: tuple[ForeignKey, ...]
    counts: dict[ForeignKey, dict[Month | None, int]]
    accepted: dict[ForeignKey, str]

    @classmethod
    def follow(cls, connection: Connection, scope: Scope, keys: Sequence[ForeignKey]) -> References:
        """Follow each of the keys from each row of the scope, but for those that are accepted as they are."""
        accepted = accepted_keys(connection, keys)
        none = dict.fromkeys(scope.places, 0)
        counts = {key: none if key in accepted else _broken(connection, scope, key) for key in keys}
        return cls(scope, tuple(keys), counts, accepted)

    def broken(self, month: Month | None, key: ForeignKey) -> int:
        """Return the number of rows of the month, or of all rows for None, whose key refers to nothing."""
        return self.counts[key][month]


def accepted_keys(connection: Connection, keys: Iterable[ForeignKey]) -> dict[ForeignKey, str]:
    """The foreign keys that differ and may stay so, such as those of an adopted database, each with why."""
    accepted = {each.object: each.why for each in list_accepted(connection)}
    names = {key: f"constraint {key.table}.{key.name}" for key in keys}
    return {key: accepted[name] for key, name in names.items() if name in accepted}


def _broken(connection: Connection, scope: Scope, key: ForeignKey) -> dict[Month | None, int]:
    """Count the rows whose key refers to nothing, by month.

    If the scope is the whole table, all of them are counted together first, and by month only if there are any: a plain
    count costs half as much, and needs only indexes.
    """
    found: list[tuple[int, int]] = []
    if not scope.whole:
        found = connection.execute(_in_months(key, scope)).fetchall()
    for place in (sql.SQL("0"), scope.place) if scope.whole else ():
        statement = sql.SQL(read_sql("integrity", "count_broken_references.sql")).format(
            place=place, table=scope.table.relation.identifier, rows=_broken_rows(key, scope, None)
        )
        found = connection.execute(statement).fetchall()
        if not found:
            break
    return {month: count for month, (count,) in scope.totals(found, width=1).items()}


def _in_months(key: ForeignKey, scope: Scope) -> sql.Composed:
    """Compose the count of the rows of some months whose key refers to nothing.

    Rows mostly refer to sessions that started in the same months or the day before, so these are looked up first.
    """
    referenced = key.referenced.identifier, sql.Identifier(key.referenced_column), sql.Identifier(key.column)
    started = table_of(key.referenced).time
    nearby: sql.Composable = sql.SQL("true")
    if started:
        nearby = sql.SQL("NOT EXISTS (SELECT FROM {} AS r WHERE r.{} = t.{} AND {})").format(
            *referenced,
            falls_between(
                sql.Identifier("r", started),
                scope.months[0].start(scope.zone) - timedelta(days=1),
                scope.months[-1].end(scope.zone),
            ),
        )
    return sql.SQL(read_sql("integrity", "count_broken_references_of_months.sql")).format(
        place=scope.place,
        table=scope.table.relation.identifier,
        column=referenced[2],
        referenced=referenced[0],
        referenced_column=referenced[1],
        scope=scope.condition(),
        nearby=nearby,
    )


def _listing(key: ForeignKey, scope: Scope, month: Month | None) -> sql.Composed:
    """Compose the query that lists the rows whose key refers to nothing."""
    owner = scope.table
    columns = dict.fromkeys((*owner.key, key.column, *([owner.time] if owner.time else [])))
    return sql.SQL(read_sql("integrity", "list_broken_references.sql")).format(
        columns=sql.SQL(", ").join(sql.Identifier("t", column) for column in columns),
        table=owner.relation.identifier,
        rows=_broken_rows(key, scope, month),
        order=sql.SQL(", ").join(sql.Identifier("t", column) for column in owner.key),
    )


def _broken_rows(key: ForeignKey, scope: Scope, month: Month | None) -> sql.Composed:
    """Compose the SQL condition that a row `t` is in the scope and its key refers to nothing."""
    return sql.SQL(
        "t.{column} IS NOT NULL\n"
        "    AND NOT EXISTS (SELECT FROM {referenced} AS r WHERE r.{referenced_column} = t.{column})\n"
        "    AND {scope}"
    ).format(
        column=sql.Identifier(key.column),
        referenced=key.referenced.identifier,
        referenced_column=sql.Identifier(key.referenced_column),
        scope=scope.condition(month),
    )


def _blocks(
    connection: Connection, key: ForeignKey, scope: Scope, month: Month | None, *actions: RepairAction
) -> tuple[Block, ...]:
    """Return what lists the rows whose key refers to nothing and, for each action, what the job repair_orphans does.

    Several actions are alternatives: once one of them has run, no row is left for the others.
    """
    rows = _broken_rows(key, scope, month)
    listing = _listing(key, scope, month).as_string(connection)
    alternatives = ["either ", "or "] if len(actions) > 1 else [""]
    return (
        Block.of(f"list the rows whose {key.column} names nothing", listing),
        *(
            Block.of(
                f"{alternative}{_DOES[action].format(column=key.column)}",
                *(step.statement.as_string(connection) for step in steps(key, action, rows, "by hand")),
            )
            for alternative, action in zip(alternatives, actions, strict=True)
        ),
    )


_DOES = {
    RepairAction.RECOVER: "give the rows their sessions again",
    RepairAction.EMPTY: "empty {column}, and keep the rows as they were in the quarantine",
    RepairAction.MOVE: "move the rows to the quarantine",
}


def orphans(connection: Connection, references: References, month: Month | None) -> Finding:
    """Find the rows that belong to no session. Section 7.3 of the database document."""
    scope = references.scope
    key = scope.table.session_key
    if key is None:
        raise ValueError(f"{scope.table.relation} has no foreign key to {SESSIONS}")
    count = references.broken(month, key)
    subject = f"rows of {scope.table.relation} without a session"
    if not count:
        return Finding(subject, count)
    return Finding(
        subject=subject,
        count=count,
        sample=sample(connection, _listing(key, scope, month)),
        cause=f"{_PAST_A_KEY}. See the check foreign_keys.",
        remedy=f"launch the job repair_orphans: {_JOB} Or run the SQL by hand, and of the last two one.",
        blocks=_blocks(connection, key, scope, month, RepairAction.RECOVER, RepairAction.MOVE),
    )


def foreign_keys(
    connection: Connection, constraints: Constraints, references: References, month: Month | None
) -> Finding:
    """Find what is wrong with the foreign keys of a table and of its partitions, and the rows that violate them.

    For a month, these are the table, its default partition and the month's partition; without one, all partitions.
    """
    owner = references.scope.table
    faults: list[Fault] = []
    shown: list[dict[str, Any]] = []
    relations = constraints.relations(month)
    for relation in relations:
        for key in references.keys:
            state, found = constraints.state(relation, key), list[Fault]()
            if key not in references.accepted:
                here = constraints.state(owner.relation, key)
                renew = partial(_renew, connection, key, here, partitioned=owner.partitioned)
                found = _faults(connection, relation, key, state, renew)
            if relation == owner.relation and references.broken(month, key):
                found.append(_violations(connection, references, key, month))
            faults += found
            shown.append(
                {
                    "table": str(relation),
                    "foreign_key": f"{key.column} → {key.referenced.name}",
                    "on_delete": state.on_delete if state else "",
                    "fault": "; ".join(fault.what for fault in found),
                    "accepted": references.accepted.get(key, ""),
                }
            )
    return Finding(
        subject=f"faults of {len(shown)} foreign keys of {owner.relation}",
        count=len(faults),
        sample=[
            {"table": str(fault.relation), "foreign_key": fault.key.name, "fault": fault.what}
            for fault in faults[:SAMPLE]
        ],
        cause=f"somebody changed the constraints, or a restore left them half done; {_PAST_A_KEY}.",
        remedy="run the SQL in its order, in a quiet hour: adding a foreign key stops writers. Rows that refer to "
        f"nothing can be left to the job repair_orphans: {_JOB}",
        # Rows first: no constraint is added or validated over rows that violate it.
        blocks=list(
            dict.fromkeys(
                block for fault in sorted(faults, key=lambda each: not each.of_rows) for block in fault.blocks
            )
        ),
        metadata={"foreign_keys": shown},
    )


def _faults(
    connection: Connection,
    relation: Relation,
    key: ForeignKey,
    state: KeyState | None,
    renew: Callable[[], Block],
) -> list[Fault]:
    """Find what is wrong with the constraint of a foreign key of a table or partition; `renew` makes it anew."""
    if state is None:
        return [Fault(relation, key, "is missing", (renew(),))]
    faults = []
    if (state.referenced, state.referenced_column) != (key.referenced, key.referenced_column):
        refers = f"refers to {state.referenced}.{state.referenced_column}"
        faults.append(Fault(relation, key, f"{refers} instead of {key.referenced}.{key.referenced_column}", (renew(),)))
    if state.on_delete != key.on_delete:
        faults.append(Fault(relation, key, f"ON DELETE {state.on_delete} instead of {key.on_delete}", (renew(),)))
    if not state.validated:
        validate = _alter(relation.identifier, "VALIDATE CONSTRAINT {}", sql.Identifier(state.key))
        block = Block.of(f"validate {state.key} on {relation}", validate.as_string(connection))
        faults.append(Fault(relation, key, "is not validated", (block,)))
    if state.disabled_on:
        enable = tuple(
            # Those that note changes of the logs are to fire always, and every month is built once more.
            Block.of(
                f"enable the triggers of {name}",
                f"ALTER TABLE {name} ENABLE TRIGGER ALL",
                "SELECT yumai_pipelines.watch_sources()",
            )
            for name in state.disabled_on
        )
        faults.append(Fault(relation, key, f"its triggers are disabled on {', '.join(state.disabled_on)}", enable))
    elif state.triggers < state.triggers_needed:
        faults.append(Fault(relation, key, f"has {state.triggers} of its {state.triggers_needed} triggers", (renew(),)))
    return faults


def _renew(connection: Connection, key: ForeignKey, state: KeyState | None, *, partitioned: bool) -> Block:
    """Return what drops the key of a table, if it is there, and adds it as the migrations define it.

    PostgreSQL 17 has no NOT VALID foreign keys on partitioned tables, so there the rows are checked under the lock.
    """
    owner, name = key.table.identifier, sql.Identifier(key.name)
    drops = [_alter(owner, "DROP CONSTRAINT {}", sql.Identifier(state.key))] if state else []
    add = _alter(
        owner,
        "ADD CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {} ({}) ON DELETE {}{}",
        name,
        sql.Identifier(key.column),
        key.referenced.identifier,
        sql.Identifier(key.referenced_column),
        sql.SQL(key.on_delete),
        sql.SQL("" if partitioned else " NOT VALID"),
    )
    validate = [] if partitioned else [_alter(owner, "VALIDATE CONSTRAINT {}", name)]
    why = sql.SQL("COMMENT ON CONSTRAINT {} ON {} IS {}").format(name, owner, sql.Literal(_comment(key)))
    statements = (each.as_string(connection) for each in (*drops, add, *validate, why))
    return Block.of(f"make {key.name} again", *statements, apart=not partitioned)


def _comment(key: ForeignKey) -> str | None:
    """Return the comment of the migrations that says why the key has its rule on delete."""
    name = f"{key.table}.{key.name}"
    return next((each.comment for each in snapshot.shipped() if each.name == name), None)


def _alter(relation: sql.Identifier, action: str, *parts: sql.Composable) -> sql.Composed:
    return sql.SQL("ALTER TABLE {} {}").format(relation, sql.SQL(action).format(*parts))


def _violations(connection: Connection, references: References, key: ForeignKey, month: Month | None) -> Fault:
    """Report the rows that refer to nothing: their number, and the first of them."""
    scope, count = references.scope, references.broken(month, key)
    first = [
        ", ".join(f"{column} {row[column]}" for column in (*scope.table.key, key.column))
        for row in sample(connection, _listing(key, scope, month))
    ]
    more = f"; and {count - len(first):,} more" if count > len(first) else ""
    return Fault(
        scope.table.relation,
        key,
        f"rows that refer to nothing: {count:,} ({'; '.join(first)}{more})",
        _blocks(connection, key, scope, month, action_for(key)),
        of_rows=True,
    )
