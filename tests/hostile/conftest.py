"""What several tests of a world that is not ours share."""

from __future__ import annotations

from datetime import timedelta
from itertools import groupby
from typing import TYPE_CHECKING

import dagster as dg
import psycopg
import pytest

from tests.hostile.life import Life, live, plant_world
from tests.hostile.operations import SECRET
from tests.support import recorded
from yumai_pipelines.defs import resources
from yumai_pipelines.postgres import transactions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Databases


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print, of each operation and fault, at how many statements it was tried, and what became of them."""
    properties = recorded(terminalreporter, "faults")
    if not properties:
        return
    terminalreporter.section("faults")
    terminalreporter.write_line("| operation | fault | tried | whole | finished | classes | statements |")
    terminalreporter.write_line("|---|---|--:|--:|--:|--:|--:|")
    for (operation, fault), parts in groupby(sorted(properties), key=lambda each: tuple(each[:2])):
        tried, whole, finished, classes, statements = zip(*(each[2:] for each in parts), strict=True)
        counts = sum(tried), sum(whole), sum(finished), max(classes), max(statements)
        terminalreporter.write_line(" | ".join(map(str, ("", operation, fault, *counts, ""))).strip())


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that was frozen is run again soon."""
    for module in (transactions, resources):
        monkeypatch.setattr(module, "PAUSES_OF_FROZEN", (timedelta(milliseconds=1),) * 3)


@pytest.fixture(scope="session")
def world(databases: Databases, template: str) -> Iterator[str]:
    """The name of a database with rows, to be cloned."""
    with databases.create(template) as name:
        with psycopg.connect(databases.url(name), autocommit=True) as connection:
            plant_world(connection)
        yield name


@pytest.fixture(scope="session")
def undisturbed(databases: Databases, world: str, tmp_path_factory: pytest.TempPathFactory) -> Life:
    """The life of a database that nothing disturbs, for tests that belong to the group `lives`, which share it."""
    directory = tmp_path_factory.mktemp("undisturbed")
    with (
        pytest.MonkeyPatch.context() as environment,
        databases.clone(world) as url,
        psycopg.connect(url, autocommit=True) as admin,
        dg.DagsterInstance.ephemeral() as instance,
    ):
        environment.setenv("YUMAI_USER_KEY_SECRET", SECRET.get_secret_value())
        environment.setenv("YUMAI_ARCHIVE_URL", str(directory / "archive"))
        environment.setenv("YUMAI_HOME", str(directory / "home"))
        life = live(url, admin, instance, directory)
    assert life.failed == {}
    return life
