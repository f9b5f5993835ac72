"""Shared fixtures: one PostgreSQL server for the whole run, and a database of its own for each test.

`pytest --postgres` chooses the server: `embedded` (from the wheel, the default), `docker` (a container), or a DSN.
"""

from __future__ import annotations

import os
import secrets
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from tests.support import Connection, one, server_home
from yumai_pipelines.local.server import LocalServer
from yumai_pipelines.postgres.connections import with_database
from yumai_pipelines.schema.upgrade import configure_database, upgrade
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xdist.workermanage import WorkerController

    from tests.graph import Graph

pytest_plugins = ["tests.watchdog"]

DOCKER_IMAGE = "postgres:17"
UNSAFE = ("fsync", "full_page_writes", "jit")
"""What is off in the tests: what they write need not reach the disk, and their queries are not worth compiling."""
OF_THE_TESTS = {"YUMAI_TEST_POSTGRES", "YUMAI_CHROMIUM"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--postgres",
        metavar="embedded|docker|DSN",
        default=os.environ.get("YUMAI_TEST_POSTGRES", "embedded"),
        help="the server of the tests: the embedded one, a container, or any by the DSN of a superuser, since they "
        "do what only a superuser can. Default: the environment variable YUMAI_TEST_POSTGRES, else embedded.",
    )

    parser.addoption(
        "--faults",
        metavar="NUMBER|classes|all",
        default="1",
        help="how many statements of each operation are broken in each way: so many, one of each class, or all, which "
        "takes many hours. Default: 1.",
    )
    parser.addoption(
        "--lives",
        type=int,
        default=1,
        help="how many whole lives of a database are lived under foreign settings; each takes ten seconds. Default: 1.",
    )

    parser.addoption(
        "--pictures",
        type=Path,
        metavar="DIRECTORY",
        help="where the tests of the UI put the pictures that the README shows, of more data than they need "
        "themselves. Default: pytest's directory.",
    )

    parser.addoption(
        "--year",
        choices=["sample", "whole"],
        default="sample",
        help="how much of the simulated year: its first two months and two of the clocks that disagree, or all of its "
        "fourteen months and every clock. Default: sample.",
    )

    parser.addoption(
        "--kills",
        type=int,
        default=0,
        help="at how many moments the container of each job is killed, on a machine where Docker runs. Default: 0.",
    )
    parser.addoption(
        "--worker-image",
        help="the image of these containers, as deploy/Dockerfile makes it. Default: one that shows, read-only, the "
        "programs of this machine.",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what belongs to a whole year, or kills containers, unless that is asked for."""
    absent = {"whole_year": config.getoption("year") != "whole", "kills": not config.getoption("kills")}
    left_out = [item for item in items if any(item.get_closest_marker(name) for name in absent if absent[name])]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


class Server:
    """The server of the run. It is started when its URL is first needed, and stopped after the last test."""

    def __init__(self, choice: str) -> None:
        self.choice = choice
        self._url: str | None = None
        self._running = ExitStack()

    @property
    def url(self) -> str:
        """The URL of a superuser of the server."""
        if self._url is None:
            self._url = self._running.enter_context(running_server(self.choice))
        return self._url

    def description(self) -> str:
        """Return the server's version and place."""
        try:
            with psycopg.connect(self.url) as connection:
                place = f"{connection.info.host}:{connection.info.port}"
                return f"PostgreSQL {one(connection, 'SHOW server_version')} at {place}, chosen by --postgres"
        except psycopg.OperationalError as error:
            raise pytest.UsageError(f"--postgres: no server answers there. {error}") from error

    def stop(self) -> None:
        self._running.close()


SERVER = pytest.StashKey[Server]()


def pytest_configure(config: pytest.Config) -> None:
    # Tests must not see the settings of the person who runs them. They are removed before anything reads them.
    for name in [name for name in os.environ if name.startswith("YUMAI_") and name not in OF_THE_TESTS]:
        del os.environ[name]
    url_of_the_run = getattr(config, "workerinput", {}).get("server_url")
    config.stash[SERVER] = Server(url_of_the_run or config.getoption("--postgres"))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: WorkerController) -> None:
    """Give the URL of the server to each worker of the run (`pytest -n 4`): all share one server."""
    node.workerinput["server_url"] = node.config.stash[SERVER].url


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    session.config.stash[SERVER].stop()


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Return a line about the server in the header, if workers share it."""
    return [config.stash[SERVER].description()] if config.getoption("numprocesses", None) else []


def pytest_report_collectionfinish(config: pytest.Config, items: list[pytest.Item]) -> list[str]:
    """Return a line about the server, if a chosen test needs it and the header could not tell."""
    needed = any("server_url" in getattr(item, "fixturenames", ()) for item in items)
    return [config.stash[SERVER].description()] if needed else []


@contextmanager
def running_server(choice: str) -> Iterator[str]:
    match choice:
        case "embedded":
            with server_home() as home:
                server = LocalServer(home)
                server.start()
                try:
                    with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
                        for setting in UNSAFE:
                            admin.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(setting)))
                        admin.execute("SELECT pg_reload_conf()")
                    yield server.url("postgres")
                finally:
                    server.stop()
        case "docker":
            from testcontainers.community.postgres import PostgresContainer

            with PostgresContainer(DOCKER_IMAGE, driver=None).with_command("postgres -c fsync=off") as container:
                yield container.get_connection_url()
        case dsn:
            yield dsn


@pytest.fixture(scope="session")
def server_url(pytestconfig: pytest.Config) -> str:
    """URL of the server's maintenance database, as a superuser."""
    return pytestconfig.stash[SERVER].url


class Databases:
    """Makes databases, under names that no other run of the tests uses; also on a server that is killed in between."""

    def __init__(self, server_url: str) -> None:
        self._server_url = server_url
        self._prefix = f"yumai_test_{secrets.token_hex(4)}"
        self._numbers = count()

    @contextmanager
    def create(self, template: str = "template0") -> Iterator[str]:
        """Create a database, and yield its name. It is dropped at the end."""
        name = f"{self._prefix}_{next(self._numbers)}"
        self._run(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))
        try:
            yield name
        finally:
            self._run(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    @contextmanager
    def clone(self, template: str) -> Iterator[str]:
        """Copy a database with the schema, to which nobody may be connected. Yield the URL of the copy."""
        with self.create(template) as name:
            with psycopg.connect(self.url(name), autocommit=True) as connection:
                # The settings of a database are not copied with it.
                configure_database(connection, Settings().timezone)
            yield self.url(name)

    def _run(self, statement: sql.Composed) -> None:
        with psycopg.connect(self._server_url, autocommit=True, application_name="test: databases") as admin:
            admin.execute(statement)

    def url(self, name: str) -> str:
        return with_database(self._server_url, name)

    @staticmethod
    def name(url: str) -> str:
        return str(conninfo_to_dict(url)["dbname"])


@pytest.fixture(scope="session")
def databases(server_url: str) -> Databases:
    """The object that makes and drops databases."""
    return Databases(server_url)


@pytest.fixture(scope="session")
def template(databases: Databases) -> Iterator[str]:
    """The name of a database with the schema, which tests clone."""
    with databases.create() as name:
        upgrade(databases.url(name), Settings())
        yield name


@pytest.fixture
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Settings that a database other than the embedded one needs. Each test has its own home and archives."""
    monkeypatch.setenv("YUMAI_USER_KEY_SECRET", "of the tests, which nobody has to guess")
    monkeypatch.setenv("YUMAI_ARCHIVE_URL", str(tmp_path / "archive"))
    monkeypatch.setenv("YUMAI_HOME", str(tmp_path / "home"))


@pytest.fixture
def database(_environment: None, databases: Databases, template: str) -> Iterator[str]:
    """The URL of a new database with the schema and no rows."""
    with databases.clone(template) as url:
        yield url


@pytest.fixture
def empty_database(_environment: None, databases: Databases) -> Iterator[str]:
    """The URL of a new database without the schema."""
    with databases.create() as name:
        yield databases.url(name)


@pytest.fixture
def connection(database: str) -> Iterator[Connection]:
    """A superuser's connection to `database`, in autocommit mode."""
    with psycopg.connect(database, autocommit=True, application_name="test") as connection:
        yield connection


@pytest.fixture
def instance(_environment: None) -> Iterator[dg.DagsterInstance]:
    """An ephemeral Dagster instance."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def graph(database: str, instance: dg.DagsterInstance) -> Graph:
    """The graph on `database`."""
    # Imported here, so that tests without the graph still run if Dagster has moved something that the graph needs.
    from tests.graph import Graph

    return Graph.on(database, instance)
