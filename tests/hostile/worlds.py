"""What other people's databases and machines are like: logins, other clients, networks, files, values.

Each kind has a strategy that draws cases of it. A case is lived in by `test_worlds.py`, and printed where it fails.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
from hypothesis import strategies as st
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from tests.hostile.operations import FIRST, LAST, SEOUL
from tests.hostile.pooler import pooled
from tests.hostile.proxy import slow
from tests.processes import finished
from tests.support import every, one
from yumai_pipelines.postgres.connections import to_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tests.support import Connection

# Roles


@dataclass(frozen=True)
class Login:
    """Who logs in: a superuser, or the database's owner who may make roles; with odd names, limits and defaults."""

    name: str
    superuser: bool
    works_as: str | None
    options: str
    shares: bool

    @contextmanager
    def at(self, admin: Connection, url: str) -> Iterator[str]:
        """Yield the URL of this login, which is dropped at the end."""
        name = f"{self.name}{uuid4().hex[:8]}"[-63:]
        role, database = sql.Identifier(name), sql.Identifier(str(conninfo_to_dict(url)["dbname"]))
        attributes = "SUPERUSER" if self.superuser else f"CREATEROLE {self.options}"
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'se cret' {}").format(role, sql.SQL(attributes)))
        try:
            if not self.superuser:
                admin.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(database, role))
                owns = "GRANT {} TO {} WITH ADMIN TRUE, INHERIT TRUE, SET TRUE"
                for each in ("yumai_pipeline", "yumai_app", "yumai_analyst"):
                    admin.execute(sql.SQL(owns).format(sql.Identifier(each), role))
            if self.works_as:
                works_as = sql.Identifier(self.works_as)
                admin.execute(sql.SQL("GRANT {} TO {}").format(works_as, role))
                admin.execute(sql.SQL("ALTER ROLE {} SET role = {}").format(role, sql.Literal(self.works_as)))
            if self.shares:
                shared = "ALTER DEFAULT PRIVILEGES FOR ROLE {}, yumai_pipeline GRANT ALL ON {} TO PUBLIC"
                for kind in ("TABLES", "SEQUENCES", "FUNCTIONS"):
                    admin.execute(sql.SQL(shared).format(role, sql.SQL(kind)))
            yield to_url({**conninfo_to_dict(url), "user": name, "password": "se cret"})
        finally:
            admin.execute(sql.SQL("REASSIGN OWNED BY {} TO CURRENT_USER; DROP OWNED BY {}").format(role, role))
            admin.execute(sql.SQL("DROP ROLE {}").format(role))


LOGINS = st.builds(
    Login,
    name=st.sampled_from(["select", 'Ünï "quoted" 한글 ', "o'clock; --", "$user", "x" * 60, "%s {} \\ ", "-1:@/?#"]),
    superuser=st.booleans(),
    works_as=st.sampled_from([None, "yumai_analyst", "yumai_app", "yumai_pipeline"]),
    options=st.sampled_from(["", "NOINHERIT", "CONNECTION LIMIT 12", "VALID UNTIL 'infinity'", "BYPASSRLS"]),
    shares=st.booleans(),
)


# Clients

CLIENTS = {
    "rewrites rows as they are": "UPDATE chatbot.conversations SET input_text = input_text WHERE id % 5 = 1",
    "rewrites people": "UPDATE chatbot.users SET nickname = nickname WHERE id % 3 = 1",
    "rewrites feedback": "UPDATE analytics.user_feedback SET context = context WHERE id % 4 = 1",
    "thinks better of it": "BEGIN; DELETE FROM chatbot.session_master WHERE random() < 0.1; ROLLBACK",
    "vacuums": "VACUUM (ANALYZE) chatbot.conversations",
    "vacuums fully": "VACUUM FULL analytics.user_feedback",
    "locks out writers": "BEGIN; LOCK TABLE chatbot.conversations IN SHARE MODE; SELECT pg_sleep(0.05); COMMIT",
    "locks out everybody": "BEGIN; LOCK TABLE analytics.recommendations_log; SELECT pg_sleep(0.05); COMMIT",
    "has an old snapshot": "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM chatbot.conversations; "
    "SELECT pg_sleep(0.3); COMMIT",
    "locks rows": "BEGIN; SELECT FROM chatbot.session_master WHERE random() < 0.2 FOR UPDATE; SELECT pg_sleep(0.05); "
    "COMMIT",
    "reindexes": "REINDEX TABLE CONCURRENTLY analytics.recommendations_log",
    "analyzes": "ANALYZE",
    "asks for the months": "SELECT count(*) FROM chatbot.conversations GROUP BY tableoid",
    "refreshes a view": "REFRESH MATERIALIZED VIEW chatbot.recent_conversations",
}
"""What other clients do again and again: they change no row, or not for long."""

CLIENT_SETS = st.sets(st.sampled_from(sorted(CLIENTS)), min_size=3, max_size=6)


@contextmanager
def busy(url: str, names: set[str]) -> Iterator[None]:
    """Let other clients do what they do, with a pause in between."""
    over = threading.Event()

    def go_on(name: str) -> None:
        options = "-c application_name=other -c lock_timeout=2s"
        with psycopg.connect(url, autocommit=True, options=options) as connection:
            while not over.wait(0.1):
                with suppress(psycopg.Error):
                    connection.execute(CLIENTS[name])
                if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                    connection.execute("ROLLBACK")

    threads = [threading.Thread(target=go_on, args=(name,)) for name in sorted(names)]
    for each in threads:
        each.start()
    try:
        yield
    finally:
        over.set()
        for each in threads:
            each.join()


# Networks

NETWORKS: dict[str, Callable[[str], AbstractContextManager[str]]] = {
    "a pooler of few sessions": partial(pooled, sessions=8, whole_sessions=True),
    "slow": partial(slow, pause=0.001),
}
"""What may stand between a login and the server; each is given the login's URL, and yields another."""


# Files


@dataclass(frozen=True)
class Files:
    """Where files are kept: under which name, by a link or not, and under which umask."""

    name: str
    linked: bool
    umask: int

    @contextmanager
    def at(self, directory: Path) -> Iterator[Path]:
        """Yield the directory, which is there already only if it is a link."""
        place = directory / self.name
        if self.linked:
            (directory / "elsewhere").mkdir()
            place.symlink_to(directory / "elsewhere")
        before = os.umask(self.umask)
        try:
            yield place
        finally:
            os.umask(before)


NAMES = [
    "with space", "한글", "per%20cent", "hash#tag", "why?", "plus+", "it's \"quoted\"", "semi;colon", "back\\slash",
    "n" * 200, "~", "-dash", "*", "[a]", "{b}", "c:d", "$HOME", "e::f", "&", "new\nline", "🍜", "file:", "memory:",
]  # fmt: skip
FILES = st.builds(
    Files,
    name=st.sampled_from(NAMES),
    linked=st.booleans(),
    umask=st.sampled_from([0o000, 0o022, 0o077, 0o027]),
)


@dataclass(frozen=True)
class Disk:
    """A disk of its own, which root alone can mount; for others, a directory, which they cannot fill."""

    place: Path

    @contextmanager
    def trouble(self, kind: str) -> Iterator[None]:
        """Let the disk be full, or read-only, until the end of the block."""
        if os.geteuid() != 0:
            self.place.chmod(0o500)
            yield
            self.place.chmod(0o700)
            return
        self._mount("remount,size=16k" if kind == "full" else "remount,ro")
        yield
        self._mount("remount,rw,size=64m")

    def _mount(self, options: str) -> None:
        mounted = finished(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.place)])
        assert mounted.returncode == 0, mounted.stderr


@contextmanager
def disk(place: Path) -> Iterator[Disk]:
    """Put a directory on a disk of its own."""
    place.mkdir(exist_ok=True)
    root = os.geteuid() == 0
    made = Disk(place.resolve())
    if root:
        made._mount("size=64m")
    try:
        yield made
    finally:
        if root:
            assert finished(["umount", str(made.place)]).returncode == 0


# Values

_TEXTS = [
    "",
    " ",
    "김치찌개 🍜",
    "e\u0301",
    "\u202eright to left",
    "\ufeff",
    "'\"\\;--",
    "{1,NULL}",
    "NaN",
    "\r\n\t",
    "\x7f",
]
_DEEP = "[" * 900 + "]" * 900
VALUES: dict[str, list[str]] = {
    "integer": ["0", "-1", "2147483647", "-2147483648"],
    "bigint": ["0", "9223372036854775807", "-9223372036854775808"],
    "numeric": ["NaN", "0.000", "-0.001", "9.999", "-9.999"],
    "text": [*_TEXTS, "긴" * 20000],
    "jsonb": ["null", "{}", "[]", '""', '{"": {"": null}}', "1e300", "-0", '"\\ud83c\\udf5c"', _DEEP, '{"a": [NaN]}'],
    "integer[]": ["{}", "{NULL}", "[2:3]={1,2}", "{{1,2},{3,4}}", "[-1:0][5:5]={{NULL},{2147483647}}"],
    "text[]": ["{}", "{NULL,\"NULL\"}", "[0:0]={\"\"}", "{{\"a,b\",\"{}\"},{\"\\\\\",\"🍜\"}}"],
    "timestamp with time zone": [
        "infinity", "-infinity", "4713-01-01 00:00:00+00 BC", "294276-12-31 23:59:59.999999+00", "0001-01-01 00:00+00",
        "2024-02-29 23:59:59.999999+09",
    ],
    "date": ["infinity", "-infinity", "4713-01-01 BC", "5874897-12-31", "0001-01-01"],
    "inet": ["::1/64", "0.0.0.0/0", "255.255.255.255"],
    "boolean": ["true", "false"],
}  # fmt: skip
"""Values that are odd, by type; each column may also be NULL."""

ODD = ("chatbot.users", "chatbot.session_master", "chatbot.conversations")
"""The tables whose rows get them: those of a person."""

_COLUMNS = """
    SELECT a.attname, format_type(a.atttypid, NULL), a.atttypmod - 4 AS length
    FROM pg_attribute AS a
    WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped AND NOT a.attnotnull
      AND NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conrelid = a.attrelid AND a.attnum = ANY(k.conkey))
      AND NOT EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = a.attrelid AND i.indisunique
                      AND a.attnum = ANY(i.indkey))
    ORDER BY a.attnum
"""


def values_of_columns(connection: Connection) -> st.SearchStrategy[dict[str, dict[str, str | None]]]:
    """For the columns of each table, what the catalogue says that they may hold, and what is odd of that."""
    return st.fixed_dictionaries(
        {
            table: st.fixed_dictionaries(
                {name: _values(kind, length) for name, kind, length in every(connection, _COLUMNS, table)}
            )
            for table in ODD
        }
    )


def _values(kind: str, length: int) -> st.SearchStrategy[str | None]:
    if kind == "character varying":
        fitting = [text for text in _TEXTS if len(text) <= length]
        return st.sampled_from([None, *fitting, "긴" * length, "🍜" * length])
    return st.sampled_from([None, *VALUES[kind]])


def plant_odd(connection: Connection, drawn: dict[str, dict[str, str | None]]) -> int:
    """Add a person, with a session and a conversation in each month, whose rows have these values. Return its id."""
    _insert(connection, "chatbot.users", drawn["chatbot.users"], {"external_user_id": "odd"})
    person: int = one(connection, "SELECT id FROM chatbot.users WHERE external_user_id = 'odd'")
    for month in (FIRST, LAST):
        start = month.start(SEOUL)
        session = uuid4()
        fixed = {"session_id": session, "user_id": person, "is_active": False}
        _insert(connection, "chatbot.session_master", drawn["chatbot.session_master"], fixed)
        fixed = {"session_id": session, "user_id": person, "conversation_time": start}
        _insert(connection, "chatbot.conversations", drawn["chatbot.conversations"], fixed)
    return person


def _insert(connection: Connection, table: str, drawn: dict[str, str | None], fixed: dict[str, object]) -> None:
    values = {**drawn, **fixed}
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        sql.Identifier(*table.split(".")),
        sql.SQL(", ").join(map(sql.Identifier, values)),
        sql.SQL(", ").join([sql.Placeholder()] * len(values)),
    )
    connection.execute(statement, list(values.values()))


def remove_odd(connection: Connection, person: int) -> None:
    """Delete the odd person, so that the rest can be compared."""
    connection.execute("DELETE FROM chatbot.session_master WHERE user_id = %s", (person,))
    connection.execute("DELETE FROM chatbot.users WHERE id = %s", (person,))


def odd_rows(connection: Connection, person: int | None) -> dict[str, list[str]]:
    """The rows of the odd person, as text; others may write them anew, which changes when they were written."""
    queries = {
        "chatbot.users": "SELECT to_jsonb(t) - 'updated_at' FROM chatbot.users AS t WHERE id = %s",
        "chatbot.session_master": "SELECT to_jsonb(t) - 'updated_at' FROM chatbot.session_master AS t "
        "WHERE user_id = %s ORDER BY session_id",
        "chatbot.conversations": "SELECT t::text FROM chatbot.conversations AS t WHERE user_id = %s ORDER BY 1",
    }
    return {table: [str(row) for (row,) in every(connection, query, person)] for table, query in queries.items()}
