"""Converts columns of the core to our types, with short locks only: wall time to instants, and other types to ours.

ALTER COLUMN TYPE would rewrite the table under an exclusive lock. Instead a shadow column of the right type is added:
a trigger fills it in new rows, batches fill it in older rows, and one transaction of catalogue changes puts it in the
place of theirs. The cost: each row is written once more, so the table grows by its own size until it is vacuumed, and
the column becomes the last of its table. A column that something depends on (a view, an unknown index), or whose values
may not all be values of ours, is kept under another name, and is still filled.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from yumai_pipelines.adoption.batches import in_batches
from yumai_pipelines.adoption.compatibility import TRIGGER as OLDER_APPLICATION
from yumai_pipelines.adoption.compatibility import compatibility_function, has_trigger
from yumai_pipelines.adoption.constraints import drop_proof, prove_values
from yumai_pipelines.adoption.core import MACHINERY
from yumai_pipelines.adoption.indexes import make_index
from yumai_pipelines.adoption.kinds import CONVERSIONS, Kind, There, index_kind
from yumai_pipelines.adoption.registry import SESSION_CHILDREN, table_of
from yumai_pipelines.adoption.steps import exclusively, family
from yumai_pipelines.adoption.target import AWARE, NAIVE, ColumnShape, home, index_tail, own_name, within
from yumai_pipelines.adoption.types import becomes, converted
from yumai_pipelines.model.relations import Relation
from yumai_pipelines.postgres.sql_files import read_sql
from yumai_pipelines.postgres.values import read_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from yumai_pipelines.adoption.kinds import Ruling
    from yumai_pipelines.adoption.steps import Steps
    from yumai_pipelines.postgres.connections import Connection
    from yumai_pipelines.schema.snapshot import SchemaObject

TRIGGER = "yumai_a_wall_time"
"""Fires before the trigger of `compatibility`, which reads the time: triggers fire in the order of their names."""

_WORD = re.compile(r"[a-z_]\w*")

_ZONELESS = {NAIVE, "date"}

SHADOW, KEPT, KEPT_BESIDE = "yumai_{}", "{}_naive", "{}_older"


@dataclass(frozen=True)
class Conversion:
    """A column that is converted.

    Attributes:
        name: its name.
        kind: how.
        ours: our column.
        theirs: theirs.
    """

    name: str
    kind: Kind
    ours: ColumnShape
    theirs: ColumnShape

    @property
    def shadow(self) -> str:
        """The name of the column of our type while it is filled."""
        return SHADOW.format(self.name)

    @property
    def kept(self) -> str:
        """The name of theirs if it is kept."""
        return (KEPT if self.kind == Kind.WALL_TIME else KEPT_BESIDE).format(self.name)

    @property
    def type(self) -> str:
        """The type that it gets: ours, or a text of any length."""
        return becomes(self.ours.type, self.theirs.type)

    def value(self, row: str, zone: str) -> sql.Composed:
        """SQL of the value of ours for a row."""
        theirs = sql.SQL("{}.{}").format(sql.SQL(row), sql.Identifier(self.name))
        return converted(self.type, self.theirs.type, theirs, zone)


def give_times(steps: Steps) -> None:
    """Give rows of the logs without a time one of a row near them, where the times are instants already."""
    for each in steps.of_kind(Kind.TIMES_GIVEN):
        _guess_times(steps, home(each.difference), own_name(each.difference))


def _guess_times(steps: Steps, table: Relation, column: str) -> None:
    time, key = sql.Identifier(column), table_of(table).key[0]
    lacks = sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE {} IS NULL)").format(table.identifier, time)

    def guess(scope: sql.Composable) -> sql.Composed:
        return sql.SQL(read_sql("adoption", "guess_times.sql")).format(
            table=table.identifier, time=time, key=sql.Identifier(key), scope=scope
        )

    if read_value(steps.connection, lacks):
        in_batches(steps, f"guess missing times of {table}", table, key, guess, silently=True)


def list_conversions(rulings: Iterable[Ruling]) -> dict[Relation, tuple[Conversion, ...]]:
    """The columns that are converted, by table."""
    found: dict[Relation, tuple[Conversion, ...]] = {}
    for each in rulings:
        if each.kind in CONVERSIONS and each.difference.found is not None:
            shapes = map(ColumnShape.parse, (each.expected.definition, each.difference.found.definition))
            column = Conversion(own_name(each.difference), each.kind, *shapes)
            found[home(each.difference)] = (*found.get(home(each.difference), ()), column)
    return found


def convert(steps: Steps, zone: str) -> None:
    """Convert every column that has to be."""

    def run(lane: Steps, table: Relation, columns: tuple[Conversion, ...]) -> None:
        _Conversions(lane, table, columns, zone, there).run()

    # Read once, before the conversions change the catalogue side by side.
    found, there = list_conversions(steps.rulings()), steps.there()
    steps.at_once([partial(run, table=table, columns=columns) for table, columns in found.items()])


@dataclass(frozen=True)
class _Conversions:
    """The conversions of one table."""

    steps: Steps
    table: Relation
    columns: tuple[Conversion, ...]
    zone: str
    there: There

    def run(self) -> None:
        self._add_shadow_columns()
        self._fill()
        for index in self._indexes:
            make_index(self.steps, self.table, self._building(own_name(index)), self._renamed(index))
        self.steps.vacuum(self.table)
        prove_values(self.steps, self.table, [column.shadow for column in self._times])
        self.steps.briefly(self._exchanging, exclusively(*self._family), self._exchange)

    @property
    def _exchanging(self) -> str:
        times = all(column.kind == Kind.WALL_TIME for column in self.columns)
        return f"exchange the {'times' if times else 'columns'} of {self.table}"

    @property
    def connection(self) -> Connection:
        return self.steps.connection

    @cached_property
    def _family(self) -> list[Relation]:
        return family(self.connection, self.table)

    @property
    def function(self) -> Relation:
        return wall_time_function(self.table)

    @cached_property
    def _times(self) -> list[Conversion]:
        """Times that no row may lack: one that does gets a time of a row near it."""
        return [column for column in self.columns if column.ours.not_null and column.ours.type == AWARE]

    @cached_property
    def _indexes(self) -> list[SchemaObject]:
        """Our indexes of the columns; those of a table with partitions are built after the exchange."""
        if len(self._family) > 1:
            return []
        names = {column.name for column in self.columns}
        return [
            each
            for each in within("index", self.table)
            if names & set(_WORD.findall(index_tail(each.definition)))
            and index_kind(self.table, each.definition, self.there) == Kind.INDEX
        ]

    def _renamed(self, index: SchemaObject) -> str:
        """The definition of an index of the shadow columns."""
        shadows = {column.name: column.shadow for column in self.columns}
        return _WORD.sub(lambda word: shadows.get(word[0], word[0]), index_tail(index.definition))

    def _building(self, index: str) -> Relation:
        return self._index(SHADOW.format(index))

    def _add_shadow_columns(self) -> None:
        """Add the shadow columns and the trigger that fills them, together, so that every new row has them."""
        if has_trigger(self.connection, self.table, TRIGGER):
            return
        assignments = [
            sql.SQL("NEW.{} := {};").format(sql.Identifier(column.shadow), self._new_value(column))
            for column in self.columns
        ]
        function = sql.SQL(read_sql("adoption", "create_shadow_function.sql")).format(
            table=sql.SQL(str(self.table)),
            function=self.function.identifier,
            assignments=sql.SQL("\n    ").join(assignments),
        )
        add = [
            sql.SQL("ALTER TABLE {} ADD COLUMN {} {}").format(
                self.table.identifier, sql.Identifier(column.shadow), sql.SQL(column.type)
            )
            for column in self.columns
        ]
        what = f"add columns of our types to {self.table}"
        self.steps.briefly(what, exclusively(*self._family), [*add, function, self._trigger()])

    def _new_value(self, column: Conversion) -> sql.Composed:
        """SQL of a new row's value; a required time that is left out becomes now."""
        value = column.value("NEW", self.zone)
        return sql.SQL("coalesce({}, now())").format(value) if column in self._times else value

    def _trigger(self) -> sql.Composed:
        return sql.SQL(
            "CREATE TRIGGER {} BEFORE INSERT OR UPDATE OF {} ON {} FOR EACH ROW EXECUTE FUNCTION {}()"
        ).format(
            sql.Identifier(TRIGGER),
            sql.SQL(", ").join(sql.Identifier(column.name) for column in self.columns),
            self.table.identifier,
            self.function.identifier,
        )

    def _fill(self) -> None:
        """Fill older rows: first those with a value, then those that lack a required time, from a row near them."""
        sets = [
            sql.SQL("{} = {}").format(sql.Identifier(column.shadow), column.value("t", self.zone))
            for column in self.columns
        ]
        lacking = [
            sql.SQL("(t.{} IS NULL AND t.{} IS NOT NULL)").format(
                sql.Identifier(column.shadow), sql.Identifier(column.name)
            )
            for column in self.columns
        ]
        key = table_of(self.table).key[0]

        def fill(scope: sql.Composable) -> sql.Composed:
            return sql.SQL("UPDATE {} AS t SET {} WHERE {} AND ({})").format(
                self.table.identifier, sql.SQL(", ").join(sets), scope, sql.SQL(" OR ").join(lacking)
            )

        in_batches(self.steps, f"fill the columns of our types of {self.table}", self.table, key, fill, silently=True)
        for column in self._times:
            _guess_times(self.steps, self.table, column.shadow)

    def _exchange(self) -> None:
        execute = self.connection.execute
        execute(sql.SQL("DROP TRIGGER {} ON {}").format(sql.Identifier(TRIGGER), self.table.identifier))
        kept = [column for column in self.columns if column.kind == Kind.BESIDE or self._is_used(column)]
        for index in self._indexes:
            execute(sql.SQL("DROP INDEX IF EXISTS {}").format(self._index(own_name(index)).identifier))
        for column in self.columns:
            self._exchange_column(column, keep=column in kept)
        for index in self._indexes:
            building, name = self._building(own_name(index)), sql.Identifier(own_name(index))
            execute(sql.SQL("ALTER INDEX {} RENAME TO {}").format(building.identifier, name))
        naive = [
            column.name for column in self.columns if column.ours.type == AWARE and column.theirs.type in _ZONELESS
        ]
        if naive or kept:
            copies = {column.kept: self._older_value(column) for column in kept}
            times = [column.name for column in self._times]
            execute(reading_function(self.table, naive, times, copies, self.zone))
            execute(self._trigger())
        else:
            execute(sql.SQL("DROP FUNCTION {}()").format(self.function.identifier))
        for table in SESSION_CHILDREN:
            if table.relation == self.table and has_trigger(self.connection, self.table, OLDER_APPLICATION):
                execute(compatibility_function(table))

    def _older_value(self, column: Conversion) -> sql.Composed:
        """SQL of the value of theirs for a new row."""
        return older_value(column.name, self.zone, wall_time=column.ours.type == AWARE)

    def _exchange_column(self, column: Conversion, *, keep: bool) -> None:
        old, new = sql.Identifier(column.name), sql.Identifier(column.shadow)
        alter = partial(_alter, self.connection, self.table)
        if keep:
            alter(sql.SQL("ALTER {0} DROP DEFAULT, ALTER {0} DROP NOT NULL").format(old))
            alter(sql.SQL("RENAME {} TO {}").format(old, sql.Identifier(column.kept)))
        else:
            alter(sql.SQL("DROP COLUMN {}").format(old))
        if column in self._times:
            alter(sql.SQL("ALTER {} SET NOT NULL").format(new))
            self.connection.execute(drop_proof(self.table, column.shadow))
        alter(sql.SQL("RENAME {} TO {}").format(new, old))
        if default := self._default(column):
            alter(sql.SQL("ALTER {} SET DEFAULT {}").format(old, default))

    def _default(self, column: Conversion) -> sql.Composable | None:
        """Their default as a value of our type, if it can be one; or else ours."""
        if column.theirs.default and (self.table, column.name) not in MACHINERY:
            value = sql.SQL("({})::text::{}").format(sql.SQL(column.theirs.default), sql.SQL(column.type))
            try:
                with self.connection.transaction():
                    self.connection.execute(sql.SQL("SELECT {}").format(value))
            except psycopg.DataError:
                return None
            return value
        return sql.SQL(column.ours.default) if column.ours.default else None

    def _index(self, name: str) -> Relation:
        return Relation(self.table.schema, name)

    def _is_used(self, column: Conversion) -> bool:
        known = [self._index(own_name(index)).quoted for index in within("index", self.table)]
        return bool(dependents(self.connection, self.table, column.name, known))


def older_value(column: str, zone: str, *, wall_time: bool) -> sql.Composed:
    """SQL of what a column of theirs that is kept has for a new row, from ours: an instant is their wall time."""
    new = sql.SQL("NEW.{}").format(sql.Identifier(column))
    if wall_time:
        new = sql.SQL("({} AT TIME ZONE {})").format(new, sql.Literal(zone))
    return sql.SQL("{}::text").format(new)


def reading_function(
    table: Relation, naive: Sequence[str], times: Sequence[str], copies: Mapping[str, sql.Composed], zone: str
) -> sql.Composed:
    """The trigger function of a converted table, which reads what the older application sends as wall time.

    Args:
        table: the table.
        naive: columns that the application sends as wall time.
        times: columns that are now() where a row lacks them.
        copies: columns of theirs that are kept, each with its value.
        zone: the time zone of wall time.
    """
    assignments = [
        sql.SQL(
            "IF NEW.{column} <> now() AND (TG_OP = 'INSERT' OR NEW.{column} IS DISTINCT FROM OLD.{column}) THEN "
            "NEW.{column} := (NEW.{column} AT TIME ZONE v_zone) AT TIME ZONE {zone}; END IF;"
        ).format(column=sql.Identifier(column), zone=sql.Literal(zone))
        for column in naive
    ]
    required = [
        sql.SQL("NEW.{column} := coalesce(NEW.{column}, now());").format(column=sql.Identifier(column))
        for column in times
    ]
    kept: list[sql.Composed | sql.SQL] = [
        sql.SQL("BEGIN NEW.{0} := {1}; EXCEPTION WHEN data_exception THEN NEW.{0} := NULL; END;").format(
            sql.Identifier(name), value
        )
        for name, value in copies.items()
    ]
    return sql.SQL(read_sql("adoption", "create_wall_time_function.sql")).format(
        table=sql.SQL(str(table)),
        function=wall_time_function(table).identifier,
        zone=sql.Literal(zone),
        assignments=sql.SQL("\n        ").join(assignments or [sql.SQL("NULL;").format()]),
        copies=sql.SQL("\n    ").join([*required, *kept]),
    )


def wall_time_function(table: Relation) -> Relation:
    """The name of the trigger function that converts a table's times."""
    return Relation("yumai_pipelines", f"wall_time_of_{table.name}")


def dependents(connection: Connection, table: Relation, column: str, indexes: list[str]) -> list[str]:
    """Descriptions of what depends on a column, except the given indexes, its default and the adoption's triggers."""
    rows = connection.execute(
        read_sql("adoption", "list_dependents.sql"), {"table": table.quoted, "column": column, "indexes": indexes}
    ).fetchall()
    return [str(name) for (name,) in rows]


def _alter(connection: Connection, table: Relation, action: sql.Composable) -> None:
    connection.execute(sql.SQL("ALTER TABLE {} {}").format(table.identifier, action))
