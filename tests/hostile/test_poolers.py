"""A pooler between us and the server: one that lends sessions for a transaction only is found out and refused."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from pydantic import SecretStr

from tests.hostile.pooler import pooled
from tests.processes import finished
from tests.support import every, one
from yumai_pipelines.postgres.connections import OWNER_ROLE, connect
from yumai_pipelines.postgres.dagster_database import dagster_url
from yumai_pipelines.postgres.errors import PoolerError
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from tests.support import Connection

YUMAI = Path(sys.executable).with_name("yumai")


def test_the_pooler_of_these_tests_loses_what_a_client_sets(database: str) -> None:
    """What is refused is a danger: the role and the settings of one client are another's."""
    with pooled(database, sessions=1) as url, psycopg.connect(url, autocommit=True) as ours:
        ours.execute("SET ROLE yumai_analyst")
        with psycopg.connect(url, autocommit=True) as other:
            assert one(other, "SELECT current_user") == "yumai_analyst"
    with pooled(database, sessions=2) as url, psycopg.connect(url, autocommit=True) as ours:
        ours.execute("SET ROLE yumai_analyst")
        assert one(ours, "SELECT current_user") != "yumai_analyst"


@pytest.mark.parametrize("sessions", [1, 2, 3])
@pytest.mark.parametrize("autocommit", [True, False])
def test_a_pooler_of_transactions_is_refused_and_nothing_is_left_behind(
    database: str, sessions: int, autocommit: bool
) -> None:
    with pooled(database, sessions=sessions) as url:
        with pytest.raises(PoolerError, match="pool_mode = session"):
            connect(url, application_name="test", autocommit=autocommit)
        with psycopg.connect(url, autocommit=True) as other:
            for _ in range(sessions):
                assert one(other, "SELECT current_user") != OWNER_ROLE
                assert one(other, "SHOW search_path") != "pg_catalog, pg_temp"


def test_a_pooler_of_transactions_keeps_no_storage_of_dagster(database: str) -> None:
    with (
        pooled(database, sessions=2) as url,
        pytest.raises(PoolerError, match="YUMAI_DAGSTER_URL at the server itself"),
    ):
        dagster_url(Settings(dagster_url=SecretStr(url)))
    with pooled(database, sessions=2, whole_sessions=True) as url:
        assert dagster_url(Settings(dagster_url=SecretStr(url))) == url


def test_a_pooler_of_whole_sessions_is_used(database: str) -> None:
    with (
        pooled(database, sessions=3, whole_sessions=True) as url,
        connect(url, application_name="test") as connection,
    ):
        assert one(connection, "SELECT current_user") == OWNER_ROLE
        assert one(connection, "SELECT current_user") == OWNER_ROLE


def test_a_server_that_is_reached_directly_costs_no_second_connection(connection: Connection, database: str) -> None:
    before = every(connection, "SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
    with connect(database, application_name="test"):
        now = every(connection, "SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
        assert len(now) == len(before) + 1


@pytest.mark.parametrize("command", [["up"], ["status"], ["adopt", "--dry-run"], ["restore-month", "2024-08"]])
def test_each_command_says_so_in_one_message(database: str, command: list[str]) -> None:
    with pooled(database, sessions=2) as url:
        outcome = finished([str(YUMAI), *command], env=os.environ | {"YUMAI_DATABASE_URL": url})
    assert outcome.returncode == 1
    assert "pool_mode = transaction" in outcome.stderr
    assert "Traceback" not in outcome.stderr
