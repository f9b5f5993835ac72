"""The kinds of differences of an older database, and what becomes of each.

This one table drives the dry run, the adoption and its report: a step acts on the differences of its kinds, and on no
others. What a kind keeps is accepted when the adoption ends.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import TYPE_CHECKING

from yumai_pipelines.adoption.core import CORE, KEYS, MACHINERY, REFERENCES
from yumai_pipelines.adoption.registry import RECENT_CONVERSATIONS, SESSION_CHILDREN, SESSIONS, SHOPS, TABLES, USERS
from yumai_pipelines.adoption.target import (
    AWARE,
    NAIVE,
    ColumnShape,
    home,
    indexed,
    own_name,
    target,
)
from yumai_pipelines.adoption.types import becomes, comparable, is_exact, ordered, readable, widens
from yumai_pipelines.model.relations import Relation
from yumai_pipelines.postgres.sql_files import read_sql
from yumai_pipelines.schema.snapshot import SchemaObject, compare, describe, loosely, spelled_once

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from yumai_pipelines.postgres.connections import Connection
    from yumai_pipelines.schema.snapshot import Difference


class Action(StrEnum):
    """What becomes of a difference."""

    MAKE = "is made"
    CHANGE = "is changed"
    CONVERT = "is converted while the application writes"
    TRY = "is made if no row is against it, or else accepted as it is"
    KEEP = "is accepted as it is"
    REFUSE = "has to be decided first"


CATALOGUE = "a lock of milliseconds"
_SCANNED = "a scan that stops nobody, and a lock of milliseconds"
_WRITTEN = "each row is written once more, in batches; a lock of milliseconds"
_FREE = ""


class Kind(Enum):
    """A kind of difference: what becomes of it, in words, and what that costs."""

    TABLE = (Action.MAKE, "is made, without rows", CATALOGUE)
    NO_TABLE = (Action.REFUSE, "is no plain table: make it one, or rename it", _FREE)
    ELSEWHERE = (Action.REFUSE, "would hide a table of its name in public from clients", _FREE)
    VIEW = (Action.CHANGE, "is built aside, and then exchanged", "the view is built anew")
    NO_VIEW = (Action.REFUSE, "is no view: rename it", _FREE)
    VIEW_IN_USE = (Action.KEEP, "stays: something of theirs reads it", _FREE)
    OWNER = (Action.CHANGE, "passes to yumai_pipeline", CATALOGUE)
    TYPE = (Action.MAKE, "is made", _FREE)
    LABELS = (Action.CHANGE, "gets the labels that it lacks", _FREE)
    OWN_LABELS = (Action.KEEP, "has labels of its own, or another order", _FREE)
    FUNCTION = (Action.CHANGE, "is replaced by ours", _FREE)
    COLUMN = (Action.MAKE, "is added", CATALOGUE)
    NUMBER = (Action.MAKE, "is added, and its rows are numbered", _WRITTEN)
    NARROWER = (Action.CHANGE, "is widened", CATALOGUE)
    NARROWER_IN_USE = (Action.KEEP, "stays narrower: something of theirs reads it", _FREE)
    WIDER = (Action.KEEP, "stays: what reads ours reads it too", _FREE)
    OTHER_TYPE = (Action.KEEP, "keeps its type: nothing of the pipeline reads it", _FREE)
    SAME_KEYS = (Action.KEEP, "keeps its type, which is that of what it refers to", _FREE)
    WALL_TIME = (Action.CONVERT, "is read as wall time of the business, and becomes an instant", _WRITTEN)
    CONVERTED = (Action.CONVERT, "becomes our type, and loses nothing", _WRITTEN)
    BESIDE = (
        Action.CONVERT,
        "stays as it is under the name …_older, and a column of our type takes its place; later values that our type "
        "cannot hold are refused",
        _WRITTEN,
    )
    KEY = (Action.REFUSE, "is a key of another type, which is not converted", _FREE)
    GENERATED = (Action.REFUSE, "is a generated column of another type: drop its expression first", _FREE)
    COMPUTED = (Action.KEEP, "is a generated column", _FREE)
    DEFAULT = (Action.CHANGE, "gets our default", CATALOGUE)
    OTHER_DEFAULT = (Action.KEEP, "keeps its default", _FREE)
    NUMBERED_OTHERWISE = (Action.KEEP, "is numbered in another way", _FREE)
    NULLS = (Action.TRY, "is declared NOT NULL", _SCANNED)
    EMPTY_ALLOWED = (Action.KEEP, "may be empty: the older application may leave it out", _FREE)
    NO_NULLS = (Action.CHANGE, "may be NULL", CATALOGUE)
    NO_NULLS_HERE = (Action.KEEP, "stays NOT NULL", _FREE)
    REFERENCE = (Action.TRY, "is added for new rows, then proven; rows that lead nowhere are repaired first", _SCANNED)
    BLOCKING = (
        Action.CHANGE,
        "would refuse that a person is erased: it gets ON DELETE SET NULL, or CASCADE where the column is never empty",
        _SCANNED,
    )
    CONDITION = (Action.TRY, "is added", _SCANNED)
    UNIQUE = (Action.TRY, "is added", "an index is built while the application writes")
    OTHER_PRIMARY_KEY = (Action.KEEP, "is not added: the table has another primary key", _FREE)
    SPELLED = (Action.KEEP, "says the same of columns with other types", _FREE)
    SESSIONS_GIVEN = (Action.CHANGE, "is declared NOT NULL, once each row has a session", _SCANNED)
    TIMES_GIVEN = (Action.CHANGE, "is declared NOT NULL, once each row has a time", _SCANNED)
    NOT_COMPARABLE = (Action.KEEP, "is not added: its columns have other types", _FREE)
    INDEX = (Action.MAKE, "is built while the application writes", _SCANNED)
    TRIGGER = (Action.CHANGE, "is made", CATALOGUE)
    GRANT = (Action.CHANGE, "is granted", _FREE)
    COMMENT = (Action.CHANGE, "is commented", _FREE)
    UNKNOWN = (Action.KEEP, "is not known, and left alone", _FREE)

    def __init__(self, action: Action, done: str, cost: str) -> None:
        """Keep what becomes of it, what is done, and what that costs."""
        self.action, self.done, self.cost = action, done, cost

    # Two kinds may have the same words, and must not become one.
    def __new__(cls, *_: object) -> Kind:
        """Number the kinds."""
        kind = object.__new__(cls)
        kind._value_ = len(cls.__members__)
        return kind


@dataclass(frozen=True)
class Ruling:
    """What kind of difference an object has; a column may have several."""

    kind: Kind
    difference: Difference

    @property
    def expected(self) -> SchemaObject:
        """The object as the migrations make it."""
        if self.difference.expected is None:
            raise ValueError(self.difference.object)
        return self.difference.expected

    @property
    def name(self) -> str:
        """The object's qualified name."""
        return self.difference.name


@dataclass(frozen=True)
class There:
    """What an older database has, as far as the kinds depend on it.

    Attributes:
        objects: its objects.
        columns: the columns of its relations.
        primary: the columns of the primary keys.
        in_use: columns whose type cannot be changed in place, as `table.column`.
        elsewhere: the schemas outside ours that have a table or view of a name.
    """

    objects: tuple[SchemaObject, ...]
    columns: Mapping[Relation, Mapping[str, ColumnShape]]
    primary: Mapping[Relation, tuple[str, ...]]
    in_use: frozenset[str]
    elsewhere: Mapping[str, tuple[str, ...]]

    @classmethod
    def read(cls, connection: Connection) -> There:
        """Read the catalogue."""
        return cls.of(connection, describe(connection))

    @classmethod
    def of(cls, connection: Connection, described: Iterable[SchemaObject]) -> There:
        """Sort what was described, without who may execute a function: the upgrade after an adoption decides that."""
        objects = [each for each in described if each.kind != "function grant"]
        columns: dict[Relation, dict[str, ColumnShape]] = {}
        primary: dict[Relation, tuple[str, ...]] = {}
        for each in objects:
            if each.kind == "column":
                columns.setdefault(home(each), {})[own_name(each)] = ColumnShape.parse(each.definition)
            elif each.kind == "constraint" and (key := _PRIMARY_KEY.match(each.definition)):
                primary[home(each)] = tuple(part.strip('"') for part in key[1].split(", "))
        facts = connection.execute(read_sql("adoption", "list_facts.sql")).fetchall()
        elsewhere: dict[str, tuple[str, ...]] = {}
        for _, name, schema in (fact for fact in facts if fact[0] == "elsewhere"):
            elsewhere[name] = (*elsewhere.get(name, ()), schema)
        in_use = frozenset(name for what, name, _ in facts if what == "in use")
        return cls(tuple(objects), columns, primary, in_use, elsewhere)

    def rulings(self) -> list[Ruling]:
        """The kinds of all differences from the target."""
        return rulings(compare(target(), self.objects), self)

    def type_of(self, relation: Relation, column: str) -> str | None:
        """The type of a column, None where it is not there."""
        shape = self.columns.get(relation, {}).get(column)
        return shape.type if shape else None


CONVERSIONS = frozenset({Kind.WALL_TIME, Kind.CONVERTED, Kind.BESIDE})
NUCLEUS = frozenset({USERS, SHOPS, SESSIONS, *(table.relation for table in SESSION_CHILDREN)})
"""The tables whose keys other tables of the core refer to."""

OF_A_PERSON = frozenset(
    {USERS, *(key.table for table in TABLES for key in table.foreign_keys if key.on_delete == "CASCADE")}
)
"""The tables with rows that go with a user or a session."""

_OWN_KEY = re.compile(r"FOREIGN KEY \((\w+)\) REFERENCES (\w+)\.(\w+)\(\w+\)( NOT VALID)?$")
_TIMES = {table.relation: table.time or "" for table in SESSION_CHILDREN}
_PRIMARY_KEY = re.compile(r"PRIMARY KEY \((.*)\)$")
_WORD = re.compile(r"[a-z_]\w*")
_SAME_DEFAULTS = {"CURRENT_TIMESTAMP": "now()"}
_OURS = {(home(each), own_name(each)): ColumnShape.parse(each.definition) for each in target() if each.kind == "column"}


def final_type(there: There, relation: Relation, column: str) -> str:
    """The type that a column of the target has after the adoption."""
    ours, theirs = _OURS[relation, column], there.columns.get(relation, {}).get(column)
    if theirs is None:
        return adapted_type(there, relation, column, ours.type)
    kind = _type_kind(there, relation, column, ours, theirs)
    return becomes(ours.type, theirs.type) if kind in CONVERSIONS else theirs.type


def adapted_type(there: There, relation: Relation, column: str, ours: str) -> str:
    """The type that a column of ours gets when it is made: a reference, that of what it refers to."""
    to = REFERENCES.get((relation, column))
    theirs = there.type_of(*to) if to else None
    return theirs or ours


def rulings(differences: Iterable[Difference], there: There) -> list[Ruling]:
    """The kinds of the differences, in their order; parts of relations that are missing as a whole are left out."""
    found = list(differences)
    whole = {each.name for each in found if each.kind == "relation" and None in {each.expected, each.found}}
    parts = {"column", "constraint", "trigger"}
    return [
        Ruling(kind, each)
        for each in found
        if not (each.kind in parts and str(home(each)) in whole)
        and not (each.kind == "index" and each.expected and str(indexed(each.expected.definition)) in whole)
        for kind in _kinds(each, there)
    ]


def _kinds(each: Difference, there: There) -> Iterator[Kind]:
    ours, theirs = each.expected, each.found
    if ours is None:
        yield Kind.BLOCKING if theirs is not None and is_blocking(theirs) else Kind.UNKNOWN
    elif theirs is not None and spelled_once(theirs) == spelled_once(ours):
        yield Kind.COMMENT
    elif each.kind == "column":
        yield from _column_kinds(ours, theirs, there)
    else:
        yield _kind_of(ours, theirs, there)


def is_blocking(constraint: SchemaObject) -> bool:
    """Whether a constraint of theirs between known tables refuses the deletion of what is a person's."""
    key = _OWN_KEY.match(constraint.definition) if constraint.kind == "constraint" else None
    if key is None or (home(constraint), key[1]) in REFERENCES:
        return False
    return home(constraint) in CORE and Relation(key[2], key[3]) in OF_A_PERSON


def _kind_of(ours: SchemaObject, theirs: SchemaObject | None, there: There) -> Kind:
    match ours.kind:
        case "relation":
            return _relation_kind(ours, theirs, there)
        case "schema":
            return Kind.OWNER
        case "type":
            return _labels_kind(ours, theirs)
        case "function":
            return Kind.FUNCTION
        case "constraint":
            if theirs is not None and loosely(theirs.definition) == loosely(ours.definition):
                return Kind.SPELLED
            return _constraint_kind(home(ours), ours.definition, there)
        case "index":
            return index_kind(indexed(ours.definition), ours.definition, there)
        case "trigger":
            return _trigger_kind(home(ours), there)
        case _:
            return Kind.GRANT


def _relation_kind(ours: SchemaObject, theirs: SchemaObject | None, there: There) -> Kind:
    relation = Relation(*ours.name.split("."))
    if relation == RECENT_CONVERSATIONS:
        if theirs is not None and "view " not in theirs.definition.partition("\n")[0]:
            return Kind.NO_VIEW
        return _view_kind(there)
    if theirs is None:
        return Kind.ELSEWHERE if "public" in there.elsewhere.get(relation.name, ()) else Kind.TABLE
    same = ours.definition.partition("\nowner")[0] == theirs.definition.partition("\nowner")[0]
    return Kind.OWNER if same else Kind.NO_TABLE


def _view_kind(there: There) -> Kind:
    used = any(name.startswith(f"{RECENT_CONVERSATIONS}.") for name in there.in_use)
    return Kind.VIEW_IN_USE if used else Kind.VIEW


def _labels_kind(ours: SchemaObject, theirs: SchemaObject | None) -> Kind:
    if theirs is None:
        return Kind.TYPE
    lacks = set(ours.definition.split(", ")) - set(theirs.definition.split(", "))
    return Kind.LABELS if lacks else Kind.OWN_LABELS


def _column_kinds(mine: SchemaObject, found: SchemaObject | None, there: There) -> Iterator[Kind]:
    relation, name, ours = home(mine), own_name(mine), ColumnShape.parse(mine.definition)
    if relation == RECENT_CONVERSATIONS:
        yield Kind.WIDER if found is not None else _view_kind(there)
        return
    if found is None:
        yield Kind.NUMBER if ours.identity else Kind.COLUMN
        if ours.not_null and not ours.identity and ours.default is None:
            yield from _null_kinds(relation, name)
        return
    theirs = ColumnShape.parse(found.definition)
    kind = _type_kind(there, relation, name, ours, theirs)
    if kind is not None:
        yield kind
    if kind in CONVERSIONS and ours.not_null:
        yield from _null_kinds(relation, name)
    elif theirs.generated and kind is None:
        yield Kind.COMPUTED
    elif not theirs.generated and kind not in CONVERSIONS and kind != Kind.KEY:
        yield from _property_kinds(there, relation, name, ours, theirs)


def _property_kinds(
    there: There, relation: Relation, name: str, ours: ColumnShape, theirs: ColumnShape
) -> Iterator[Kind]:
    """The kinds of a column's default, numbers and NULLs."""
    default = _default_kind(relation, name, ours, theirs)
    if default is not None:
        yield default
    if ours.identity != theirs.identity:
        yield Kind.NUMBERED_OTHERWISE
    if ours.not_null and not theirs.not_null:
        yield from _null_kinds(relation, name)
    if theirs.not_null and not ours.not_null:
        free = relation in {USERS, SESSIONS} or name in CORE[relation]
        yield Kind.NO_NULLS if free and name not in there.primary.get(relation, ()) else Kind.NO_NULLS_HERE


def _null_kinds(relation: Relation, name: str) -> Iterator[Kind]:
    """What becomes of a column that may be NULL, and is not to be."""
    given = {"session_id": Kind.SESSIONS_GIVEN, _TIMES[relation]: Kind.TIMES_GIVEN} if relation in _TIMES else {}
    needed = (relation, name) in MACHINERY | KEYS
    yield given.get(name, Kind.NULLS if needed else Kind.EMPTY_ALLOWED)


def _type_kind(there: There, relation: Relation, name: str, ours: ColumnShape, theirs: ColumnShape) -> Kind | None:
    if ours.type == theirs.type:
        return None
    core = name in CORE[relation]
    to = REFERENCES.get((relation, name))
    key = there.type_of(*to) if to else None
    if key is not None and not readable(ours.type, key):
        # What it refers to keeps a type of its own.
        return Kind.SAME_KEYS if readable(key, theirs.type) else Kind.OTHER_TYPE
    if readable(ours.type, theirs.type):
        if not widens(ours.type, theirs.type) or theirs.generated:
            return Kind.WIDER
        return Kind.NARROWER_IN_USE if f"{relation}.{name}" in there.in_use else Kind.NARROWER
    if (relation, name) in KEYS:
        return Kind.KEY if relation in NUCLEUS else Kind.OTHER_TYPE
    if not core:
        return Kind.OTHER_TYPE
    if theirs.generated:
        return Kind.GENERATED
    if (ours.type, theirs.type) == (AWARE, NAIVE):
        return Kind.WALL_TIME
    return Kind.CONVERTED if is_exact(ours.type, theirs.type) else Kind.BESIDE


def _default_kind(relation: Relation, name: str, ours: ColumnShape, theirs: ColumnShape) -> Kind | None:
    if ours.default == theirs.default:
        return None
    if (relation, name) in MACHINERY:
        return Kind.DEFAULT
    if theirs.default is None:
        return Kind.DEFAULT if readable(ours.type, theirs.type) else Kind.OTHER_DEFAULT
    same = ours.type == theirs.type and _SAME_DEFAULTS.get(theirs.default, theirs.default) == ours.default
    return Kind.DEFAULT if same else Kind.OTHER_DEFAULT


def _constraint_kind(relation: Relation, definition: str, there: There) -> Kind:
    names = [name for name in _WORD.findall(definition) if (relation, name) in _OURS]
    if definition.startswith("FOREIGN KEY"):
        to = REFERENCES[relation, names[0]]
        types = final_type(there, relation, names[0]), final_type(there, *to)
        return Kind.REFERENCE if readable(*types) else Kind.NOT_COMPARABLE
    if definition.startswith("PRIMARY KEY"):
        return Kind.UNIQUE if there.primary.get(relation, tuple(names)) == tuple(names) else Kind.OTHER_PRIMARY_KEY
    if definition.startswith("UNIQUE"):
        fits = all(ordered(final_type(there, relation, name)) for name in names)
        return Kind.UNIQUE if fits else Kind.NOT_COMPARABLE
    fits = all(comparable(_OURS[relation, name].type, final_type(there, relation, name)) for name in names)
    return Kind.CONDITION if fits else Kind.NOT_COMPARABLE


def index_kind(relation: Relation, definition: str, there: There) -> Kind:
    """What becomes of an index of ours that is missing or differs."""
    if relation == RECENT_CONVERSATIONS:
        return _view_kind(there)
    tail = definition.partition(" USING ")[2]
    names = [name for name in _WORD.findall(tail) if (relation, name) in _OURS]
    types = [(_OURS[relation, name].type, final_type(there, relation, name)) for name in names]
    plain = tail.startswith("btree") and " WHERE " not in tail
    fits = all(ordered(theirs) if plain else readable(ours, theirs) for ours, theirs in types)
    return Kind.INDEX if fits else Kind.NOT_COMPARABLE


def _trigger_kind(relation: Relation, there: There) -> Kind:
    """Our triggers write now() into updated_at."""
    return Kind.TRIGGER if final_type(there, relation, "updated_at") in {AWARE, NAIVE, "date"} else Kind.NOT_COMPARABLE
