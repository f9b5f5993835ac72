"""Describes an older database and what adoption would do with it, in a READ ONLY transaction.

Kinds of rows that need treatment are counted as cases, with the keys of a few examples.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

import psycopg
from psycopg import sql

from yumai_pipelines.adoption.bystanders import list_referring, refusing_event_triggers
from yumai_pipelines.adoption.cases import Case
from yumai_pipelines.adoption.constraints import TWO_TURNS_IN_ONE_INSTANT
from yumai_pipelines.adoption.foretelling import SAMPLE, Foreteller, Foretold
from yumai_pipelines.adoption.hindrances import taken_names
from yumai_pipelines.adoption.kinds import Action, Kind, There
from yumai_pipelines.adoption.ownership import function_names, list_obstacles, list_possessions
from yumai_pipelines.adoption.registry import CONVERSATIONS, SESSION_CHILDREN, SESSIONS, SHOPS, TABLES, USERS, table_of
from yumai_pipelines.adoption.target import NOT_VALID, home, own_name
from yumai_pipelines.adoption.types import readable
from yumai_pipelines.model.relations import Relation
from yumai_pipelines.partitions.tables import describe_partitions
from yumai_pipelines.postgres.connections import grant, schema_revision
from yumai_pipelines.postgres.values import read_value, relation_exists

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from yumai_pipelines.model.months import Month
    from yumai_pipelines.partitions.tables import Partition
    from yumai_pipelines.postgres.connections import Connection
    from yumai_pipelines.schema.snapshot import Difference
    from yumai_pipelines.schema.tables import ForeignKey
    from yumai_pipelines.settings import Settings

BEFORE = "from before session_master"
INTERIM = "with an interim session_master"
PARTLY = "with a session_master, and not yet adopted"
UNDER_WAY = "whose adoption is under way"
ADOPTED = "adopted"

_NUCLEUS: dict[Relation, tuple[str, ...]] = {
    USERS: ("id",),
    SHOPS: ("id",),
    **{table.relation: (*table.key, "session_id", "user_id", table.time or "") for table in SESSION_CHILDREN},
}
_LATER_COLUMNS = ("session_type", "user_agent", "ip_address", "updated_at")


@dataclass(frozen=True)
class Inventory:
    """A description of a database, and of what adoption would do with it.

    Attributes:
        shape: the kind of older database; `adopted` when there is nothing to do, None when it is not a YUMAI database,
            or the login may not read it.
        refusals: reasons why it cannot be adopted as it is, each with what to do.
        owners: roles other than yumai_pipeline that own its objects.
        cases: kinds of rows, with their counts.
        missing_months: months without a partition between months that have one.
        foretold: what becomes of each difference, rows included.
        silent: triggers of theirs that do not fire for rows that the adoption makes or writes again.
        readers: functions, triggers and policies of theirs that name a column which gets another type.
        referring: foreign keys of unknown tables to what the pipeline deletes, each with what it does then.
        unknown: objects that the project does not know, which adoption leaves alone.
    """

    shape: str | None
    refusals: tuple[str, ...]
    owners: tuple[str, ...] = ()
    cases: tuple[Case, ...] = ()
    missing_months: tuple[Month, ...] = ()
    foretold: tuple[Foretold, ...] = ()
    silent: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()
    referring: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def differences(self) -> tuple[str, ...]:
        """The objects of ours that are missing or differ."""
        known = (each.ruling for each in self.foretold if each.ruling.difference.expected is not None)
        return tuple(dict.fromkeys(str(each.difference) for each in known))

    def of_action(self, *actions: Action) -> tuple[str, ...]:
        """What becomes of the differences that get one of these treatments, in words, without comments."""
        return tuple(
            str(each)
            for each in self.foretold
            if each.action in actions and each.ruling.kind not in {Kind.COMMENT, Kind.UNKNOWN}
        )

    def in_words(self) -> str:
        """The inventory for people: what the database is, what prevents its adoption, and what adoption would do."""
        if self.shape == ADOPTED:
            return "The database is adopted, or was installed by these migrations: nothing to do."
        if self.shape is None:
            return "\n".join(self.refusals)
        months = [month.key for month in self.missing_months]
        changed = self.of_action(Action.MAKE, Action.CHANGE)
        comments = sum(each.ruling.kind == Kind.COMMENT for each in self.foretold)
        converted, kept = self.of_action(Action.CONVERT), self.of_action(Action.KEEP)
        parts = [
            f"A YUMAI database {self.shape}. Its objects belong to {', '.join(self.owners) or 'yumai_pipeline'}.",
            _listed("It cannot be adopted as it is:", self.refusals),
            _listed("What its rows are like, and what becomes of them:", map(str, self.cases)),
            _listed("Months between others that get a partition:", months),
            _listed(f"Objects that are made or changed ({len(changed)}, and {comments} comments):", changed),
            _listed(f"Columns that are converted while the application writes ({len(converted)}):", converted),
            _listed(f"What stays unlike a fresh install, and is accepted ({len(kept)}):", kept),
            _listed("Triggers that do not fire for rows that the adoption makes or writes again:", self.silent),
            _listed("What names a column that gets another type, and is to be looked at before:", self.readers),
            _listed("Foreign keys of unknown tables, at an erasure and the retention of sessions:", self.referring),
            _listed(f"Objects that are not known, and left alone ({len(self.unknown)}):", self.unknown),
        ]
        return "\n".join(part for part in parts if part)


def _listed(title: str, items: Iterable[str]) -> str:
    lines = [f"  - {item}" for item in items]
    return "\n".join([title, *lines]) if lines else ""


def take_inventory(connection: Connection, settings: Settings, *, count: bool = True) -> Inventory:
    """Examine a whole database in one READ ONLY transaction, and ask its event triggers, if it has any, in another.

    Args:
        connection: connection of the login that would adopt it, in autocommit mode.
        settings: the time zones of the months and of naive times.
        count: whether to count rows, which reads all of them.
    """
    try:
        found = _look(connection, settings, count=count)
        if found.shape in {None, ADOPTED}:
            return found
        return replace(found, refusals=(*found.refusals, *refusing_event_triggers(connection)))
    except psycopg.errors.InsufficientPrivilege as error:
        return Inventory(
            None,
            (
                f"{connection.info.user} may not look at the database: {error.diag.message_primary}. "
                f"{_who_may(connection)}. Nothing was changed.",
            ),
        )


def _who_may(connection: Connection) -> str:
    """Which login to use, and the GRANT that makes this one do."""
    row = connection.execute(
        "SELECT r.rolname, r.rolsuper FROM pg_namespace AS n INNER JOIN pg_roles AS r ON n.nspowner = r.oid "
        "WHERE n.nspname = %s",
        (CONVERSATIONS.schema,),
    ).fetchone()
    owner, superuser = row or ("the role that owns it", True)
    login = f"Use a login with the rights of {owner}, or a superuser's"
    return login if superuser else f"{login}; or, as one: {grant(owner, connection)}"


def _look(connection: Connection, settings: Settings, *, count: bool) -> Inventory:
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        there = There.read(connection)
        lacking = _lacking(connection, there)
        if lacking:
            return Inventory(
                None, (f"This is no YUMAI database: it has no {', no '.join(lacking)}. Nothing was changed.",)
            )
        shape = _shape(connection, there)
        if shape == ADOPTED:
            return Inventory(shape, ())
        partitions = describe_partitions(connection, settings.zone)
        found = there.rulings()
        unlike = list(dict.fromkeys(each.difference for each in found if each.kind != Kind.BLOCKING))
        foreteller = Foreteller(connection, found, there, settings.legacy_timezone)
        names = function_names()
        missing = missing_months(partitions)
        return Inventory(
            shape=shape,
            refusals=(
                *_wrong_bounds(connection, partitions, settings),
                *list_obstacles(connection),
                *(taken_names(connection, partitions, missing, settings.zone) if shape != UNDER_WAY else ()),
                *(foreteller.refusals() if shape != UNDER_WAY else ()),
            ),
            owners=tuple(sorted({each.owner for each in list_possessions(connection)})),
            cases=count_cases(connection, there, settings.legacy_timezone) if count else (),
            missing_months=missing,
            foretold=tuple(foreteller.foretell()) if count else (),
            silent=tuple(f"{each.relation}: {each.name}" for each in foreteller.silenced()) if count else (),
            readers=tuple(foreteller.readers()) if count else (),
            referring=tuple(map(str, list_referring(connection))),
            unknown=tuple(
                f"{each.kind} {each.name}"
                for each in unlike
                if each.expected is None
                and not each.name.startswith("yumai_pipelines.")
                and not (each.kind == "function" and each.name.partition("(")[0] in names)
                and not (each.kind == "constraint" and _is_replaced(each, unlike))
            ),
        )


def _is_replaced(constraint: Difference, unlike: Sequence[Difference]) -> bool:
    """Whether an unknown constraint will be dropped or renamed, because one of the target takes its place."""
    found = constraint.found.definition if constraint.found else ""
    if (home(constraint), found) == (CONVERSATIONS, TWO_TURNS_IN_ONE_INSTANT):
        return True
    column, _, _ = found.partition(" REFERENCES ")
    return any(
        each.kind == "constraint"
        and each.expected is not None
        and home(each) == home(constraint)
        and (each.expected.definition == found or each.expected.definition.startswith(f"{column} REFERENCES "))
        for each in unlike
    )


def _lacking(connection: Connection, there: There) -> list[str]:
    """The tables and columns that every YUMAI database has and this one lacks."""
    lacking: list[str] = []
    for relation, columns in _NUCLEUS.items():
        if relation not in there.columns:
            lacking.append(f"table {relation}")
            continue
        if relation == CONVERSATIONS:
            key = read_value(connection, "SELECT pg_get_partkeydef(to_regclass(%s))", (relation.quoted,))
            if key != "RANGE (conversation_time)":
                lacking.append(f"{relation} that is partitioned by RANGE (conversation_time)")
        lacking += [f"column {relation}.{name}" for name in columns if name not in there.columns[relation]]
    return lacking


def _shape(connection: Connection, there: There) -> str:
    if relation_exists(connection, Relation("yumai_pipelines", "adoption_run")):
        return UNDER_WAY
    if schema_revision(connection) is not None:
        return ADOPTED
    if SESSIONS not in there.columns:
        return BEFORE
    return PARTLY if there.columns[SESSIONS].keys() >= {*_LATER_COLUMNS} else INTERIM


def _wrong_bounds(connection: Connection, partitions: list[Partition], settings: Settings) -> Iterator[str]:
    """Refusals for partitions that are not months in the business's time zone; another zone may explain them."""
    wrong = [each for each in partitions if not each.is_default and each.month is None]
    if not wrong:
        return
    names = ", ".join(str(each.relation) for each in wrong[:SAMPLE])
    utc = [each for each in describe_partitions(connection, ZoneInfo("UTC")) if not each.is_default]
    if all(each.month is not None for each in utc):
        yield (
            f"The partitions of {CONVERSATIONS} begin at midnights in UTC ({names}), and YUMAI_TIMEZONE is "
            f"{settings.timezone}. They are not converted: when these are the months that are meant, set "
            f"YUMAI_TIMEZONE=UTC; if months of {settings.timezone} are, make such partitions first and move the rows. "
            f"YUMAI_LEGACY_TIMEZONE ({settings.legacy_timezone}) says apart from that how naive times are read."
        )
        return
    spans = "; ".join(
        f"{each.relation} from {each.lower or 'MINVALUE'} to {each.upper or 'MAXVALUE'}" for each in wrong[:SAMPLE]
    )
    yield (
        f"Partitions of {CONVERSATIONS} are no months in {settings.timezone}: {spans}. Set YUMAI_TIMEZONE to the zone "
        "at whose midnights they begin, or detach them, move their rows, and run again: bounds cannot be guessed."
    )


def missing_months(partitions: list[Partition]) -> tuple[Month, ...]:
    """The months without a partition between months that have one."""
    present = sorted(each.month for each in partitions if each.month)
    return tuple(month for left, right in pairwise(present) for month in (left + 1).through(right - 1))


class _Query(NamedTuple):
    what: str
    relation: str
    rows: sql.Composable
    key: sql.Composable
    handling: str


_SESSIONS = (
    "WITH sessions AS (SELECT c.session_id, min({user}) <> max({user}) AS is_shared FROM {conversations} AS c "
    "GROUP BY c.session_id) "
)
"""A common table expression for several cases: the sessions that occur in the conversations."""


def count_cases(connection: Connection, there: There, zone: str, *, samples: bool = True) -> tuple[Case, ...]:
    """Count every case, in the order of the tables. Cases that a constraint rules out are skipped.

    Args:
        connection: connection of a role that may read all tables.
        there: what the database has.
        zone: the time zone of naive times.
        samples: whether to list the keys of a few rows of each case.
    """
    queries = list(_queries(there, zone))
    user, _ = _pair(there, _Place("c", CONVERSATIONS, "user_id"), _Place("u", USERS, "id"))
    sessions = sql.SQL(_SESSIONS).format(user=user, conversations=CONVERSATIONS.identifier)
    # One statement, so that the sessions are computed only once.
    counts = sql.SQL(", ").join(sql.SQL("(SELECT count(*) FROM {})").format(each.rows) for each in queries)
    row = connection.execute(sessions + sql.SQL("SELECT ") + counts).fetchone() or ()

    def sample(query: _Query) -> tuple[str, ...]:
        if not samples or query.what == "rows":
            return ()
        keys = sql.SQL("SELECT {} FROM {} LIMIT {}").format(query.key, query.rows, sql.Literal(SAMPLE))
        return tuple(str(key) for (key,) in connection.execute(sessions + keys))

    return tuple(
        Case(each.what, each.relation, found, sample(each), each.handling)
        for each, found in zip(queries, row, strict=True)
        if found or each.what == "rows"
    )


def _queries(there: There, zone: str) -> Iterator[_Query]:
    for table in [each for each in TABLES if each.relation in there.columns]:
        columns = there.columns[table.relation]
        key = _row_key(there, table.relation)
        name = str(table.relation)
        everything = sql.SQL("{} AS t").format(table.relation.identifier)
        yield _Query("rows", name, everything, key, "every one stays")
        for foreign_key in table.foreign_keys:
            if foreign_key.column in columns:
                yield from _broken(there, foreign_key, key)
        if table in SESSION_CHILDREN:
            if not columns["session_id"].not_null:
                none = everything + sql.SQL(" WHERE t.session_id IS NULL")
                yield _Query("no session", name, none, key, "each row gets a recovered session of its own")
            if table.relation != CONVERSATIONS:
                alone = everything + sql.SQL(
                    " WHERE t.session_id IS NOT NULL AND NOT EXISTS (SELECT FROM sessions AS s WHERE {} = {})"
                ).format(
                    *_pair(
                        there,
                        _Place("s", CONVERSATIONS, "session_id"),
                        _Place("t", table.relation, "session_id"),
                    )
                )
                yield _Query(
                    "session without a conversation", name, alone, key, "it keeps its session, if need be recovered"
                )
            if table.time and not columns[table.time].not_null:
                untimed = everything + sql.SQL(" WHERE t.{} IS NULL").format(sql.Identifier(table.time))
                yield _Query("no time", name, untimed, key, "it gets the time of the row before it")
    yield _Query(
        "session of several users",
        str(CONVERSATIONS),
        sql.SQL("sessions AS t WHERE t.is_shared"),
        sql.SQL("t.session_id::text"),
        "one session, of the user of its first conversation; each conversation keeps its user",
    )
    nobody = sql.SQL("{} AS t WHERE t.user_id IS NULL").format(CONVERSATIONS.identifier)
    yield _Query("no user", str(CONVERSATIONS), nobody, sql.SQL("t.id::text"), "stays: somebody who has not signed in")
    for each in there.rulings():
        if each.kind == Kind.WALL_TIME:
            relation, column = home(each.difference), own_name(each.difference)
            naive = sql.SQL("{} AS t WHERE t.{} IS NOT NULL").format(relation.identifier, sql.Identifier(column))
            yield _Query(
                "wall time",
                f"{relation}.{column}",
                naive,
                _row_key(there, relation),
                f"read in {zone}, and made an instant",
            )


def _row_key(there: There, relation: Relation) -> sql.Composed:
    """SQL of the key of a row, called `t`: its number, or its place where it has none."""
    key = table_of(relation).key[0]
    return sql.SQL("t.{}::text").format(sql.Identifier(key if key in there.columns[relation] else "ctid"))


def _broken(there: There, key: ForeignKey, primary: sql.Composable) -> Iterator[_Query]:
    """The case of rows that refer to a missing row, unless a validated foreign key rules it out."""
    if _is_proven(there, key):
        return
    rows = sql.SQL("{} AS t WHERE t.{column} IS NOT NULL").format(
        key.table.identifier, column=sql.Identifier(key.column)
    )
    if there.type_of(key.referenced, key.referenced_column) is not None:
        rows += sql.SQL(" AND NOT EXISTS (SELECT FROM {} AS r WHERE {} = {})").format(
            key.referenced.identifier,
            *_pair(
                there,
                _Place("r", key.referenced, key.referenced_column),
                _Place("t", key.table, key.column),
            ),
        )
    handling = {
        USERS: "the user is made again under its id, as recovered and DELETED",
        SESSIONS: "its session is made from the rows that name it, as recovered",
    }.get(key.referenced, "the reference is emptied, and the row kept as it was in yumai_pipelines.quarantine")
    yield _Query(f"{key.column} unknown", str(key.table), rows, primary, handling)


class _Place(NamedTuple):
    """A column of a table in a query."""

    alias: str
    table: Relation
    column: str


def _pair(there: There, *places: _Place) -> list[sql.Composed]:
    """SQL of two columns that are compared: as texts where their types are of different kinds."""
    types = [there.type_of(place.table, place.column) or "" for place in places]
    cast = sql.SQL("" if readable(*types) else "::text")
    return [sql.SQL("{}{}").format(sql.Identifier(place.alias, place.column), cast) for place in places]


def _is_proven(there: There, key: ForeignKey) -> bool:
    """Whether any validated foreign key goes from the same column to the same table."""
    return any(
        each.kind == "constraint"
        and home(each) == key.table
        and each.definition.startswith(f"FOREIGN KEY ({key.column}) REFERENCES {key.referenced}(")
        and not each.definition.endswith(NOT_VALID)
        for each in there.objects
    )
