"""The run or the server is killed at each step. No row is lost or doubled, and the next run goes on to the end."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING

import psutil
import psycopg
import pyarrow.parquet as pq
import pytest
from psycopg import sql

from tests.killed_runs import AS_OF, AUGUST, POLICY, SEOUL, StepKiller, killed, make_archive_and_restore
from tests.support import Connection, every, one, server_home
from yumai_pipelines.archives.archive import archive_months
from yumai_pipelines.archives.store import Store
from yumai_pipelines.local.server import LocalServer
from yumai_pipelines.partitions import archived
from yumai_pipelines.partitions.ensure import ensure_months
from yumai_pipelines.postgres.connections import connect
from yumai_pipelines.postgres.endings import EndedError
from yumai_pipelines.schema.upgrade import upgrade
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STEPS = 30
"""A run has more steps than this. Each new process gets one step further."""


def plant(connection: Connection) -> None:
    """Insert rows of three months, of one that gets no partition, and of 1970."""
    session = one(connection, "INSERT INTO chatbot.session_master DEFAULT VALUES RETURNING session_id")
    connection.execute(
        """
        INSERT INTO chatbot.conversations (session_id, conversation_time, input_text)
        SELECT %s, timestamptz '2024-08-01 00:00+09' + n * interval '1 day', 'turn ' || n
          FROM generate_series(0, 99) AS n
        UNION ALL SELECT %s, '1970-01-01 00:00+00', 'decades off'
        """,
        (session, session),
    )


def whereabouts(connection: Connection) -> Counter[int]:
    """Count each row by id in the conversations, in the detached table, and in the file."""
    ids = Counter(i for (i,) in every(connection, "SELECT id FROM chatbot.conversations"))
    archive = archived.read(connection).get(AUGUST)
    if archive is not None and archive.state == "detached":
        query = sql.SQL("SELECT id FROM {}").format(archived.table_of(AUGUST).identifier)
        ids += Counter(i for (i,) in connection.execute(query))
    if archive is not None and archive.state == "archived":
        ids += Counter(pq.read_table(str(archive.uri).removeprefix("file://"))["id"].to_pylist())
    return ids


def contents(connection: Connection) -> list[tuple[str]]:
    return every(connection, "SELECT c::text FROM chatbot.conversations AS c ORDER BY id")


def check_the_end(connection: Connection, before: list[tuple[str]]) -> None:
    assert contents(connection) == before
    partitions = every(
        connection,
        "SELECT c.relname, count(t.*) FROM pg_inherits JOIN pg_class AS c ON c.oid = inhrelid "
        "JOIN chatbot.conversations AS t ON t.tableoid = c.oid GROUP BY 1 ORDER BY 1",
    )
    assert partitions == [
        ("conversations_2024_08", 31),
        ("conversations_2024_09", 30),
        ("conversations_2024_11", 8),
        ("conversations_default", 32),
    ]
    aside = "SELECT relname FROM pg_class WHERE relnamespace = 'yumai_pipelines'::regnamespace AND relname ~ '^conv'"
    assert every(connection, aside) == []


def test_a_run_killed_at_any_step_is_made_good_by_the_next(
    database: str, connection: Connection, tmp_path: Path
) -> None:
    plant(connection)
    before, everybody = contents(connection), whereabouts(connection)
    steps = 0
    for step in killed("make_archive_and_restore", database, tmp_path):
        assert whereabouts(connection) == everybody, f"after being killed at '{step}'"
        steps += 1
    assert steps > STEPS
    check_the_end(connection, before)


def test_a_telling_that_fails_is_not_waited_for(tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        list(killed("make_archive_and_restore", "postgresql://127.0.0.1:1/nowhere", tmp_path))


def plant_people(connection: Connection) -> None:
    """Insert two people with turns in August, in September and now. Only some turns of a person name them."""
    connection.execute("INSERT INTO chatbot.users (external_user_id) VALUES ('person'), ('other')")
    connection.execute("INSERT INTO chatbot.session_master (user_id) SELECT 1 + n / 2 FROM generate_series(0, 3) AS n")
    connection.execute(
        """
        INSERT INTO chatbot.conversations (session_id, conversation_time, user_id, input_text)
        SELECT s.session_id, m.time, CASE WHEN s.rank = m.rank THEN s.user_id END, 'of user ' || s.user_id
        FROM (SELECT *, row_number() OVER (PARTITION BY user_id ORDER BY session_id) AS rank FROM session_master) AS s
        CROSS JOIN (
            VALUES ('2024-08-10 12:00+09'::timestamptz, 1), ('2024-09-10 12:00+09', 2), (now(), 3)
        ) AS m (time, rank)
        """
    )


def spoken(connection: Connection, store: Path) -> Counter[str]:
    """Count what was said, in the conversations and in the files that the ledger knows."""
    texts = Counter(text for (text,) in every(connection, "SELECT input_text FROM chatbot.conversations"))
    for archive in archived.read(connection).values():
        texts += Counter(pq.read_table(str(archive.uri).removeprefix("file://"))["input_text"].to_pylist())
    assert {path.suffix for path in store.rglob("*.*")} <= {".parquet", ".json"}
    return texts


@pytest.mark.parametrize("purged", [False, True])
def test_an_erasure_killed_at_any_step_is_made_good_by_the_next(
    database: str, connection: Connection, tmp_path: Path, *, purged: bool
) -> None:
    plant_people(connection)
    months = [AUGUST, AUGUST + 1]
    with connect(database, application_name="test: archives") as owner:
        ensure_months(owner, months, zone=SEOUL, policy=POLICY)
        store = Store.at(str(tmp_path))
        list(archive_months(owner, months, store=store, zone=SEOUL, policy=POLICY, kept=6, as_of=AS_OF))
    if purged:  # then only the files know whose turns these were
        connection.execute("DELETE FROM chatbot.session_master")
    everybody = spoken(connection, tmp_path)
    assert everybody["of user 1"] == (4 if purged else 6)

    steps = []
    for step in killed("erase", database, tmp_path):
        left = spoken(connection, tmp_path)
        assert left["of user 2"] == everybody["of user 2"], f"after being killed at '{step}'"
        steps.append(step.split()[1])
    assert set(steps) == {"rewrite", "record", "list", "remove", "erase"}
    assert len(steps) > 10

    assert spoken(connection, tmp_path) == Counter({"of user 2": everybody["of user 2"]})
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 2 * len(months)
    assert {
        text for path in files if path.suffix == ".parquet" for text in pq.read_table(path)["input_text"].to_pylist()
    } == {"of user 2"}
    assert every(connection, "SELECT external_user_id FROM chatbot.users") == [("other",)]
    counts = [each for (each,) in every(connection, "SELECT counts FROM yumai_pipelines.erasures ORDER BY id")]
    assert counts[0] == {"archive of 2024-08": 2, "archive of 2024-09": 2}
    assert counts[-1]["chatbot.users"] == 1


@pytest.fixture
def mortal() -> Iterator[LocalServer]:
    """A server for one test, which may kill it."""
    with server_home() as home:
        server = LocalServer(home)
        server.start()
        try:
            upgrade(server.url(), Settings())
            with psycopg.connect(server.url(), autocommit=True) as connection:
                # What a killed process has written is with the operating system, and is not lost.
                connection.execute("ALTER SYSTEM SET fsync = off")
                connection.execute("SELECT pg_reload_conf()")
            yield server
        finally:
            server.stop()


def test_a_server_killed_at_any_step_has_every_row_and_the_next_run_goes_on(
    mortal: LocalServer, tmp_path: Path
) -> None:
    with psycopg.connect(mortal.url(), autocommit=True) as connection:
        plant(connection)
        before, everybody = contents(connection), whereabouts(connection)

    def kill(step: str) -> None:
        pid = mortal.status().pid
        if pid is None:  # already killed: the run has not used the server since the last kill
            killer.met.discard(step)
            return
        postmaster = psutil.Process(pid)
        processes = [postmaster, *postmaster.children()]
        for process in processes:
            process.kill()
        psutil.wait_procs(processes)

    killer = StepKiller(kill, strict=False)
    sys.addaudithook(killer.on_audit)
    while True:
        try:
            make_archive_and_restore(mortal.url(), str(tmp_path), killer)
        except (psycopg.OperationalError, EndedError):
            killer.stage = ""
            mortal.start()
        else:
            break
        with psycopg.connect(mortal.url(), autocommit=True) as connection:
            assert whereabouts(connection) == everybody
    assert len(killer.met) > STEPS
    with psycopg.connect(mortal.url(), autocommit=True) as connection:
        check_the_end(connection, before)
