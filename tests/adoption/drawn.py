"""Older databases that hypothesis draws from the catalogue of the adoption's target.

Each has the target's tables with some changes: columns that are dropped, renamed, widened, narrowed or of another type,
rules that are gone, objects of its own, and rows at the edges of their types, some of them against what ours adds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from yumai_pipelines.adoption.core import CORE, KEYS
from yumai_pipelines.adoption.kinds import NUCLEUS
from yumai_pipelines.adoption.registry import CONVERSATIONS, SESSIONS, TABLES, table_of
from yumai_pipelines.adoption.target import ColumnShape, own_name, target, within
from yumai_pipelines.adoption.types import family

if TYPE_CHECKING:
    from collections.abc import Iterator

    from yumai_pipelines.model.relations import Relation

VALUES = {
    "integer": ["0", "1", "-2147483648", "2147483647", "7"],
    "smallint": ["0", "-32768", "32767"],
    "bigint": ["1", "9223372036854775807", "-9223372036854775808"],
    "text": ["''", "'x'", "'긴 값 😀'", "E'a\\nb\\\\'", "'12'", "'{}'", "'2024-02-30'", "'true'"],
    "numeric": ["0", "1", "0.5", "-0.001"],
    "double precision": ["0", "'NaN'", "'-infinity'", "1e-300", "0.1234567890123", "87.5"],
    "timestamp with time zone": ["'2024-09-01 00:00+09'", "'infinity'", "'0044-03-15 12:00+00 BC'"],
    "timestamp without time zone": ["'2024-09-01 00:00'", "'-infinity'", "'2024-09-01 12:00:00.123456'"],
    "date": ["'2024-09-01'", "'infinity'", "'0044-03-15 BC'"],
    "boolean": ["true", "false"],
    "uuid": ["'12345678-1234-1234-1234-123456789012'"],
    "json": ["""'{"a": 1,  "a": 2}'""", "'[1, 2]'", "'\"\\u0000\"'", "'null'"],
    "jsonb": ["""'{"shop_id": 1}'""", "'[{\"shop_id\": 1}]'", "'null'", "'1e400'"],
    "inet": ["'10.0.0.1'"],
    "character": ["'Y'"],
    "integer[]": ["'{}'", "'{1,NULL,2}'", "'[0:1]={1,2}'"],
    "text[]": ["'{}'", "'{a,\"b c\"}'"],
}
"""Values of types, as SQL, some of them at the edges."""

OTHER = {
    "text": [
        "text",
        "character varying(200)",
        "character varying(4)",
        "character(40)",
        "bigint",
        "public.mood",
        "public.label",
        "jsonb",
        "uuid",
    ],
    "integer": ["bigint", "smallint", "text", "numeric(20,4)", "double precision"],
    "numeric": ["numeric", "numeric(3,2)", "numeric(12,6)", "double precision", "real", "text", "integer"],
    "timestamp with time zone": ["timestamp without time zone", "date", "text"],
    "json": ["jsonb", "text"],
    "jsonb": ["json", "text"],
    "boolean": ["text", "smallint", "character(1)"],
    "uuid": ["text", "character varying(40)"],
    "date": ["timestamp with time zone", "text"],
    "inet": ["text"],
    "character": ["text", "character(3)", "boolean"],
    "integer[]": ["bigint[]", "jsonb", "text"],
    "text[]": ["character varying(9)[]", "jsonb", "text"],
}
"""Other types for columns of ours."""

OWN_OBJECTS = (
    "CREATE VIEW analytics.theirs AS SELECT * FROM analytics.user_feedback",
    "ALTER TABLE chatbot.shops ADD owner_memo text DEFAULT 'theirs', ADD twice int GENERATED ALWAYS AS (7) STORED",
    "CREATE INDEX theirs ON ml_features.user_interactions (time_stamp, user_id)",
    "CREATE TABLE chatbot.campaigns (id int PRIMARY KEY, title xml)",
    "CREATE TABLE public.notes (user_id int REFERENCES chatbot.users (id)); INSERT INTO public.notes VALUES (1)",
    "CREATE TABLE public.ratings (log_id bigint REFERENCES analytics.user_feedback (id) ON DELETE CASCADE)",
    "ALTER TABLE chatbot.users ADD CONSTRAINT theirs CHECK (email <> 'never')",
    "ALTER TABLE analytics.recommendations_log ADD CONSTRAINT theirs CHECK (request_budget::text <> '4711')",
    "ALTER TABLE analytics.user_feedback ADD CONSTRAINT theirs CHECK (time_stamp IS NOT NULL) NOT VALID",
    "ALTER TABLE chatbot.orders ADD FOREIGN KEY (shop_id) REFERENCES chatbot.shops (id) ON DELETE CASCADE NOT VALID",
    "ALTER TABLE analytics.user_feedback ADD FOREIGN KEY (user_id) REFERENCES chatbot.users (id) NOT VALID",
    "CREATE INDEX by_session ON ml_features.user_interactions (session_id)",
    "CREATE INDEX by_intent ON chatbot.conversations (extracted_intent)",
    "CREATE INDEX by_user ON chatbot.conversations_default (user_id)",
    "CREATE UNIQUE INDEX by_email ON chatbot.users (email)",
    "CREATE FUNCTION chatbot.end_session(uuid) RETURNS text LANGUAGE sql AS $$SELECT 'theirs'$$",
    "CREATE FUNCTION chatbot.get_shop_hours(shop_id int, day_name varchar) RETURNS int LANGUAGE sql AS 'SELECT 1'; "
    "CREATE VIEW chatbot.hours AS SELECT chatbot.get_shop_hours(1, 'mon')",
    "CREATE PROCEDURE chatbot.clean_inactive_sessions() LANGUAGE sql AS ''",
    "CREATE MATERIALIZED VIEW analytics.times AS SELECT time_stamp, session_id FROM analytics.recommendations_log",
    "ALTER TABLE analytics.recommendations_log ADD doubled text GENERATED ALWAYS AS (confidence_score * 2) STORED",
    "CREATE PUBLICATION theirs FOR TABLE analytics.user_feedback, chatbot.orders",
    "CREATE PUBLICATION theirs FOR TABLES IN SCHEMA chatbot, ml_features, analytics",
    "CREATE PUBLICATION theirs FOR ALL TABLES",
    "CREATE PUBLICATION theirs FOR TABLE chatbot.conversations WITH (publish = 'insert')",
    "ALTER TABLE analytics.user_feedback ADD CHECK (feedback_content::text <> '') NOT VALID",
    "ALTER TABLE analytics.recommendations_log ADD CHECK (shop_id IS NOT NULL)",
    "CREATE FUNCTION public.of_session(uuid) RETURNS bigint LANGUAGE plpgsql AS "
    "'BEGIN RETURN (SELECT count(*) FROM analytics.user_feedback WHERE session_id::text = $1::text); END'",
    "CREATE VIEW analytics.by_session AS SELECT session_id::text AS session FROM ml_features.user_interactions",
    "CREATE TRIGGER zz BEFORE UPDATE OF session_id ON analytics.user_feedback FOR EACH ROW "
    "EXECUTE FUNCTION public.touch()",
    "CREATE TRIGGER zz BEFORE INSERT ON chatbot.users FOR EACH ROW EXECUTE FUNCTION public.touch()",
    "CREATE POLICY theirs ON chatbot.shops USING (category <> 'secret')",
    "ALTER TABLE chatbot.menus ADD loud text GENERATED ALWAYS AS (upper(menu_name)) STORED",
    "CREATE TABLE chatbot.orders_before (id int CONSTRAINT orders_pkey PRIMARY KEY)",
    "CREATE UNIQUE INDEX by_nickname ON chatbot.users (nickname)",
    "CREATE SCHEMA backup; CREATE TABLE backup.coupons (id int)",
    "ALTER TABLE chatbot.users ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE ml_features.user_interactions ADD touched timestamptz DEFAULT '2024-01-01 00:00+09'; "
    "CREATE TRIGGER zz BEFORE UPDATE ON ml_features.user_interactions FOR EACH ROW EXECUTE FUNCTION public.mark()",
    *(
        f"CREATE TRIGGER note AFTER UPDATE ON {name} FOR EACH {each} EXECUTE FUNCTION public.note()"
        for name, each in (
            ("chatbot.conversations", "ROW"),
            ("chatbot.orders_coupons", "STATEMENT"),
            ("analytics.recommendations_log", "ROW"),
        )
    ),
    "CREATE FUNCTION chatbot.start_session(int) RETURNS text LANGUAGE sql AS $$SELECT 'theirs'$$",
    "CREATE TRIGGER set_updated_at BEFORE UPDATE ON chatbot.users FOR EACH ROW EXECUTE FUNCTION public.touch()",
    "CREATE VIEW chatbot.names AS SELECT shop_name FROM chatbot.shops",
    "CREATE INDEX idx_shops_category ON chatbot.shops (id)",
    "ALTER TABLE chatbot.users ADD CONSTRAINT users_user_status_check CHECK (id <> 0)",
    "ALTER TABLE chatbot.users ADD tenant int NOT NULL DEFAULT 1",
    "CREATE TABLE public.orders (id int)",
    "ALTER TABLE chatbot.orders ADD FOREIGN KEY (user_id) REFERENCES chatbot.users (id)",
    "ALTER TABLE chatbot.orders_coupons ADD wallet int REFERENCES chatbot.user_wallet (id)",
)

LATER = [table.relation for table in TABLES if table.relation not in NUCLEUS]
"""The tables that an older YUMAI database may lack."""


@dataclass(frozen=True)
class Row:
    """A row: its table, its number, and the statement that inserts it."""

    relation: Relation
    number: int
    statement: str


@dataclass(frozen=True)
class Older:
    """A drawn older database.

    Attributes:
        statements: what makes it.
        changes: in what it is unlike ours.
        later: rows that are written while it is adopted, each with its table and key.
        killed_at: the number of the statement at which its first adoption is killed; None if it is not.
    """

    statements: tuple[str, ...]
    changes: tuple[str, ...]
    later: tuple[Row, ...]
    killed_at: int | None

    def __repr__(self) -> str:
        """Print it so that it can be run again."""
        return "Older:\n" + ";\n".join(self.statements) + ";"


@dataclass(frozen=True)
class _Column:
    """A drawn column: its name, type and declaration, and how it is unlike ours."""

    name: str
    type: str
    declaration: str
    changes: tuple[str, ...]


@st.composite
def older_databases(draw: st.DrawFn) -> Older:
    """Draw the tables of an older database, with rows."""
    statements = [
        "CREATE SCHEMA chatbot; CREATE SCHEMA ml_features; CREATE SCHEMA analytics",
        "CREATE TYPE public.mood AS ENUM ('good', 'bad')",
        "CREATE DOMAIN public.label AS text CHECK (value <> 'never')",
        "CREATE SEQUENCE public.numbers START 1000",
        "CREATE FUNCTION public.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "CREATE FUNCTION public.mark() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN NEW.touched := now(); RETURN NEW; END'",
        "CREATE TABLE public.history (what text)",
        "CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN INSERT INTO public.history VALUES (TG_TABLE_NAME); RETURN NULL; END'",
    ]
    changes: list[str] = []
    later: list[Row] = []
    for each in target():
        if each.kind == "type":
            changed = draw(st.sampled_from(["", "", "less", "more"]))
            labels = {"": each.definition, "less": each.definition.split(", ")[0], "more": each.definition + ", 'more'"}
            statements.append(f"CREATE TYPE {each.name} AS ENUM ({labels[changed]})")
            changes += [f"type with {changed} labels"] if changed else []
    missing = {*draw(st.sets(st.sampled_from(LATER), max_size=3)), *draw(st.sampled_from([[], [SESSIONS]]))}
    changes += ["table missing"] if missing else []
    for table in TABLES:
        if table.relation not in missing:
            found, rows, what = draw(_tables(table.relation))
            statements += found
            later += rows
            changes += what
    own = draw(st.lists(st.sampled_from(OWN_OBJECTS), unique=True, max_size=3))
    killed_at = draw(st.one_of(st.none(), st.none(), st.none(), st.integers(1, 1500)))
    is_written = draw(st.sampled_from([False, False, True]))
    return Older(
        (*statements, *own),
        (*changes, *(f"own object: {each[:60]}" for each in own)),
        tuple(draw(st.permutations(later))) if is_written else (),
        killed_at,
    )


def draw(number: int) -> Older:
    """Draw the older database of a number, which is the same each time."""
    drawn: list[Older] = []

    # The first is the simplest there is, whatever the number.
    @seed(number)
    @settings(
        max_examples=2,
        deadline=None,
        derandomize=False,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(older=older_databases())
    def take(older: Older) -> None:
        drawn.append(older)

    take()
    return drawn[-1]


@st.composite
def _tables(draw: st.DrawFn, relation: Relation) -> tuple[list[str], list[Row], list[str]]:
    """Draw one table with its rows, and rows that are written later, and say what is unlike ours."""
    changes: list[str] = []
    columns: list[_Column] = []
    likely = draw(st.sampled_from([0, 0, 1, 3]))
    for each in within("column", relation):
        change = "" if draw(st.integers(0, 9)) >= likely else draw(st.sampled_from(CHANGES))
        if change in {"drop", "rename"} and own_name(each) in _needed(relation):
            change = ""
        place = "core column" if own_name(each) in CORE[relation] else "column"
        if change == "drop":
            changes.append(f"{place} missing")
            continue
        column = draw(_columns(relation, own_name(each), ColumnShape.parse(each.definition), change))
        changes += [f"{place} {what}" for what in column.changes]
        columns.append(column)
    rules = draw(_rules(relation, {column.name: column.type for column in columns}))
    body = ", ".join([*(column.declaration for column in columns), *rules])
    partitions, months = draw(_months()) if relation == CONVERSATIONS else ([], ["2024-08"])
    by = " PARTITION BY RANGE (conversation_time)" if relation == CONVERSATIONS else ""
    rows = [draw(_rows(relation, columns, number, months)) for number in range(1, draw(st.integers(1, 5)))]
    later = [Row(relation, number, draw(_rows(relation, columns, number, months))) for number in (101, 102)]
    # Without its number, a row that was written could not be found again.
    later = later if table_of(relation).key[0] in {column.name for column in columns} else []
    return [f"CREATE TABLE {relation} ({body}){by}", *partitions, *rows], later, changes


PLAIN_SEQUENCE = "DEFAULT nextval('public.numbers')"
CHANGES = ("drop", "type", "type", "null", "default", "rename")


def _needed(relation: Relation) -> set[str]:
    """The columns without which it is no YUMAI database."""
    table = table_of(relation)
    own = {"session_id", "user_id", table.time or ""} if table.session_child else set()
    return {*table.key, *own} if relation in NUCLEUS else own


@st.composite
def _columns(draw: st.DrawFn, relation: Relation, name: str, ours: ColumnShape, change: str) -> _Column:
    changes: list[str] = []
    kind = ours.type
    if change == "type":
        others = ["bigint", "smallint"] if (relation, name) in KEYS else OTHER.get(family(kind), [kind])
        kind = kind if (relation, name) in KEYS and kind == "uuid" else draw(st.sampled_from(others))
        changes.append(f"{family(ours.type)} as {kind}")
    written = f"{name}_of_theirs" if change == "rename" else name
    changes += ["renamed"] if change == "rename" else []
    parts = [written, kind]
    if family(kind) == "integer" and ours.identity:
        ways = [ours.identity, ours.identity, "GENERATED BY DEFAULT AS IDENTITY", PLAIN_SEQUENCE, ""]
        way = draw(st.sampled_from(ways))
        changes += [f"numbered: {way or 'by nobody'}"] if way != ours.identity else []
        parts.append(way)
    elif kind == ours.type and ours.default:
        changes += ["without default"] if change == "default" else []
        parts.append("" if change == "default" else f"DEFAULT {ours.default}")
    if change == "null":
        changes.append("nullable" if ours.not_null else "NOT NULL")
    if ours.not_null != (change == "null") or (relation, name) in KEYS:
        parts.append("NOT NULL")
    return _Column(written, kind, " ".join(filter(None, parts)), tuple(changes))


@st.composite
def _rules(draw: st.DrawFn, relation: Relation, columns: dict[str, str]) -> list[str]:
    """Draw which of our primary and unique keys the table has, as far as its columns allow.

    Rows are drawn without regard to checks and foreign keys, so it has none.
    """
    ours = {own_name(each): ColumnShape.parse(each.definition).type for each in within("column", relation)}
    found: list[str] = []
    for each in within("constraint", relation):
        names = {name for name in re.findall(r"[a-z_]+", each.definition) if name in ours}
        fits = all(columns.get(name) == ours[name] for name in names)
        if fits and each.definition.startswith(("PRIMARY", "UNIQUE")) and draw(st.booleans()):
            name = draw(st.sampled_from([own_name(each), f"theirs_{own_name(each)}"]))
            found.append(f"CONSTRAINT {name} {each.definition}")
    return found


@st.composite
def _months(draw: st.DrawFn) -> tuple[list[str], list[str]]:
    """Draw the partitions of the conversations, under names of ours or of theirs."""
    months = draw(st.lists(st.sampled_from(["2024-08", "2024-09", "2024-11", "2025-01"]), unique=True, max_size=3))
    made: list[str] = []
    for month in months:
        year, number = map(int, month.split("-"))
        end = f"{year + number // 12}-{number % 12 + 1:02}"
        name = draw(st.sampled_from([f"conversations_{month.replace('-', '_')}", f"talk_{year}{number:02}"]))
        made.append(
            f"CREATE TABLE chatbot.{name} PARTITION OF {CONVERSATIONS} "
            f"FOR VALUES FROM ('{month}-01 00:00+09') TO ('{end}-01 00:00+09')"
        )
    if not months or draw(st.booleans()):
        made.append(f"CREATE TABLE chatbot.conversations_default PARTITION OF {CONVERSATIONS} DEFAULT")
        months.append("2024-10")
    return made, months


@st.composite
def _rows(draw: st.DrawFn, relation: Relation, columns: list[_Column], number: int, months: list[str]) -> str:
    """Draw one row: its numbers are small, its references mostly lead somewhere."""

    def values() -> Iterator[str]:
        for column in columns:
            kind = family(column.type)
            if column.name == "conversation_time":
                yield f"'{draw(st.sampled_from(months))}-15 12:00+09'"
            elif (relation, column.name) in KEYS and column.type != "uuid":
                yield str(number)
            elif column.name == "session_id":
                # A session that is written later is a new one.
                which = number if relation == SESSIONS and number > 100 else draw(st.integers(1, 3))
                session = f"md5('{which}')::uuid"
                text = draw(st.sampled_from([f"{session}::text", f"'session {number}'"]))
                yield session if column.type == "uuid" else text
            elif column.name.endswith("_id") and kind == "integer":
                yield draw(st.sampled_from([str(number), "1", "77"]))
            elif column.name in {"external_user_id", "email"} and kind in {"text", "character"}:
                yield f"'{number}'"
            elif "NOT NULL" not in column.declaration and draw(st.integers(0, 4)) == 0:
                yield "NULL"
            else:
                yield draw(st.sampled_from(_values(column.type)))

    names, row = ", ".join(column.name for column in columns), ", ".join(values())
    return " ".join(["INSERT INTO", str(relation), f"({names})", "OVERRIDING SYSTEM VALUE VALUES", f"({row})"])


def _values(kind: str) -> list[str]:
    if kind == "public.mood":
        return ["'good'", "'bad'"]
    if kind.startswith("character varying(4"):
        return ["'x'", "''", "'1234'"]
    name = kind if kind in VALUES else family(kind)
    return VALUES.get(name) or VALUES["numeric" if name == "real" else "text"]
