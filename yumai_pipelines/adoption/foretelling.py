"""What an adoption would do with each difference, decided before anything is changed, with the rows that matter.

Rules that rows may be against are asked of the table as it will be: with columns that are missing yet, and with the
values of ours in columns that will be converted.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from psycopg import sql

from yumai_pipelines.adoption.bystanders import list_triggers, obstacles
from yumai_pipelines.adoption.constraints import key_column, may_be_null
from yumai_pipelines.adoption.conversions import list_conversions
from yumai_pipelines.adoption.core import CORE, REFERENCES
from yumai_pipelines.adoption.hindrances import (
    hindrances,
    open_checks,
    refused_emptyings,
    refused_rows,
    taken_columns,
)
from yumai_pipelines.adoption.kinds import CATALOGUE, CONVERSIONS, NUCLEUS, Action, Kind, There, adapted_type
from yumai_pipelines.adoption.ownership import function_names
from yumai_pipelines.adoption.registry import CONVERSATIONS, SESSIONS, USERS, table_of
from yumai_pipelines.adoption.target import ColumnShape, home, own_name, within
from yumai_pipelines.adoption.types import assignable, family
from yumai_pipelines.model.relations import Relation
from yumai_pipelines.postgres.sql_files import read_sql
from yumai_pipelines.schema.snapshot import loosely

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from yumai_pipelines.adoption.bystanders import Trigger
    from yumai_pipelines.adoption.conversions import Conversion
    from yumai_pipelines.adoption.kinds import Ruling
    from yumai_pipelines.postgres.connections import Connection
    from yumai_pipelines.schema.snapshot import SchemaObject

SAMPLE = 5
_WRITING = {*CONVERSIONS, Kind.NUMBER, Kind.TIMES_GIVEN, Kind.SESSIONS_GIVEN}
"""Kinds for which the rows of their tables are written again."""
RENAMED = "is there under another name, and renamed"
_RENAMED = {Kind.UNIQUE, Kind.CONDITION, Kind.REFERENCE, Kind.INDEX}
"""Kinds of what may be there already, under a name of theirs."""
_LARGEST = {"smallint": 2**15 - 1, "integer": 2**31 - 1}


@dataclass(frozen=True)
class Foretold:
    """What becomes of one difference.

    Attributes:
        ruling: the difference and its kind.
        action: what is done: a rule that rows are against is not made.
        reason: the same in words, with the rows that matter.
    """

    ruling: Ruling
    action: Action
    reason: str

    def __str__(self) -> str:
        """One line for people: the object, how it differs, what is done, and what that costs."""
        # What is only renamed costs less than its kind does otherwise.
        cost = CATALOGUE if self.reason == RENAMED else self.ruling.kind.cost
        return f"{self.ruling.difference}: {self.reason}" + (
            "" if self.action == Action.KEEP or not cost else f" ({cost})"
        )


class Foreteller:
    """Asks the rows of a database about its rulings."""

    def __init__(self, connection: Connection, found: Sequence[Ruling], there: There, zone: str) -> None:
        """Keep what was found in the catalogue."""
        self._connection = connection
        self._rulings = found
        self._there = there
        self._zone = zone
        self._conversions = list_conversions(found)
        self._types = {each.name for each in there.objects if each.kind == "type"}
        self._unknown = [each.difference.found for each in found if each.kind == Kind.UNKNOWN and each.difference.found]
        self._no_tables = {each.name for each in found if each.kind == Kind.NO_TABLE}
        numbered = [each.difference for each in found if each.kind == Kind.NUMBER]
        self._numbered = {(home(each), own_name(each)) for each in numbered}

    def foretell(self) -> Iterator[Foretold]:
        """Yield what becomes of each difference."""
        for each in self._rulings:
            yield Foretold(each, *self._outcome(each))

    def _outcome(self, each: Ruling) -> tuple[Action, str]:
        kind = each.kind
        if kind in _RENAMED and self._is_there_otherwise(each):
            return Action.CHANGE, RENAMED
        question = self._rows_against(each)
        if question is None:
            done = kind.done + self._adapted(each) + self._refused_type(each)
            return kind.action if kind.action != Action.TRY else Action.MAKE, done
        if kind == Kind.REFERENCE and not self._is_unique(*self._pointed_to(each)):
            return Action.KEEP, "is not added: what it refers to is not unique"
        count, sample = self._count(*question)
        rows = f"{count} rows ({', '.join(sample)}{', …' if count > len(sample) else ''})"
        if kind == Kind.BESIDE:
            done = kind.done + self._refused_type(each)
            return kind.action, f"{done}; {rows} have no value of ours" if count else done
        if not count:
            return Action.MAKE, kind.done
        if kind != Kind.REFERENCE:
            return Action.KEEP, f"is not made: {rows} are against it"
        relation, column = home(each.difference), key_column(each.expected)
        if column in self._there.columns[relation] and not may_be_null(self._connection, relation, column):
            return Action.KEEP, f"is added for new rows alone: {rows} lead nowhere, and may not be emptied"
        return Action.MAKE, f"{kind.done}; {rows} lead nowhere"

    def _is_there_otherwise(self, each: Ruling) -> bool:
        """Whether the same table has a constraint or an index that says the same, and has another name."""
        ours = each.expected

        def says_the_same(other: SchemaObject) -> bool:
            if ours.kind == "index":
                return other.definition == ours.definition.replace(f" {own_name(ours)} ", f" {own_name(other)} ", 1)
            return home(other) == home(ours) and loosely(other.definition) == loosely(ours.definition)

        return any(other.kind == ours.kind and says_the_same(other) for other in self._unknown)

    def _refused_type(self, each: Ruling) -> str:
        """That a column which is converted takes no value of their type any more, where it does not."""
        column = self._conversion(each) if each.kind in CONVERSIONS else None
        if column is None or assignable(column.type, column.theirs.type):
            return ""
        return f"; a value that is sent as {column.theirs.type}, by a cast or a driver that names types, is refused"

    def _conversion(self, each: Ruling) -> Conversion:
        return next(one for one in self._conversions[home(each.difference)] if one.name == own_name(each.difference))

    def readers(self) -> Iterator[str]:
        """What of theirs names a column that gets another type: functions, triggers, policies, each with the column."""
        converted = [(str(relation), one.name) for relation, found in self._conversions.items() for one in found]
        values = {
            "tables": [table for table, _ in converted],
            "names": [name for _, name in converted],
            "known": sorted(function_names()),
        }
        for reader, column in self._connection.execute(read_sql("adoption", "list_readers.sql"), values):
            yield f"{reader}: {column}"

    def _adapted(self, each: Ruling) -> str:
        """Which columns that are made get another type than ours, that of what they refer to; and who has the name."""
        elsewhere = ""
        if each.kind == Kind.TABLE:
            relation = Relation(*each.name.split("."))
            columns = within("column", relation)
            elsewhere = "".join(
                f"; if {schema}.{relation.name} holds these rows, ALTER TABLE {schema}.{relation.name} SET SCHEMA "
                f"{relation.schema} first"
                for schema in self._there.elsewhere.get(relation.name, ())
            )
        else:
            columns = [each.expected] if each.kind == Kind.COLUMN else []
        types = {
            own_name(column): (ours, adapted_type(self._there, home(column), own_name(column), ours))
            for column in columns
            if (ours := ColumnShape.parse(column.definition).type)
        }
        return elsewhere + "".join(
            f"; {name} is {theirs}, as what it refers to" for name, (ours, theirs) in types.items() if ours != theirs
        )

    def _pointed_to(self, each: Ruling) -> tuple[Relation, str]:
        return REFERENCES[home(each.difference), key_column(each.expected)]

    def _is_unique(self, relation: Relation, column: str) -> bool:
        """Whether a column is a key by itself, or will be."""
        if relation not in self._there.columns or (relation, column) in self._numbered:
            return True
        keys = {f"PRIMARY KEY ({column})", f"UNIQUE ({column})"}
        if any(
            each.kind == "constraint" and home(each) == relation and each.definition in keys
            for each in self._there.objects
        ):
            return True
        return self._count(*self._repetitions(relation, f"({column})"))[0] == 0

    def silenced(self) -> list[Trigger]:
        """The triggers of theirs that rows which are made or written again would fire."""
        written, made = self._written, self._made
        return [
            each
            for each in list_triggers(self._connection, CORE)
            if (each.for_changed and self._table_of(each) in written) or (each.for_new and self._table_of(each) in made)
        ]

    @cached_property
    def _written(self) -> set[Relation]:
        """The tables whose rows are written again."""
        written = {home(each.difference) for each in self._rulings if each.kind in _WRITING}
        return written | {relation for relation in self._there.columns if self._empties(relation)}

    @cached_property
    def _made(self) -> set[Relation]:
        """The tables in which rows are made for what is gone."""
        gone = self._count(self._needed[USERS], sql.SQL("g.id"))[0]
        return {SESSIONS, USERS} if gone else {SESSIONS}

    @cached_property
    def _needed(self) -> dict[Relation, sql.Composed]:
        """The rows for which users and sessions are made, by table, called `g`."""
        gone = sql.SQL(" UNION ").join(
            sql.SQL("SELECT t.{}::bigint AS id FROM {}").format(sql.Identifier(column), self._nowhere(relation, column))
            for (relation, column), (referenced, _) in REFERENCES.items()
            if referenced == USERS and column in self._there.columns.get(relation, ())
        )
        needed = {USERS: sql.SQL("({}) AS g").format(gone)}
        return needed | (
            {SESSIONS: sql.Composed([sql.SQL("(SELECT 1 AS id) AS g")])} if SESSIONS in self._there.columns else {}
        )

    @staticmethod
    def _table_of(trigger: Trigger) -> Relation:
        """The table of a trigger; what is no table of ours is a partition of the conversations."""
        return next((relation for relation in CORE if str(relation) == trigger.relation), CONVERSATIONS)

    def _empties(self, relation: Relation) -> bool:
        """Whether references of a table lead nowhere and will be emptied."""
        return any(
            each.kind == Kind.REFERENCE
            and home(each.difference) == relation
            and (question := self._rows_against(each)) is not None
            and self._count(*question)[0] > 0
            for each in self._rulings
        )

    def refusals(self) -> Iterator[str]:
        """Reasons of the catalogue and of the rows for which the database cannot be adopted as it is."""
        for each in self._rulings:
            if each.kind == Kind.ELSEWHERE:
                relation = Relation(*each.name.split("."))
                yield (
                    f"{each.difference}, and clients would no longer find public.{relation.name}: ALTER TABLE "
                    f"public.{relation.name} SET SCHEMA {relation.schema}, if it holds these rows; or else ALTER TABLE "
                    f"public.{relation.name} RENAME TO {relation.name}_older."
                )
            elif each.kind.action == Action.REFUSE:
                yield f"{each.difference}: it {each.kind.done}."
        yield from self._repeated_keys()
        yield from self._too_large()
        yield from hindrances(self._connection, self._conversions)
        yield from taken_columns(self._there, self._conversions, self._numbered)
        yield from refused_rows(self._connection, self._there, self._needed)
        yield from refused_emptyings(self._connection, self._there)
        yield from open_checks(self._connection, self._written)
        yield from obstacles(self._connection, self.silenced())
        for relation, column in self._connection.execute(
            read_sql("adoption", "list_required_columns.sql"),
            {"known": [str(each.name) for table in (USERS, SESSIONS) for each in within("column", table)]},
        ):
            yield (
                f"column {relation}.{column} is NOT NULL without a default, and rows are made there for sessions and "
                f"users that are gone: ALTER TABLE {relation} ALTER {column} SET DEFAULT …"
            )

    def _repeated_keys(self) -> Iterator[str]:
        for relation in sorted(NUCLEUS, key=str):
            name, *more = table_of(relation).key
            if more or relation not in self._there.columns:
                continue
            count, sample = self._count(*self._repetitions(relation, f"({name})"))
            if count:
                yield f"{relation}.{name} is a key, and {count} values stand in several rows: {', '.join(sample)}."

    def _too_large(self) -> Iterator[str]:
        """References to users and shops with larger numbers than a column there can hold, where such rows are made."""
        for (relation, column), (referenced, key) in REFERENCES.items():
            theirs, limit = self._there.type_of(relation, column), self._there.type_of(referenced, key)
            if theirs is None or limit is None or family(theirs) != "integer" or limit not in _LARGEST:
                continue
            if theirs == "bigint" or limit == "smallint":
                query = sql.SQL("SELECT max({}) FROM {}").format(sql.Identifier(column), relation.identifier)
                row = self._connection.execute(query).fetchone()
                largest = row[0] if row else None
                if largest is not None and largest > _LARGEST[limit]:
                    yield (
                        f"{relation}.{column} has {largest}, which {referenced}.{key} cannot hold: it is {limit}. "
                        "Widen that column, or empty the reference."
                    )

    def _rows_against(self, each: Ruling) -> tuple[sql.Composed, sql.Composable] | None:
        """The rows that a ruling depends on, called `t`, and SQL of their keys."""
        if each.kind in {Kind.NULLS, Kind.CONDITION, Kind.UNIQUE, Kind.REFERENCE, Kind.BESIDE}:
            relation = home(each.difference)
            if relation not in self._there.columns or str(relation) in self._no_tables:
                return None
            return self._question(each, relation)
        return None

    def _question(self, each: Ruling, relation: Relation) -> tuple[sql.Composed, sql.Composable] | None:
        table, key = self._future(relation), sql.SQL("t.yumai_key")
        definition = each.expected.definition
        if each.kind == Kind.NULLS:
            null = sql.SQL("{} WHERE t.{} IS NULL").format(table, sql.Identifier(own_name(each.difference)))
            return null, key
        if each.kind == Kind.CONDITION:
            return sql.SQL("{} WHERE NOT {}").format(table, sql.SQL(definition.removeprefix("CHECK "))), key
        if each.kind == Kind.UNIQUE:
            return self._repetitions(relation, "(" + definition.partition(" (")[2])
        if each.kind == Kind.BESIDE:
            name, column = own_name(each.difference), self._conversion(each)
            lost = sql.SQL("{} WHERE t.{} IS NULL AND t.{} IS NOT NULL").format(
                table, sql.Identifier(name), sql.Identifier(column.kept)
            )
            return lost, key
        name = key_column(each.expected)
        return None if REFERENCES[relation, name][0] in {USERS, SESSIONS} else (self._nowhere(relation, name), key)

    def _nowhere(self, relation: Relation, name: str) -> sql.Composed:
        """The rows whose reference leads nowhere."""
        table, (referenced, referenced_column) = self._future(relation), REFERENCES[relation, name]
        nowhere = sql.SQL("{} WHERE t.{} IS NOT NULL").format(table, sql.Identifier(name))
        if referenced in self._there.columns:
            nowhere += sql.SQL(" AND NOT EXISTS (SELECT FROM {} WHERE r.{} = t.{})").format(
                self._future(referenced, "r"), sql.Identifier(referenced_column), sql.Identifier(name)
            )
        return nowhere

    def _repetitions(self, relation: Relation, columns: str) -> tuple[sql.Composed, sql.Composable]:
        names = sql.SQL(columns)
        repeated = sql.SQL(
            "(SELECT {}::text AS yumai_key FROM {} GROUP BY {} HAVING count(*) > 1 AND num_nulls{} = 0) AS t"
        )
        return (
            repeated.format(sql.SQL(f"ROW{columns}"), self._future(relation), sql.SQL(columns.strip("()")), names),
            sql.SQL("t.yumai_key"),
        )

    def _future(self, relation: Relation, alias: str = "t") -> sql.Composed:
        """The rows of a table as they will be, with the columns of the target, and their keys as text."""
        there = self._there.columns[relation]
        conversions = {column.name: column for column in self._conversions.get(relation, ())}
        parts: list[sql.Composable] = []
        for each in within("column", relation):
            name, ours = own_name(each), ColumnShape.parse(each.definition)
            column = sql.Identifier(name)
            if name in conversions:
                parts.append(sql.SQL("{} AS {}").format(conversions[name].value("s", self._zone), column))
                parts.append(sql.SQL("s.{} AS {}").format(column, sql.Identifier(conversions[name].kept)))
            elif name in there:
                parts.append(sql.SQL("s.{}").format(column))
            elif ours.identity:
                parts.append(sql.SQL("row_number() OVER () AS {}").format(column))
            else:
                parts.append(sql.SQL("{} AS {}").format(self._missing(relation, name, ours), column))
        key = sql.Identifier("s", key if (key := table_of(relation).key[0]) in there else "ctid")
        return sql.SQL("(SELECT {}, {}::text AS yumai_key FROM {} AS s) AS {}").format(
            sql.SQL(", ").join(parts), key, relation.identifier, sql.SQL(alias)
        )

    def _missing(self, relation: Relation, name: str, ours: ColumnShape) -> sql.Composable:
        """SQL of what existing rows get in a column that is missing; its type may be missing, too."""
        given = ours.default if ours.default and (ours.is_constant or ours.not_null) else None
        kind = adapted_type(self._there, relation, name, ours.type)
        if "." in kind and kind not in self._types:
            return sql.SQL("NULL::text" if given is None else "''::text")
        return sql.SQL("({})::{}").format(sql.SQL(given or "NULL"), sql.SQL(kind))

    def _count(self, rows: sql.Composed, key: sql.Composable) -> tuple[int, tuple[str, ...]]:
        query = sql.SQL("SELECT {key}, count(*) OVER () FROM {rows} LIMIT {sample}").format(
            key=key, rows=rows, sample=sql.Literal(SAMPLE)
        )
        found = self._connection.execute(query).fetchall()
        return (found[0][1] if found else 0), tuple(str(name) for name, _ in found)
