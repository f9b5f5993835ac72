"""Each operation, broken at a statement in each way, and run again: nothing is lost, doubled or half done.

`make faults` breaks every statement; otherwise some are drawn. A table at the end says how many were.
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql

from tests.conftest import Databases
from tests.hostile.life import plant_world, rows_of
from tests.hostile.operations import BEFORE, adopt
from tests.hostile.proxy import Fault, failing
from tests.processes import forked
from tests.support import every, server_home
from yumai_pipelines.local.server import LocalServer
from yumai_pipelines.postgres.transactions import FrozenError
from yumai_pipelines.schema.upgrade import upgrade
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.hostile.operations import Operation

STORE = "store"


def contents(url: str) -> dict[str, Any]:
    """What must be the same, however an operation came to its end."""
    with psycopg.connect(url, autocommit=True) as connection:
        made = dict(every(connection, MADE_SESSIONS))
        rows = {name: sorted(renamed(row, made) for row in rows) for name, rows in rows_of(connection).items()}
        return {
            **rows,
            "partitions": every(connection, "SELECT inhrelid::regclass::text FROM pg_inherits ORDER BY 1"),
            "archives": every(connection, "SELECT month, state, row_count, checksum FROM yumai_pipelines.archives"),
            "quarantine": every(
                connection, "SELECT source_table, source_key::text FROM yumai_pipelines.quarantine ORDER BY 1, 2"
            ),
            "left behind": every(
                connection,
                "SELECT relname FROM pg_class WHERE relnamespace = 'yumai_pipelines'::regnamespace ORDER BY 1",
            ),
        }


MADE_SESSIONS = """
    SELECT session_id::text, concat_ws(' ', 'made for', user_id, 'at', session_start) FROM chatbot.session_master
    WHERE session_metadata ->> 'why' = 'the row had no session'
"""
"""An adoption makes sessions for rows that have none, under ids that are random."""


def renamed(row: str, names: dict[str, str]) -> str:
    for made, name in names.items():
        row = row.replace(made, name)
    return row


@dataclass(frozen=True)
class Ground:
    """Where an operation is broken: databases, one with rows, which is cloned, and the server where it is killed."""

    databases: Databases
    world: str
    server: LocalServer | None = None

    @contextmanager
    def clone(self, name: str) -> Iterator[str]:
        """Copy a database, an older one as well. Yield the URL of the copy."""
        with self.databases.create(name) as copy:
            with psycopg.connect(self.databases.url(copy), autocommit=True) as connection:
                connection.execute(
                    sql.SQL("ALTER DATABASE {} SET TimeZone = 'Asia/Seoul'").format(sql.Identifier(copy))
                )
            yield self.databases.url(copy)

    @contextmanager
    def breaking(self, url: str, fault: Fault, at: int) -> Iterator[str]:
        """Yield the URL of the database by way of a network in which a statement is broken; mend what was broken."""
        with failing(url, fault, at, self.server) as broken:
            yield broken.url
        if self.server is not None:
            self.server.start()


@pytest.fixture(scope="module")
def mortal() -> Iterator[Ground]:
    """A server that may be killed."""
    with server_home() as home:
        server = LocalServer(home)
        server.start()
        try:
            databases = Databases(server.url("postgres"))
            with databases.create() as world:
                upgrade(databases.url(world), Settings())
                with psycopg.connect(databases.url(world), autocommit=True) as connection:
                    plant_world(connection)
                yield Ground(databases, world, server)
        finally:
            server.stop()


@pytest.fixture
def ground(request: pytest.FixtureRequest, fault: Fault) -> Ground:
    if fault is Fault.SERVER_KILLED:
        mortal: Ground = request.getfixturevalue("mortal")
        return mortal
    return Ground(request.getfixturevalue("databases"), request.getfixturevalue("world"))


@pytest.mark.parametrize("fault", Fault, ids=lambda each: each.name)
@pytest.mark.parametrize("operation", BEFORE, ids=lambda each: each.__name__)
def test_an_operation_that_was_broken_is_finished_by_the_next_run(
    ground: Ground,
    tmp_path: Path,
    pytestconfig: pytest.Config,
    record_property: Callable[[str, object], None],
    operation: Operation,
    fault: Fault,
) -> None:
    store, kept = tmp_path / STORE, tmp_path / "kept"
    with ground.databases.create("template0" if operation is adopt else ground.world) as ready:
        for each in BEFORE[operation]:
            each(ground.databases.url(ready), store)
        if store.exists():
            shutil.copytree(store, kept)
        with ground.clone(ready) as url, failing(url, fault, at=0) as counting:
            operation(counting.url, store)
            statements = counting.statements
            expected = contents(url)
        different = []
        drawn = spread(statements, pytestconfig.getoption("faults"), operation, fault)
        for at in drawn:
            shutil.rmtree(store, ignore_errors=True)
            if kept.exists():
                shutil.copytree(kept, store)
            with ground.clone(ready) as url:
                with ground.breaking(url, fault, at) as broken:
                    if fault is Fault.CLIENT_KILLED:
                        forked(operation, broken, store)
                    else:
                        with suppress(Exception):
                            operation(broken, store)
                different += [f"at statement {at}: {each}" for each in differences(operation, url, store, expected)]
    record_property("faults", (operation.__name__, fault.name, len(drawn), statements))
    assert different == []


def finish(operation: Operation, url: str, store: Path) -> None:
    """Run an operation again, and once more where it says so: a machine that is too busy pauses a sound run, too."""
    try:
        operation(url, store)
    except FrozenError:
        operation(url, store)


def differences(operation: Operation, url: str, store: Path, expected: dict[str, Any]) -> list[str]:
    """Run an operation again, and return in what the database differs from one in which it was undisturbed."""
    try:
        finish(operation, url, store)
    except Exception as error:  # What is said of one statement must not hide the next.
        return [repr(error)]
    found = contents(url)
    return [what for what in expected if found[what] != expected[what]]


def spread(statements: int, wanted: str, operation: Operation, fault: Fault) -> list[int]:
    """As many statements as are wanted, or all; other ones for each operation and fault."""
    drawn = statements if wanted == "all" else int(wanted)
    seed = sum(f"{operation.__name__} {fault.name}".encode())
    return sorted({1 + (seed * 7 + each * statements // drawn) % statements for each in range(drawn)})
