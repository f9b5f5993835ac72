"""Each operation, broken at a statement in each way, and run again: nothing is lost, doubled or half done.

`make faults` breaks one statement of each class (`classes.py`); otherwise some of these are drawn. A table at the end
says how many were.
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql

from tests.conftest import Databases
from tests.hostile.classes import one_of_each_class
from tests.hostile.life import plant_world, rows_of
from tests.hostile.operations import BEFORE, adopt
from tests.hostile.proxy import Fault, failing
from tests.processes import forked
from tests.support import every, server_home
from yumai_pipelines.local.server import LocalServer
from yumai_pipelines.postgres.transactions import carry_on
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


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Divide what is broken whole into parts, which workers share."""
    if "part" in metafunc.fixturenames:
        parts = 1 if metafunc.config.getoption("faults").isdecimal() else PARTS
        metafunc.parametrize("part", [(each, parts) for each in range(parts)], ids=str)


PARTS = 6


@dataclass
class Outcome:
    """What became of the faults of an operation: the statements that were broken, and what is wrong after some."""

    tried: int = 0
    whole: int = 0
    finished: int = 0
    different: list[str] = field(default_factory=list)


@pytest.mark.usefixtures("short_pauses")
@pytest.mark.parametrize("fault", Fault, ids=lambda each: each.name)
@pytest.mark.parametrize("operation", BEFORE, ids=lambda each: each.__name__)
def test_an_operation_that_was_broken_is_finished_by_the_next_run(
    ground: Ground,
    tmp_path: Path,
    pytestconfig: pytest.Config,
    record_property: Callable[[str, object], None],
    operation: Operation,
    fault: Fault,
    part: tuple[int, int],
) -> None:
    store, kept, outcome = tmp_path / STORE, tmp_path / "kept", Outcome()
    with ground.databases.create("template0" if operation is adopt else ground.world) as ready:
        for each in BEFORE[operation]:
            each(ground.databases.url(ready), store)
        if store.exists():
            shutil.copytree(store, kept)
        with ground.clone(ready) as url, failing(url, fault, at=0) as counting:
            operation(counting.url, store)
            statements = counting.statements
            expected = contents(url)
        classes = one_of_each_class(fault, statements)
        chosen = choose(len(statements), classes, pytestconfig.getoption("faults"), operation, fault)
        for at in chosen[part[0] :: part[1]]:
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
                note(outcome, f"at statement {at}", operation, url, store, expected)
    counts = (outcome.tried, outcome.whole, outcome.finished, len(classes), len(statements))
    record_property("faults", (operation.__name__, fault.name, *counts))
    assert outcome.different == []


def finish(operation: Operation, url: str, store: Path) -> None:
    """Run an operation again, and once more where it says so: a machine that is too busy pauses a sound run, too."""
    carry_on(lambda: operation(url, store))


def note(outcome: Outcome, where: str, operation: Operation, url: str, store: Path, expected: dict[str, Any]) -> None:
    """Look whether the broken run has done all of its work; if not, run the operation again, and look what differs."""
    outcome.tried += 1
    with suppress(psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn):  # of an adoption that has just begun
        outcome.whole += not differences(url, expected)
    try:
        finish(operation, url, store)
    except Exception as error:  # What is said of one statement must not hide the next.
        outcome.different.append(f"{where}: {error!r}")
        return
    different = differences(url, expected)
    outcome.finished += not different
    outcome.different += [f"{where}: {each}" for each in different]


def differences(url: str, expected: dict[str, Any]) -> list[str]:
    """In what the database differs from one in which the operation was undisturbed."""
    found = contents(url)
    return [what for what in expected if found[what] != expected[what]]


def choose(statements: int, classes: list[int], wanted: str, operation: Operation, fault: Fault) -> list[int]:
    """One statement of each class, or all; or as many of the classes as are wanted, others for each kind of fault."""
    if wanted == "all":
        return [*range(1, statements + 1)]
    if wanted == "classes":
        return classes
    seed, drawn = sum(f"{operation.__name__} {fault.name}".encode()), int(wanted)
    return sorted({classes[(seed * 7 + each * len(classes) // drawn) % len(classes)] for each in range(drawn)})


def test_a_class_is_a_statement_and_what_was_committed_before_it() -> None:
    batch = ["BEGIN", 'LOCK TABLE "a"', 'INSERT INTO "a" VALUES (1)', "COMMIT"]
    again = [each.replace("1", "2") for each in batch]
    run = ["SELECT 1", *batch, *again, *again, 'DROP TABLE "a"', "SELECT 2"]
    assert one_of_each_class(Fault.CUT, run) == [1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15]
    assert one_of_each_class(Fault.FROZEN, run) == [2, 3, 4, 5, 10, 11, 12, 13, 14]
    assert one_of_each_class(Fault.SERVER_KILLED, run) == [5, 13, 14]
