"""Converts naive columns, which hold wall time of the business, to columns of instants, with short locks only.

ALTER COLUMN TYPE would rewrite the table under an exclusive lock. Instead a shadow column of the right type is added:
a trigger fills it in new rows, batches fill it in older rows, and one transaction of catalogue changes puts it in the
place of the naive column. The cost: each row is written once more, so the table grows by its own size until it is
vacuumed, and the column becomes the last of its table. A naive column that something depends on (a view, an unknown
index) is kept under another name, and is still filled.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

from psycopg import sql

from yumai_pipelines.adoption.batches import in_batches
from yumai_pipelines.adoption.compatibility import compatibility_function, has_trigger
from yumai_pipelines.adoption.constraints import drop_proof, prove_values
from yumai_pipelines.adoption.indexes import make_index
from yumai_pipelines.adoption.registry import RECENT_CONVERSATIONS, SESSION_CHILDREN, table_of
from yumai_pipelines.adoption.steps import exclusively
from yumai_pipelines.adoption.target import (
    AWARE,
    NAIVE,
    ColumnShape,
    home,
    index_tail,
    named,
    own_name,
    wanted,
    within,
)
from yumai_pipelines.model.relations import Relation
from yumai_pipelines.postgres.sql_files import read_sql
from yumai_pipelines.postgres.values import read_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from yumai_pipelines.adoption.steps import Steps
    from yumai_pipelines.postgres.connections import Connection
    from yumai_pipelines.schema.snapshot import Difference, SchemaObject

TRIGGER = "yumai_a_wall_time"
"""Fires before the trigger of `compatibility`, which reads the time: triggers fire in the order of their names."""

SHADOW, KEPT = "yumai_{}", "{}_naive"


def list_naive_columns(unlike: Sequence[Difference]) -> dict[Relation, tuple[str, ...]]:
    """The columns, by table, that hold wall time and have instants in the target; found in the given differences."""
    found: dict[Relation, tuple[str, ...]] = {}
    for each in named(unlike, "column"):
        if each.expected is None or each.found is None or home(each) == RECENT_CONVERSATIONS:
            continue
        types = ColumnShape.parse(each.found.definition).type, ColumnShape.parse(each.expected.definition).type
        if types == (NAIVE, AWARE):
            found[home(each)] = (*found.get(home(each), ()), own_name(each))
    return found


def make_instants(steps: Steps, zone: str) -> None:
    """Convert every naive column to a column of instants."""

    def convert(lane: Steps, table: Relation, columns: tuple[str, ...]) -> None:
        _Conversion(lane, table, columns, zone).run()

    naive = list_naive_columns(steps.differences())
    steps.at_once([partial(convert, table=table, columns=columns) for table, columns in naive.items()])


@dataclass(frozen=True)
class _Conversion:
    """The conversion of the naive columns of one table."""

    steps: Steps
    table: Relation
    columns: tuple[str, ...]
    zone: str

    def run(self) -> None:
        self._add_shadow_columns()
        self._fill()
        for column in self.columns:
            for index in self._indexes(column):
                tail = index_tail(index.definition).replace(column, SHADOW.format(column))
                make_index(self.steps, self.table, self._building(own_name(index)), tail)
        self.steps.vacuum(self.table)
        prove_values(self.steps, self.table, [SHADOW.format(column) for column in self._required])
        self.steps.briefly(f"exchange the times of {self.table}", exclusively(self.table), self._exchange)

    @property
    def connection(self) -> Connection:
        return self.steps.connection

    @property
    def function(self) -> Relation:
        return wall_time_function(self.table)

    @cached_property
    def _required(self) -> list[str]:
        return [column for column in self.columns if self._shape(column).not_null]

    def _shape(self, column: str) -> ColumnShape:
        return ColumnShape.parse(wanted("column", f"{self.table}.{column}").definition)

    def _indexes(self, column: str) -> list[SchemaObject]:
        return [each for each in within("index", self.table) if column in index_tail(each.definition)]

    def _building(self, index: str) -> Relation:
        return Relation(self.table.schema, SHADOW.format(index))

    def _add_shadow_columns(self) -> None:
        """Add the shadow columns and the trigger that fills them, together, so that every new row has them."""
        if has_trigger(self.connection, self.table, TRIGGER):
            return
        assignments = [
            sql.SQL("NEW.{} := {};").format(sql.Identifier(SHADOW.format(column)), self._instant(column))
            for column in self.columns
        ]
        function = sql.SQL(read_sql("adoption", "create_shadow_function.sql")).format(
            table=sql.SQL(str(self.table)),
            function=self.function.identifier,
            assignments=sql.SQL("\n    ").join(assignments),
        )
        add = [
            sql.SQL("ALTER TABLE {} ADD COLUMN {} {}").format(
                self.table.identifier, sql.Identifier(SHADOW.format(column)), sql.SQL(AWARE)
            )
            for column in self.columns
        ]
        what = f"add columns of instants to {self.table}"
        self.steps.briefly(what, exclusively(self.table), [*add, function, self._trigger()])

    def _instant(self, column: str) -> sql.Composed:
        """SQL of a new row's instant; a required time that is left out becomes now."""
        instant = sql.SQL("NEW.{} AT TIME ZONE {}").format(sql.Identifier(column), sql.Literal(self.zone))
        return sql.SQL("coalesce({}, now())").format(instant) if column in self._required else instant

    def _trigger(self) -> sql.Composed:
        return sql.SQL(
            "CREATE TRIGGER {} BEFORE INSERT OR UPDATE OF {} ON {} FOR EACH ROW EXECUTE FUNCTION {}()"
        ).format(
            sql.Identifier(TRIGGER),
            sql.SQL(", ").join(map(sql.Identifier, self.columns)),
            self.table.identifier,
            self.function.identifier,
        )

    def _fill(self) -> None:
        """Fill older rows: first those that have a time, then those that lack a required one, from a row near them."""
        pairs = [(sql.Identifier(column), sql.Identifier(SHADOW.format(column))) for column in self.columns]
        sets = [
            sql.SQL("{shadow} = t.{naive} AT TIME ZONE {zone}").format(
                shadow=shadow, naive=naive, zone=sql.Literal(self.zone)
            )
            for naive, shadow in pairs
        ]
        lacking = [sql.SQL("(t.{} IS NULL AND t.{} IS NOT NULL)").format(shadow, naive) for naive, shadow in pairs]
        key = table_of(self.table).key[0]

        def fill(scope: sql.Composable) -> sql.Composed:
            return sql.SQL("UPDATE {} AS t SET {} WHERE {} AND ({})").format(
                self.table.identifier, sql.SQL(", ").join(sets), scope, sql.SQL(" OR ").join(lacking)
            )

        in_batches(self.steps, f"fill the columns of instants of {self.table}", self.table, key, fill)
        for column in self._required:
            if not self._lacks(column):
                continue
            in_batches(
                self.steps, f"guess missing times of {self.table}", self.table, key, partial(self._guess, column, key)
            )

    def _lacks(self, column: str) -> bool:
        """Whether any row lacks a time."""
        query = sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE {} IS NULL)").format(
            self.table.identifier, sql.Identifier(SHADOW.format(column))
        )
        return bool(read_value(self.connection, query))

    def _guess(self, column: str, key: str, scope: sql.Composable) -> sql.Composed:
        return sql.SQL(read_sql("adoption", "guess_times.sql")).format(
            table=self.table.identifier,
            time=sql.Identifier(SHADOW.format(column)),
            key=sql.Identifier(key),
            scope=scope,
        )

    def _exchange(self) -> None:
        execute = self.connection.execute
        execute(sql.SQL("DROP TRIGGER {} ON {}").format(sql.Identifier(TRIGGER), self.table.identifier))
        kept: list[str] = []
        for column in self.columns:
            if self._is_used(column):
                kept.append(column)
            self._exchange_column(column)
        execute(self._reading(kept))
        execute(self._trigger())
        for table in SESSION_CHILDREN:
            if table.relation == self.table:
                execute(compatibility_function(self.connection, table, self.zone))

    def _exchange_column(self, column: str) -> None:
        shadow, shape = SHADOW.format(column), self._shape(column)
        old, new = sql.Identifier(column), sql.Identifier(shadow)
        alter = partial(_alter, self.connection, self.table)
        for index in self._indexes(column):
            self._drop_index(own_name(index))
        if self._is_used(column):
            alter(sql.SQL("ALTER {0} DROP DEFAULT, ALTER {0} DROP NOT NULL").format(old))
            alter(sql.SQL("RENAME {} TO {}").format(old, sql.Identifier(KEPT.format(column))))
        else:
            alter(sql.SQL("DROP COLUMN {}").format(old))
        if shape.not_null:
            alter(sql.SQL("ALTER {} SET NOT NULL").format(new))
            self.connection.execute(drop_proof(self.table, shadow))
        alter(sql.SQL("RENAME {} TO {}").format(new, old))
        if shape.default:
            alter(sql.SQL("ALTER {} SET DEFAULT {}").format(old, sql.SQL(shape.default)))
        for index in self._indexes(column):
            name = own_name(index)
            self.connection.execute(
                sql.SQL("ALTER INDEX {} RENAME TO {}").format(self._building(name).identifier, sql.Identifier(name))
            )

    def _drop_index(self, name: str) -> None:
        index = Relation(self.table.schema, name)
        self.connection.execute(sql.SQL("DROP INDEX IF EXISTS {}").format(index.identifier))

    def _is_used(self, column: str) -> bool:
        known = [Relation(self.table.schema, own_name(index)).quoted for index in self._indexes(column)]
        return bool(dependents(self.connection, self.table, column, known))

    def _reading(self, kept: list[str]) -> sql.Composed:
        return reading_function(self.table, self.columns, kept, self.zone)


def reading_function(table: Relation, columns: tuple[str, ...], kept: list[str], zone: str) -> sql.Composed:
    """The trigger function of a converted table, which reads what the older application sends as wall time."""
    assignments = [
        sql.SQL(
            "IF NEW.{column} <> now() AND (TG_OP = 'INSERT' OR NEW.{column} IS DISTINCT FROM OLD.{column}) THEN "
            "NEW.{column} := (NEW.{column} AT TIME ZONE v_zone) AT TIME ZONE {zone}; END IF;"
        ).format(column=sql.Identifier(column), zone=sql.Literal(zone))
        for column in columns
    ]
    required = [
        sql.SQL("NEW.{column} := coalesce(NEW.{column}, now());").format(column=sql.Identifier(column))
        for column in columns
        if ColumnShape.parse(wanted("column", f"{table}.{column}").definition).not_null
    ]
    copies = [
        sql.SQL("NEW.{} := NEW.{} AT TIME ZONE {};").format(
            sql.Identifier(KEPT.format(column)), sql.Identifier(column), sql.Literal(zone)
        )
        for column in kept
    ]
    return sql.SQL(read_sql("adoption", "create_wall_time_function.sql")).format(
        table=sql.SQL(str(table)),
        function=wall_time_function(table).identifier,
        zone=sql.Literal(zone),
        assignments=sql.SQL("\n        ").join(assignments),
        copies=sql.SQL("\n    ").join([*required, *copies]),
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
