"""Dagster's real storage, the sensors as the daemon evaluates them, and somebody who listens to alerts."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import dagster as dg
import pytest
from dagster_postgres.storage import DagsterPostgresStorage

from tests.watch.listener import Listener, listening
from yumai_pipelines.dagster_storage import sqlalchemy_url
from yumai_pipelines.definitions import defs
from yumai_pipelines.defs.resources import RESOURCES, PostgresResource
from yumai_pipelines.runs import open_instance
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Databases


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    """A web server that is the only target of alerts."""
    with listening() as listener:
        monkeypatch.setenv("YUMAI_ALERT_URLS", listener.url)
        monkeypatch.setenv("YUMAI_UI_URL", "https://pipelines.example.com")
        yield listener


@pytest.fixture(scope="session")
def empty_history(databases: Databases) -> Iterator[str]:
    """The name of a database with Dagster's tables, which tests clone, since making them takes seconds."""
    with databases.create() as name:
        DagsterPostgresStorage(sqlalchemy_url(databases.url(name)))
        yield name


@pytest.fixture
def history(
    database: str, empty_history: str, databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dg.DagsterInstance]:
    """Dagster's instance with PostgreSQL as its storage, beside `database`."""
    monkeypatch.setenv("YUMAI_DATABASE_URL", database)
    with databases.create(empty_history) as name:
        monkeypatch.setenv("YUMAI_DAGSTER_URL", databases.url(name))
        with open_instance(Settings().home) as instance:
            yield instance


class Sensor:
    """A sensor of the definitions, whose cursor is kept from tick to tick, as the daemon does."""

    def __init__(self, name: str, instance: dg.DagsterInstance) -> None:
        self._definition = next(each for each in defs.sensors or () if each.name == name)
        self._instance = instance
        self.cursor: str | None = None

    def tick(self) -> str:
        """Evaluate it once, and return what it says."""
        given = {"settings": RESOURCES["settings"], "postgres": PostgresResource(url=os.environ["YUMAI_DATABASE_URL"])}
        with dg.build_sensor_context(
            self._instance, cursor=self.cursor, repository_def=defs.get_repository_def(), resources=given
        ) as context:
            outcome = self._definition.evaluate_tick(context)
        self.cursor = outcome.cursor
        return outcome.skip_message or ""
