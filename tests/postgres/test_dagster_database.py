"""Each YUMAI database has a history of its own: Dagster's database remembers it, and refuses another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from tests.support import one
from tests.test_cli import yumai
from yumai_pipelines.postgres import dagster_database
from yumai_pipelines.postgres.connections import with_database
from yumai_pipelines.postgres.dagster_database import ForeignHistoryError, dagster_url
from yumai_pipelines.postgres.errors import DatabaseError
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Databases

INSTANCE_FILE = Path(__file__).parents[2] / "dagster.yaml"


@pytest.fixture
def production(databases: Databases) -> Iterator[str]:
    """The URL of a database, whose Dagster's database is dropped at the end, too."""
    with databases.create() as name:
        yield databases.url(name)
        drop(databases, f"{name}_dagster")


def drop(databases: Databases, name: str) -> None:
    with psycopg.connect(databases.url("postgres"), autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def begin_history(directory: Path, monkeypatch: pytest.MonkeyPatch, url: str, dagster: str | None = None) -> None:
    """Open Dagster's instance for a YUMAI database, and keep something in it."""
    monkeypatch.setenv("YUMAI_DATABASE_URL", url)
    if dagster is not None:
        monkeypatch.setenv("YUMAI_DAGSTER_URL", dagster)
    directory.mkdir(exist_ok=True)
    (directory / "dagster.yaml").write_bytes(INSTANCE_FILE.read_bytes())
    with dg.DagsterInstance.from_config(str(directory)) as instance:
        instance.report_runless_asset_event(dg.AssetMaterialization("planted"))


def test_two_databases_on_one_server_have_two_histories(
    production: str, empty_database: str, databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin_history(tmp_path, monkeypatch, production)
    name = f"{databases.name(production)}_dagster"
    with psycopg.connect(databases.url(name)) as connection:
        assert one(connection, "SELECT count(*) FROM event_logs") == 1
    try:
        begin_history(tmp_path, monkeypatch, empty_database)
    finally:
        drop(databases, f"{databases.name(empty_database)}_dagster")
    with psycopg.connect(databases.url(name)) as connection:
        assert one(connection, "SELECT count(*) FROM event_logs") == 1


def test_a_history_refuses_another_database_until_it_is_told_to_forget(
    database: str, empty_database: str, databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with databases.create() as name:
        dagster = databases.url(name)
        begin_history(tmp_path, monkeypatch, empty_database, dagster)
        begin_history(tmp_path, monkeypatch, empty_database, dagster)
        with pytest.raises(ForeignHistoryError, match=f"YUMAI database {databases.name(empty_database)} on the server"):
            begin_history(tmp_path, monkeypatch, database, dagster)
        for command in (("dev",), ("demo",)):
            refused = yumai(*command, YUMAI_DATABASE_URL=database, YUMAI_DAGSTER_URL=dagster)
            assert refused.returncode == 1
            assert "must not share one history" in refused.stderr
            assert "Traceback" not in refused.stderr
        with psycopg.connect(dagster, autocommit=True) as connection:
            connection.execute(refused.stderr.partition(f"in {name}: ")[2].replace("\n", " ").encode())
        begin_history(tmp_path, monkeypatch, database, dagster)


def test_a_database_that_does_not_answer_leaves_its_history_readable(
    empty_database: str, databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with databases.create() as name:
        begin_history(tmp_path, monkeypatch, empty_database, databases.url(name))
        begin_history(tmp_path, monkeypatch, "postgresql://u@127.0.0.1:1/yumai", databases.url(name))


def test_the_history_of_an_earlier_version_is_given_to_nobody_unasked(
    production: str, empty_database: str, databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with databases.create() as former:
        monkeypatch.setattr(dagster_database, "FORMER_NAME", former)
        assert databases.name(dagster_url(Settings(database_url=SecretStr(production)))).endswith("_dagster")
        drop(databases, f"{databases.name(production)}_dagster")

        begin_history(tmp_path, monkeypatch, empty_database, databases.url(former))
        monkeypatch.delenv("YUMAI_DAGSTER_URL")
        # What another remembers as its own is no question.
        dagster_url(Settings(database_url=SecretStr(production)))
        drop(databases, f"{databases.name(production)}_dagster")

        with psycopg.connect(databases.url(former), autocommit=True) as connection:
            connection.execute("DELETE FROM kvs")
        with pytest.raises(ForeignHistoryError, match="RENAME TO") as refused:
            dagster_url(Settings(database_url=SecretStr(production)))
        other = str(refused.value).rpartition("run: ")[2]
        with psycopg.connect(databases.url("postgres"), autocommit=True) as admin:
            admin.execute(other.encode())
        dagster_url(Settings(database_url=SecretStr(production)))


def test_a_name_that_would_be_cut_off_is_refused(databases: Databases) -> None:
    long = "x" * 60
    with psycopg.connect(databases.url("postgres"), autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(long)))
    try:
        with pytest.raises(DatabaseError, match="Set YUMAI_DAGSTER_URL"):
            dagster_url(Settings(database_url=SecretStr(with_database(databases.url("postgres"), long))))
    finally:
        drop(databases, long)
