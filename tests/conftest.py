"""What the tests share: one embedded PostgreSQL for the whole run, and a database of its own for each test."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql

from yumai_pipelines.local_server import LocalServer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """A running embedded server."""
    server = LocalServer(tmp_path_factory.mktemp("yumai"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def template(server: LocalServer) -> str:
    """The name of a database with the tables that partition management depends on, to be cloned."""
    with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
        admin.execute("CREATE DATABASE yumai_template")
    with psycopg.connect(server.url("yumai_template"), autocommit=True) as connection:
        connection.execute((Path(__file__).parent / "database" / "partition_schema.sql").read_bytes())
    return "yumai_template"


@pytest.fixture
def database(server: LocalServer, template: str) -> Iterator[str]:
    """The superuser's URL of a clone of the template."""
    name = sql.Identifier("yumai_test")
    with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(name, sql.Identifier(template)))
        yield server.url("yumai_test")
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection[Any]]:
    """A superuser's connection to that clone, autocommit."""
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection
