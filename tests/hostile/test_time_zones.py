"""A database's months keep the time zone that they were made with, whatever the settings say later."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from psycopg import sql

from tests.graph import Graph, months
from tests.hostile.test_clear_words import yumai
from tests.support import one
from yumai_pipelines.model.lock_policy import LockPolicy
from yumai_pipelines.model.months import Month
from yumai_pipelines.partitions.ensure import ensure_months
from yumai_pipelines.postgres.connections import connect
from yumai_pipelines.schema.time_zone import TimeZoneError
from yumai_pipelines.schema.upgrade import upgrade
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from tests.support import Connection


def zone_of(connection: Connection) -> str:
    return str(one(connection, "SELECT yumai_pipelines.business_timezone()"))


def make_months(url: str, zone: str = "Asia/Seoul") -> None:
    with connect(url, application_name="test", zone=zone) as owner:
        ensure_months(owner, [Month(2024, 8), Month(2024, 9)], zone=ZoneInfo(zone), policy=LockPolicy())


@pytest.mark.parametrize("command", [["up"], ["restore-month", "2024-08"]], ids=" ".join)
def test_another_zone_is_refused_and_both_are_named(connection: Connection, database: str, command: list[str]) -> None:
    make_months(database)
    outcome = yumai(*command, YUMAI_DATABASE_URL=database, YUMAI_TIMEZONE="UTC")
    assert outcome.returncode == 1
    assert "was installed with the time zone Asia/Seoul, and YUMAI_TIMEZONE is UTC: " in outcome.stderr
    assert "chatbot.conversations_2024_08 begins at 2024-0" in outcome.stderr
    assert "Set YUMAI_TIMEZONE=Asia/Seoul" in outcome.stderr
    assert zone_of(connection) == "Asia/Seoul"


def test_no_run_takes_its_months_from_another_zone(
    database: str, graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_months(database)
    monkeypatch.setenv("YUMAI_TIMEZONE", "America/New_York")
    run = graph.run("monthly_extracts", months("2024-08"))
    assert not run.success
    assert any("YUMAI_TIMEZONE is America/New_York" in error for error in run.errors())


def test_a_zone_is_chosen_while_there_is_no_month(connection: Connection, database: str) -> None:
    upgrade(database, Settings(timezone="UTC"))
    assert zone_of(connection) == "UTC"
    make_months(database, "UTC")
    upgrade(database, Settings(timezone="UTC"))
    with pytest.raises(TimeZoneError, match="with the time zone UTC, and YUMAI_TIMEZONE is Asia/Seoul"):
        upgrade(database, Settings())


def test_another_name_of_the_same_midnights_is_taken(connection: Connection, database: str) -> None:
    make_months(database)
    upgrade(database, Settings(timezone="ROK"))
    assert zone_of(connection) == "ROK"


def test_a_database_that_lost_its_zone_gets_it_again(connection: Connection, database: str) -> None:
    """A dump that was restored has the months, and not the settings of the database."""
    make_months(database)
    name = sql.Identifier(connection.info.dbname)
    connection.execute(sql.SQL("ALTER DATABASE {} RESET ALL").format(name))
    with pytest.raises(TimeZoneError, match="has lost the time zone of its installation"):
        upgrade(database, Settings(timezone="UTC"))
    upgrade(database, Settings())
    connection.execute(sql.SQL("ALTER DATABASE {} SET TimeZone = 'UTC'").format(name))
    upgrade(database, Settings())
    assert zone_of(connection) == "Asia/Seoul"
