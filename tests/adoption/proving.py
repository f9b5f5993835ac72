"""Proves an adoption of a drawn older database: it is foretold, it ends or is refused first, and nothing is lost."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql

from tests.adoption.living import OF_ROWS, live_on
from tests.adoption.test_adoption import EXTENSIONS, adopted
from tests.hostile.proxy import Fault, failing
from tests.killed_runs import ADOPTED_AS_OF
from tests.support import every
from yumai_pipelines.adoption import NotToBeAdoptedError, UserRefusedError, adopt, inspect
from yumai_pipelines.adoption.conversions import KEPT, KEPT_BESIDE
from yumai_pipelines.adoption.kinds import Action
from yumai_pipelines.adoption.registry import RECENT_CONVERSATIONS, SESSION_CHILDREN, TABLES
from yumai_pipelines.adoption.target import target
from yumai_pipelines.postgres.endings import EndedError
from yumai_pipelines.schema import snapshot
from yumai_pipelines.schema.differences import drift
from yumai_pipelines.schema.snapshot import loosely, shipped
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.adoption.drawn import Older, Row
    from tests.conftest import Databases
    from tests.support import Connection
    from yumai_pipelines.adoption import AdoptionReport, Inventory
    from yumai_pipelines.model.relations import Relation

SETTINGS = Settings(lock_patience_s=60)
OF_DRAWN_ROWS = OF_ROWS | {
    "soft_references",
    "selections_are_readable",
    "default_partition_empty",
    "months_tile",
}
"""Drawn rows name shops that are not there, have JSON that jsonb cannot hold, and are of months without a partition;
the months of the life may lie apart from those that are drawn."""
NO_KEY = "row "
MAKING = tuple(f"CREATE TABLE {table.relation} (" for table in TABLES)
KEY_OF = {table.relation: table.key[0] for table in TABLES}
Rows = dict[tuple[str, str], dict[str, str | None]]
"""Each value of each row as text, by table and key."""


@contextmanager
def bare_database(databases: Databases) -> Iterator[str]:
    """Make a database with the extensions, in copies of which older databases are made. Yield its name."""
    with databases.create() as name:
        with psycopg.connect(databases.url(name), autocommit=True) as admin:
            admin.execute(EXTENSIONS)
        yield name


@contextmanager
def made(databases: Databases, bare: str, older: Older) -> Iterator[str]:
    """Make a drawn database. A row or an object of its own that does not fit its tables is left out."""
    with databases.create(bare) as name:
        url = databases.url(name)
        with psycopg.connect(url, autocommit=True) as connection:
            database = sql.Identifier(connection.info.dbname)
            connection.execute(sql.SQL("ALTER DATABASE {} SET TimeZone = 'Asia/Seoul'").format(database))
            connection.execute(sql.SQL("ALTER DATABASE {} SET synchronous_commit = off").format(database))
            connection.execute("SET TimeZone = 'Asia/Seoul'")
            with connection.transaction():
                for statement in older.statements:
                    try:
                        with connection.transaction():
                            connection.execute(statement.encode())
                    except psycopg.Error:
                        if statement.startswith(MAKING):
                            raise
        yield url


def rows_of(connection: Connection) -> Rows:
    """Every value of every table, as text."""
    connection.execute("SET TimeZone = 'Asia/Seoul'")
    found: Rows = {}
    for table in TABLES:
        names = columns_of(connection, table.relation)
        if not names:
            continue
        values = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name in names)
        query = sql.SQL("SELECT {} FROM {}").format(values, table.relation.identifier)
        for number, row in enumerate(connection.execute(query)):
            value = dict(zip(names, row, strict=True))
            key = value.get(table.key[0]) or f"{NO_KEY}{number}"
            found[str(table.relation), key] = value
    return found


def columns_of(connection: Connection, relation: Relation) -> dict[str, str]:
    """The columns of a table, with their types; none if there is no such table."""
    query = (
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = to_regclass(%s) "
        "AND attnum > 0 AND NOT attisdropped"
    )
    return dict(every(connection, query, relation.quoted))


def lost(connection: Connection, before: Rows, types: dict[str, dict[str, str]]) -> list[str]:
    """The values that are not there any more, each with its row."""
    after = rows_of(connection)
    emptied = {
        (table, key, name.removesuffix("_older"), value)
        for table, key, name, value in every(
            connection,
            "SELECT q.source_table, q.source_key ->> 'id', f.key, f.value "
            "FROM yumai_pipelines.quarantine AS q CROSS JOIN jsonb_each_text(q.source_row) AS f",
        )
    }
    given = {str(table.relation): {"session_id", table.time or ""} for table in SESSION_CHILDREN}

    def is_there(table: str, key: str, row: dict[str, str | None], now: dict[str, str | None]) -> Iterator[str]:
        for name, value in row.items():
            kept = next((form.format(name) for form in (KEPT, KEPT_BESIDE) if form.format(name) in now), name)
            there = now[kept]
            if (
                value == there
                or (value is None and name in given.get(table, ()))
                or (there is None and (table, key, name, value) in emptied)
                or (kept == name and is_same(types[table][name], value, there))
            ):
                continue
            yield f"{table} {key}: {name} was {value!r}, and is {there!r}"

    gone: list[str] = []
    for (table, key), row in before.items():
        candidates = {k: now for (name, k), now in after.items() if name == table} if key.startswith(NO_KEY) else {}
        now = after.get((table, key))
        if any(not list(is_there(table, number, row, candidate)) for number, candidate in candidates.items()):
            continue
        gone += [f"{table} {key}: the row"] if now is None else list(is_there(table, key, row, now))
    return gone


def is_same(kind: str, before: str | None, after: str | None) -> bool:
    """Whether a time without a zone has become the instant of that wall time in Seoul, or a rating has a half now."""
    if before is None or after is None:
        return False
    if kind == "date":
        return after.removesuffix(" BC").startswith(before.removesuffix(" BC"))
    if kind == "integer":
        return after == f"{before}.0"
    return kind == "timestamp without time zone" and after.replace("+09", "").replace("+08:27:52", "") == before


def prove_adoption(databases: Databases, bare: str, older: Older, directory: Path | None = None) -> str:
    """Adopt a drawn database, and say what became of it: `adopted`, `refused`, or `adopted after a kill`.

    With a directory for its files, an adopted database lives on afterwards.
    """
    with made(databases, bare, older) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            before = rows_of(connection)
            types = {str(table.relation): columns_of(connection, table.relation) for table in TABLES}
            untouched = snapshot.describe(connection)
            inventory = inspect(url, SETTINGS)
            assert snapshot.describe(connection) == untouched, "the dry run changed something"
        if inventory.refusals:
            with pytest.raises(NotToBeAdoptedError):
                adopted(url, SETTINGS)
            with psycopg.connect(url, autocommit=True) as connection:
                assert snapshot.describe(connection) == untouched, "the refusal changed something"
            return "refused"
        was_killed = older.killed_at is not None and kill_adoption(url, older.killed_at)
        writer = Writer(url, older.later, inventory)
        try:
            report = adopt(url, SETTINGS, as_of=ADOPTED_AS_OF, tell=writer.write)
        except UserRefusedError as refused:
            assert older.later, "the dry run has asked about the rows that were there"
            drop = sql.SQL("ALTER TABLE chatbot.users DROP CONSTRAINT {}").format(
                sql.Identifier(refused.constraint or "")
            )
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(drop)
            report = adopt(url, SETTINGS, as_of=ADOPTED_AS_OF, tell=writer.write)
        foretold_truly(inventory, report, is_written=bool(older.later))
        with psycopg.connect(url, autocommit=True) as connection:
            gone = lost(connection, before, types) + writer.lost(connection)
            assert gone == [], gone
            noticed = every(connection, "SELECT what FROM public.history")
            assert noticed == [], noticed
            drifted = [str(each) for each in drift(connection)]
            assert drifted == [], drifted
        again = adopted(url, SETTINGS)
        assert (again.shape, again.steps) == ("adopted", ()), again.steps
        if directory is not None:
            live_on(databases, url, directory, of_rows=OF_DRAWN_ROWS)
        return "adopted after a kill" if was_killed else "adopted"


class Writer:
    """The older application, which writes a row after each step of an adoption, in a transaction of its own."""

    def __init__(self, url: str, rows: Sequence[Row], inventory: Inventory) -> None:
        self._url = url
        self._refused: tuple[type[psycopg.Error], ...] = (psycopg.DataError, psycopg.IntegrityError)
        if any("; a value that is sent as " in each.reason for each in inventory.foretold):
            self._refused += (psycopg.errors.DatatypeMismatch,)
        self._left = list(rows)
        self._written: list[Row] = []

    def write(self, _: object) -> None:
        """Write the next row. What the types and rules of ours forbid may be refused, as the dry run has said."""
        if self._left:
            row = self._left.pop()
            with psycopg.connect(self._url) as connection, suppress(*self._refused):
                connection.execute(row.statement.encode())
                self._written.append(row)

    def lost(self, connection: Connection) -> list[str]:
        """The rows that were written and are not there."""
        there = rows_of(connection)
        return [
            f"{row.relation} {row.number}: written meanwhile"
            for row in self._written
            if KEY_OF[row.relation] != "session_id"
            and (str(row.relation), str(row.number)) not in there
            and not any(name == str(row.relation) and key.startswith(NO_KEY) for name, key in there)
        ]


def kill_adoption(url: str, statement: int) -> bool:
    """Adopt until the server's process is ended at a statement of a number. Say whether there was such a statement."""
    with failing(url, Fault.BACKEND_KILLED, statement) as broken, suppress(psycopg.OperationalError, EndedError):
        adopted(broken.url, SETTINGS)
        return False
    return True


def foretold_truly(inventory: Inventory, report: AdoptionReport, *, is_written: bool) -> None:
    """Check that what stays unlike ours is what the dry run had named, but for rules that later rows are against."""
    converted = {each.ruling.difference.object for each in inventory.foretold if each.action == Action.CONVERT}
    kept = {each.ruling.difference.object for each in inventory.foretold if each.action == Action.KEEP}
    views = (f"column {RECENT_CONVERSATIONS}", f"relation {RECENT_CONVERSATIONS}")
    later = {f"{each.kind} {each.name}" for each in target() if each not in shipped()}
    made = [f"{each.ruling.name}: {each.reason}" for each in inventory.foretold if each.action == Action.MAKE]

    def is_adapted(name: str) -> bool:
        """Whether the dry run had said that a column that is made gets the type of what it refers to."""
        table, _, column = name.removeprefix("column ").rpartition(".")
        return any(line.startswith(table) and f" {column} is " in line for line in made)

    surprises = [
        str(each)
        for each in report.accepted
        if each.ours is not None
        and each.object not in kept | converted | later
        and not each.object.startswith(views)
        and not (is_written and each.object.startswith("constraint "))
        and not is_adapted(each.object)
        and loosely(each.theirs or "") != loosely(each.ours)
    ]
    assert surprises == [], surprises
