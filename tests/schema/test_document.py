"""Every SQL example of the database document (docs/database-document.ko.md) runs as it is written there.

Placeholders are replaced: 'abc-123' and the like by UUIDs, ", ..." by nothing. Examples that create what an installed
database already has run in a database with only what they need.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg import sql

from tests.support import Connection, every, one
from yumai_pipelines.model.lock_policy import LockPolicy
from yumai_pipelines.model.months import Month
from yumai_pipelines.partitions.ensure import ensure_months
from yumai_pipelines.postgres.connections import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENT = Path(__file__).parents[2] / "docs" / "database-document.ko.md"
PLACEHOLDERS = re.compile(r"'(abc-123|fake-uuid-12345|test-123|session-uuid|uuid)'")
SEOUL = ZoneInfo("Asia/Seoul")
CHILDREN = ("conversations", "user_interactions", "recommendations_log", "user_feedback")

EXAMPLES = ["3.1", "3.2", "4.1", "4.1", "4.3", "5.1", "5.1", "5.1", "5.2", "6.1", "6.2", "7.1", "7.2", "7.3"]
EXAMPLES += ["8.1", "8.1", "8.2"]


def blocks() -> list[tuple[str, str]]:
    """Return the SQL examples, each with the number of its section."""
    found = []
    section = ""
    for heading, block in re.findall(r"^#{3} (\d\.\d)|^```sql\n(.*?)^```", DOCUMENT.read_text("utf-8"), re.M | re.S):
        section = heading or section
        if block:
            found.append((section, block))
    return found


def example(section: str, number: int = 1, session: UUID | None = None) -> str:
    """Return an example of the section, the first one by default, with its placeholders replaced."""
    text = [block for at, block in blocks() if at == section][number - 1]
    return PLACEHOLDERS.sub(f"'{session or uuid4()}'", text).replace(", ...", "")


def fetch(connection: Connection, statements: str) -> list[list[tuple[object, ...]]]:
    """Run statements in one call, and return the rows of each."""
    cursor = connection.execute(statements.encode())
    results = [cursor.fetchall() if cursor.description else []]
    while cursor.nextset():
        results.append(cursor.fetchall() if cursor.description else [])
    return results


@pytest.fixture
def shop_and_user(connection: Connection) -> None:
    connection.execute("INSERT INTO chatbot.users (external_user_id) VALUES ('first')")
    connection.execute("INSERT INTO chatbot.shops (shop_name, category) VALUES ('김밥나라', '분식')")


@pytest.fixture
def before(empty_database: str) -> Iterator[Connection]:
    """What the examples that create tables need: users, the schema, and a UUID function."""
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(
            "CREATE SCHEMA chatbot; SET search_path = chatbot, public;"
            "CREATE TABLE chatbot.users (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY);"
            "CREATE FUNCTION uuid_generate_v4() RETURNS uuid LANGUAGE sql AS 'SELECT gen_random_uuid()'"
        )
        yield connection


def test_the_list_names_every_example() -> None:
    assert [section for section, _ in blocks()] == EXAMPLES


COLUMNS = """
    SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
           replace(pg_get_expr(d.adbin, d.adrelid), 'CURRENT_TIMESTAMP', 'now()')
      FROM pg_attribute AS a LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     WHERE a.attrelid = %s::regclass AND a.attnum > 0
"""
KEYS = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass AND contype IN ('p', 'f')"
INDEXES = """
    SELECT indexrelid::regclass::text, replace(pg_get_indexdef(indexrelid), ' ONLY ', ' ') FROM pg_index
     WHERE indrelid = %s::regclass AND NOT indisprimary
"""


def test_3_and_6_1_the_tables_have_all_that_the_document_gives_them(before: Connection, connection: Connection) -> None:
    for section in ("3.1", "3.2", "6.1"):
        before.execute(example(section).replace("\n    ...\n", "\n").replace("time),\n)", "time)\n)").encode())
    for table in ("chatbot.session_master", "chatbot.conversations"):
        for facts in (COLUMNS, KEYS, INDEXES):
            missing = set(every(before, facts, table)) - set(every(connection, facts, table))
            # To these, the running system adds a default, a rule or a type that the document does not have.
            assert {row[0] for row in missing} <= {
                "session_type",
                "conversation_time",
                "FOREIGN KEY (user_id) REFERENCES users(id)",
            }, (table, missing)


@pytest.mark.usefixtures("shop_and_user")
def test_4_1_a_conversation_needs_its_session(connection: Connection) -> None:
    create, insert = example("4.1").split(";", 1)
    (rows,) = fetch(connection, create)
    session = rows[0][0]
    assert isinstance(session, UUID)
    insert = example("4.1", session=session).split(";", 1)[1]
    assert connection.execute(insert.encode()).statusmessage == "INSERT 0 1"
    with pytest.raises(psycopg.errors.ForeignKeyViolation, match="violates foreign key constraint"):
        connection.execute(example("4.1", 2).encode())


def test_4_2_rows_are_in_the_partition_of_their_month(database: str, connection: Connection) -> None:
    with connect(database, application_name="test: document") as owner:
        months = Month(2024, 8).through(Month(2025, 2))
        ensure_months(owner, list(months), zone=SEOUL, policy=LockPolicy())
    session = one(connection, "INSERT INTO session_master DEFAULT VALUES RETURNING session_id")
    days = ["2024-08-15", "2024-09-15", "2024-10-15", "2024-11-01", "2024-11-30", "2025-01-31", "2025-02-01"]
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO conversations (session_id, conversation_time) VALUES (%s, %s)",
            [(session, day) for day in days],
        )
    distribution = every(
        connection,
        "SELECT tableoid::regclass::text, count(*), to_char(min(conversation_time), 'YYYY-MM') "
        "FROM conversations GROUP BY 1 ORDER BY 1",
    )
    table = re.findall(r"│ (conversations_\S+) +│ (\d+) +│ (\S+) +│", DOCUMENT.read_text("utf-8"))
    assert distribution == [(name, int(rows), month) for name, rows, month in table]


def counts(connection: Connection) -> dict[str, int]:
    query = sql.SQL("SELECT count(*) FROM {}")
    return {table: one(connection, query.format(sql.Identifier(table)).as_string()) for table in CHILDREN}


def start(connection: Connection) -> UUID:
    """Run all of section 5.2. `SELECT … INTO v_session_id` is how a program keeps the result."""
    call = "SELECT start_session(1, 'chat') INTO v_session_id;"
    begin, rest = example("5.2").split(call)
    connection.execute(begin.encode())
    session: UUID = one(connection, "SELECT start_session(1, 'chat')")
    results = fetch(connection, rest.replace("v_session_id", f"'{session}'"))
    assert results[-1] == [(True,)], "end_session"
    return session


@pytest.mark.usefixtures("shop_and_user")
def test_4_3_deleting_a_session_takes_all_of_it(connection: Connection) -> None:
    session = start(connection)
    assert counts(connection) == dict.fromkeys(CHILDREN, 1)
    delete = example("4.3", session=session).split(";")[0]  # the rest shows the result
    assert connection.execute(delete.encode()).statusmessage == "DELETE 1"
    assert counts(connection) == dict.fromkeys(CHILDREN, 0)


@pytest.mark.usefixtures("shop_and_user")
def test_4_4_every_session_id_is_valid(connection: Connection) -> None:
    start(connection)
    for table in CHILDREN:
        orphans = example("7.3").split(";")[1].replace("conversations", table)
        assert fetch(connection, orphans)[-1] == [(0,)], table


@pytest.mark.usefixtures("shop_and_user")
def test_5_1_session_functions(connection: Connection) -> None:
    ((session,),) = fetch(connection, example("5.1"))[0]
    assert isinstance(session, UUID)
    assert every(connection, "SELECT session_type, session_metadata, is_active, user_id FROM session_master") == [
        ("chat", {"device": "mobile"}, True, 1)
    ]
    assert fetch(connection, example("5.1", 2, session))[0] == [(True,)]
    assert fetch(connection, example("5.1", 2, session))[0] == [(False,)], "it is closed already"
    connection.execute(
        "INSERT INTO session_master (session_start) VALUES (now() - interval '25 hours'), (now() - interval '1 hour')"
    )
    assert fetch(connection, example("5.1", 3))[0] == [(1,)]


@pytest.mark.usefixtures("shop_and_user")
def test_5_2_the_complete_flow(connection: Connection) -> None:
    session = start(connection)
    assert counts(connection) == dict.fromkeys(CHILDREN, 1)
    assert every(
        connection, "SELECT is_active, session_end IS NOT NULL FROM session_master WHERE session_id = %s", session
    ) == [(False, True)]


def test_6_2_a_range_of_time_prunes_partitions(database: str, connection: Connection) -> None:
    with connect(database, application_name="test: document") as owner:
        ensure_months(owner, list(Month(2024, 8).through(Month(2025, 2))), zone=SEOUL, policy=LockPolicy())
    good, bad = example("6.2").split(";")[:2]

    def scanned(query: str) -> set[str]:
        (plan,) = fetch(connection, f"EXPLAIN (COSTS OFF) {query}")
        return set(re.findall(r"on (conversations_\w+)", str(plan)))

    assert scanned(good) == {"conversations_2024_11"}
    assert len(scanned(bad)) == 8


@pytest.mark.usefixtures("shop_and_user")
def test_7_1_daily_work(connection: Connection) -> None:
    start(connection)
    assert one(connection, "SELECT count(*) FROM recent_conversations") == 0
    assert fetch(connection, example("7.1"))[-1] == [(0,)]
    assert one(connection, "SELECT count(*) FROM recent_conversations") == 1


BOUNDS = """
    SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE oid = 'chatbot.conversations_2025_04'::regclass
"""
SEOUL_APRIL = "FOR VALUES FROM ('2025-04-01 00:00:00+09') TO ('2025-05-01 00:00:00+09')"


@pytest.mark.usefixtures("shop_and_user")
def test_7_2_monthly_work(database: str, connection: Connection) -> None:
    start(connection)
    connection.execute("UPDATE session_master SET session_end = now() - interval '31 days'")
    assert fetch(connection, example("7.2"))[-1] == [(1,)]
    assert one(connection, BOUNDS) == SEOUL_APRIL
    with connect(database, application_name="test: document") as owner:
        (report,) = ensure_months(owner, [Month(2025, 4)], zone=SEOUL, policy=LockPolicy())
    assert report.action == "recognized"


@pytest.mark.usefixtures("shop_and_user")
def test_7_3_monitoring(connection: Connection) -> None:
    start(connection)
    connection.execute("SELECT start_session(1, 'voice')")
    sessions, orphans = fetch(connection, example("7.3"))
    assert (sessions, orphans) == ([(1, 1, 2)], [(0,)])


def test_8_1_no_row_is_refused_for_want_of_a_partition(database: str, connection: Connection) -> None:
    session = one(connection, "INSERT INTO session_master DEFAULT VALUES RETURNING session_id")
    insert = "INSERT INTO conversations (session_id, conversation_time) VALUES (%s, %s)"
    connection.execute(example("8.1").encode())
    assert one(connection, BOUNDS) == SEOUL_APRIL
    connection.execute(insert, (session, "2025-04-30 23:59:59"))
    connection.execute(insert, (session, "2025-05-01 00:00:00"))
    where = "SELECT tableoid::regclass::text FROM conversations ORDER BY conversation_time"
    assert every(connection, where) == [("conversations_2025_04",), ("conversations_default",)]
    with connect(database, application_name="test: document") as owner:
        (report,) = ensure_months(owner, [Month(2025, 5)], zone=SEOUL, policy=LockPolicy())
    assert report.moved_rows == 1
    assert every(connection, where) == [("conversations_2025_04",), ("conversations_2025_05",)]


@pytest.mark.usefixtures("shop_and_user")
def test_8_1_a_session_comes_first(connection: Connection) -> None:
    insert = "INSERT INTO conversations (session_id, input_text) VALUES (%s, '안녕하세요')"
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        connection.execute(insert, (uuid4(),))
    ((session,),) = fetch(connection, example("8.1", 2))[0]
    assert connection.execute(insert, (session,)).statusmessage == "INSERT 0 1"


def test_8_2_the_migration_works_where_nothing_is_amiss(before: Connection) -> None:
    before.execute("CREATE TABLE conversations (session_id uuid, user_id int, conversation_time timestamptz)")
    before.execute("INSERT INTO conversations SELECT gen_random_uuid(), NULL, now() FROM generate_series(1, 2)")
    body = example("3.1").split("(", 1)[1].rsplit(")", 1)[0]
    migration = example("8.2").replace("pg_dump old_database > backup.sql", "").replace("(...)", f"({body})")
    before.execute(migration.encode())
    assert one(before, "SELECT count(*) FROM session_master") == 2
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        before.execute("INSERT INTO conversations VALUES (gen_random_uuid())")
