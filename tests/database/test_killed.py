"""The run, or the server, is killed at each step: no row is lost or twice, and the next run goes on to the end."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import psutil
import psycopg
import pyarrow.parquet as pq
import pytest
from psycopg import sql

from tests.story import AUGUST, END, Fate, tell
from tests.support import Connection, every, one
from yumai_pipelines import schema
from yumai_pipelines.archives import ledger
from yumai_pipelines.local_server import LocalServer
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

STEPS = 30
"""There are more; each telling gets one further."""


def plant(connection: Connection) -> None:
    """Rows of three months, of one that gets no partition, and decades off."""
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
    """Where each row is: in the conversations, in the detached table, or in the file."""
    ids = Counter(i for (i,) in every(connection, "SELECT id FROM chatbot.conversations"))
    archive = ledger.read(connection).get(AUGUST)
    if archive is not None and archive.state == "detached":
        query = sql.SQL("SELECT id FROM {}").format(ledger.table_of(AUGUST).identifier)
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
    with subprocess.Popen(
        [sys.executable, "-m", "tests.story", database, str(tmp_path)],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as story:
        assert story.stdin
        assert story.stdout
        for step in story.stdout:
            assert whereabouts(connection) == everybody, f"after being killed at '{step}'"
            steps += 1
            story.stdin.write(step)
            if step.strip() == END:
                break
    assert story.returncode == 0
    assert steps > STEPS
    check_the_end(connection, before)


@pytest.fixture
def mortal() -> Iterator[LocalServer]:
    """A server of this test alone, which may be killed."""
    with TemporaryDirectory(prefix="yumai-tests-") as home:
        Path(home).chmod(0o755)  # the account under which root starts the server must be able to enter
        server = LocalServer(Path(home))
        server.start()
        try:
            schema.upgrade(server.url(), Settings())
            with psycopg.connect(server.url(), autocommit=True) as connection:
                # What a killed process has written is the operating system's, and stays.
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
        if pid is None:  # since a step that has not asked it anything yet
            fate.met.discard(step)
            return
        postmaster = psutil.Process(pid)
        processes = [postmaster, *postmaster.children()]
        for process in processes:
            process.kill()
        psutil.wait_procs(processes)

    fate = Fate(kill, strict=False)
    sys.addaudithook(fate.on_audit)
    while True:
        try:
            tell(mortal.url(), str(tmp_path), fate)
        except psycopg.OperationalError:
            fate.chapter = ""
            mortal.start()
        else:
            break
        with psycopg.connect(mortal.url(), autocommit=True) as connection:
            assert whereabouts(connection) == everybody
    assert len(fate.met) > STEPS
    with psycopg.connect(mortal.url(), autocommit=True) as connection:
        check_the_end(connection, before)
