"""What is wrong is said in one message that names it and what to do, and never as a traceback."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr

from tests.graph import Graph
from tests.processes import Finished, finished
from tests.support import login, server_home
from yumai_pipelines.extracts.reading import read_extract
from yumai_pipelines.local.server import LocalServer, _run, _wheel
from yumai_pipelines.postgres.connections import connect, dagster_url
from yumai_pipelines.postgres.errors import MissingRightsError, StandbyError
from yumai_pipelines.schema.upgrade import upgrade
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    import dagster as dg

    from tests.support import Connection

YUMAI = Path(sys.executable).with_name("yumai")
COMMANDS = [["up"], ["adopt"], ["adopt", "--dry-run"], ["adopt", "--finish"], ["restore-month", "2024-08"], ["demo"]]
"""The commands that need more than the right to read extracts, on a server that takes writes."""


def yumai(*arguments: str, **environment: str) -> Finished:
    outcome = finished([str(YUMAI), *arguments], env=os.environ | environment)
    assert "Traceback" not in outcome.stderr + outcome.stdout
    return outcome


@pytest.fixture(scope="module")
def standby() -> Iterator[str]:
    """The URL of the schema's database on a hot standby of a server of its own."""
    with server_home() as home, server_home() as copy:
        primary, follower = LocalServer(home), LocalServer(copy)
        primary.start()
        try:
            upgrade(primary.url(), Settings())
            follower._make_root()
            account = follower._account()
            binaries = follower._reachable_copy(*_wheel(), account)
            _run(binaries, account, "pg_basebackup", "-d", primary.url(), "-D", follower._data, "-R", "-c", "fast")
            shutil.copy(primary._password_file, follower._password_file)
            follower._launch(binaries, account)
            yield follower.url()
        finally:
            follower.stop()
            primary.stop()


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_standby_is_called_one(standby: str, command: list[str]) -> None:
    outcome = yumai(*command, YUMAI_DATABASE_URL=standby)
    assert outcome.returncode == 1
    assert "is a standby, which takes no writes. Point YUMAI_DATABASE_URL at the primary" in outcome.stderr


def test_the_status_of_a_standby_says_so(standby: str) -> None:
    outcome = yumai("status", YUMAI_DATABASE_URL=standby)
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert ", a standby, which takes no writes" in outcome.stdout


def test_a_run_on_a_standby_says_so(standby: str, instance: dg.DagsterInstance) -> None:
    for job in ("install_schema", "daily_upkeep"):
        run = Graph.on(standby, instance).run(job)
        assert not run.success
        assert any("is a standby" in error for error in run.errors())
    with pytest.raises(StandbyError, match="at the primary"):
        dagster_url(Settings(database_url=SecretStr(standby)))


def test_extracts_are_read_on_a_standby(standby: str) -> None:
    assert len(read_extract("shop_performance", url=standby)) == 0


def test_a_server_that_is_read_only_for_everybody_is_written_to(database: str, connection: Connection) -> None:
    name = conninfo_to_dict(database)["dbname"]
    connection.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'.encode())
    assert yumai("up", YUMAI_DATABASE_URL=database).returncode == 0


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_an_analyst_is_told_the_role_and_the_grant(connection: Connection, database: str, command: list[str]) -> None:
    with login(connection, database, "IN ROLE yumai_analyst") as url:
        outcome = yumai(*command, YUMAI_DATABASE_URL=url)
    user = conninfo_to_dict(url)["user"]
    assert outcome.returncode == 1
    assert f"GRANT yumai_pipeline TO {user} WITH INHERIT TRUE, SET TRUE" in outcome.stderr + outcome.stdout


def test_the_status_tells_an_analyst_what_the_login_may_not_see(connection: Connection, database: str) -> None:
    with login(connection, database, "IN ROLE yumai_analyst") as url:
        outcome = yumai("status", YUMAI_DATABASE_URL=url)
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert "schema    installed. " in outcome.stdout
    assert "GRANT yumai_pipeline TO" in outcome.stdout


def test_a_login_without_roles_is_told_what_reading_extracts_needs(
    connection: Connection, database: str, tmp_path: Path
) -> None:
    with login(connection, database, "") as url:
        outcome = yumai("export", "shop_performance", str(tmp_path / "shops.csv"), YUMAI_DATABASE_URL=url)
        with pytest.raises(MissingRightsError, match="GRANT yumai_pipeline TO"):
            connect(url, application_name="test")
    assert outcome.returncode == 1
    assert "GRANT yumai_analyst TO" in outcome.stderr
    assert list(tmp_path.glob("shops*")) == []
