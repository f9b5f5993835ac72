"""A database into which a dump was restored is the same database: nothing is called drift but what differs."""

from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import psycopg
import pytest

from tests.extracts.dirt import plant
from tests.extracts.support import MONTHS, ZONE, as_text, build
from tests.graph import Graph, months
from tests.processes import finished
from tests.support import one, server_home
from yumai_pipelines.cli.server import _libpq_environment
from yumai_pipelines.extracts.new_months import list_new
from yumai_pipelines.local.server import LocalServer, program
from yumai_pipelines.model.lock_policy import LockPolicy
from yumai_pipelines.model.months import Month
from yumai_pipelines.model.registry import extract_of
from yumai_pipelines.partitions.ensure import ensure_months
from yumai_pipelines.postgres.connections import connect, with_database
from yumai_pipelines.postgres.errors import MissingRightsError, SchemaMissingError
from yumai_pipelines.schema.differences import drift
from yumai_pipelines.schema.upgrade import SchemaError, upgrade
from yumai_pipelines.schema.versions import refuse_other_version
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

    from tests.conftest import Databases
    from tests.support import Connection

ROOT = Path(__file__).parents[2]


def run(url: str, name: str, *arguments: str) -> None:
    done = finished([str(program(name)), *arguments], env=os.environ | _libpq_environment(url))
    assert done.returncode == 0, done.stderr


def restore(url: str, empty: str, file: Path, tool: str, *options: str) -> None:
    """Dump a database, and restore the dump."""
    if tool == "pg_restore":
        run(url, "pg_dump", "-Fc", "-f", str(file))
        database = psycopg.conninfo.conninfo_to_dict(empty)["dbname"]
        run(empty, "pg_restore", "--exit-on-error", "-d", str(database), str(file))
    else:
        run(url, "pg_dump", *options, "-f", str(file))
        run(empty, "psql", "-Xqv", "ON_ERROR_STOP=1", "-f", str(file))


@pytest.mark.parametrize("tool", ["pg_restore", "psql"])
def test_a_restored_dump_has_no_drift(database: str, empty_database: str, tmp_path: Path, tool: str) -> None:
    restore(database, empty_database, tmp_path / "dump", tool)
    with connect(empty_database, application_name="test") as owner:
        assert drift(owner) == []


def test_the_months_of_an_extract_are_restored_as_its_partitions(
    database: str, empty_database: str, tmp_path: Path, connection: Connection
) -> None:
    plant(connection, MONTHS, ZONE, rows=40, seed=5)
    build(connection, MONTHS[:2])
    outcomes = extract_of("recommendation_outcomes").relation
    restore(database, empty_database, tmp_path / "dump", "pg_restore")
    with connect(empty_database, application_name="test") as owner:
        assert as_text(owner, outcomes) == as_text(connection, outcomes)
        assert [each.month for each in list_new(owner, extract_of(outcomes.name), MONTHS)] == list(MONTHS[2:])
    assert upgrade(empty_database, Settings()).drift == ()
    with connect(empty_database, application_name="test") as owner:
        build(owner)
        assert list_new(owner, extract_of(outcomes.name), MONTHS) == []


def test_a_restored_dump_of_a_restored_dump_has_none_either(
    database: str, databases: Databases, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    with connect(database, application_name="test") as owner:
        ensure_months(owner, [Month(2024, 8)], zone=ZoneInfo("Asia/Seoul"), policy=LockPolicy())
    with databases.create() as first, databases.create() as second:
        restore(database, databases.url(first), tmp_path / "first", "psql")
        restore(databases.url(first), databases.url(second), tmp_path / "second", "pg_restore")
        report = upgrade(databases.url(second), Settings())
        assert (report.migrations, report.functions, report.drift) == ((), (), ())
        graph = Graph.on(databases.url(second), instance)
        made = graph.run("monthly_partitions", months("2024-08", "2024-09"))
        assert made.success
        assert made.failed_checks() <= {"chatbot/conversations:months_ahead"}
        assert graph.run("install_schema").evaluation("schema", "schema_has_no_drift").passed


@pytest.mark.parametrize(
    ("table", "name", "condition"),
    [
        ("chatbot.users", "users_user_status_check", "user_status IN ('ACTIVE', 'INACTIVE', 'SUSPENDED')"),
        ("chatbot.users", "users_user_status_check", "user_status IN ('ACTIVE', 'INACTIVE', 'SUSPENDED', 'deleted')"),
        (
            "extracts.recommendation_outcomes",
            "recommendation_outcomes_check2",
            "selected_rank IS NULL OR (selected_rank BETWEEN 0 AND listed_shops AND was_selected)",
        ),
    ],
)
def test_a_check_that_differs_is_drift_in_a_restored_dump_too(
    database: str, empty_database: str, tmp_path: Path, table: str, name: str, condition: str
) -> None:
    with psycopg.connect(database, autocommit=True) as admin:
        alter = f"ALTER TABLE {table} DROP CONSTRAINT {name}, ADD CONSTRAINT {name} CHECK ({condition})"
        admin.execute(alter.encode())
    restore(database, empty_database, tmp_path / "dump", "pg_restore")
    with connect(empty_database, application_name="test") as owner:
        (difference,) = drift(owner)
    assert str(difference).startswith(f"constraint {table}.{name} is [CHECK ")


@pytest.mark.parametrize(
    ("option", "error", "said"),
    [
        (
            "--no-owner",
            MissingRightsError,
            "belong to .*, and not to yumai_pipeline, as after",
        ),
        ("--schema-only", SchemaError, "has the tables of this pipeline, and no revision"),
    ],
)
def test_a_dump_that_lacks_something_is_told_what(
    database: str, empty_database: str, tmp_path: Path, option: str, error: type[Exception], said: str
) -> None:
    restore(database, empty_database, tmp_path / "dump", "psql", option)
    with pytest.raises(error, match=said):
        upgrade(empty_database, Settings())
    with (
        connect(empty_database, application_name="test") as owner,
        pytest.raises((MissingRightsError, SchemaMissingError), match=f"{said}|has no schema"),
    ):
        refuse_other_version(owner)


def test_a_dump_that_is_restored_in_sections_has_no_drift(database: str, empty_database: str, tmp_path: Path) -> None:
    for section in ("pre-data", "data", "post-data"):
        restore(database, empty_database, tmp_path / section, "psql", f"--section={section}")
    assert upgrade(empty_database, Settings()).drift == ()


def commands(page: str, after: str) -> list[str]:
    """Return the first block of commands after some words of the page, without its comments."""
    lines = page[page.index(after) + len(after) :].lstrip("\n").splitlines()
    block = itertools.takewhile(lambda line: line.startswith("    "), lines)
    return [line.split("#")[0].strip() for line in block if line.split("#")[0].strip()]


def test_the_page_brings_a_database_back_on_a_new_server(database: str, connection: Connection, tmp_path: Path) -> None:
    """By its commands, as they stand there. Dagster's database is dumped alike. The new server has no role of ours."""
    page = (ROOT / "docs" / "backup.md").read_text(encoding="utf-8").partition("## By dump")[2]
    connection.execute("INSERT INTO chatbot.users (user_name) VALUES ('누구')")
    path = os.pathsep.join([str(program("psql").parent), str(Path(sys.executable).parent), os.environ["PATH"]])

    def follow(block: list[str], url: str, **settings: str) -> None:
        environment = {**os.environ, **_libpq_environment(url), "PATH": path, **settings}
        for command in block:
            done = finished(["sh", "-c", command], cwd=tmp_path, env=environment)
            assert done.returncode == 0, (command, done.stderr)

    dump = [each for each in commands(page, "one moment\n") if "DAGSTER_URL" not in each]
    follow(dump, database, YUMAI_DATABASE_URL=database)
    with server_home() as home:
        server = LocalServer(home)
        server.start()
        try:
            url = with_database(server.url(), "yumai_production")
            follow(commands(page, "Return:\n"), server.url("postgres"), YUMAI_DATABASE_URL=url)
            with connect(url, application_name="test") as owner:
                assert drift(owner) == []
                assert one(owner, "SELECT user_name FROM chatbot.users") == "누구"
        finally:
            server.stop()
