"""`yumai check`, `build`, `repair`, `erase` and `report`: what the Launchpad does, in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from typer.testing import CliRunner, Result

from tests.erasure.test_erasure import WORLD, build
from tests.support import Connection, every, one, present_month
from yumai_pipelines.cli import app
from yumai_pipelines.local.ui import make_instance
from yumai_pipelines.model.months import Month
from yumai_pipelines.postgres.connections import connect
from yumai_pipelines.report.storage import ReportStore
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Databases

SEOUL = ZoneInfo("Asia/Seoul")

ORPHAN = """
    SET session_replication_role = replica;
    INSERT INTO user_feedback (session_id, time_stamp) VALUES (gen_random_uuid(), now() - interval '1 hour');
    RESET session_replication_role
"""


def yumai(*arguments: str) -> Result:
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code != 0 or done.stderr.splitlines()[-1].startswith("Next: "), done.output
    return done


@pytest.fixture
def current() -> Month:
    return present_month()


@pytest.fixture
def world(database: str, connection: Connection, current: Month, monkeypatch: pytest.MonkeyPatch) -> Connection:
    """The database of the environment, with two people in it."""
    monkeypatch.setenv("YUMAI_DATABASE_URL", database)
    monkeypatch.setenv("YUMAI_FIRST_MONTH", (current - 2).key)
    connection.execute(WORLD.encode())
    return connection


@pytest.fixture
def dagster(databases: Databases, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with databases.create() as name:
        monkeypatch.setenv("YUMAI_DAGSTER_URL", databases.url(name))
        yield


@pytest.mark.usefixtures("dagster")
def test_months_are_built_checked_repaired_and_reported(
    world: Connection, current: Month, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert yumai("up").exit_code == 0
    none = yumai("report")
    assert (none.exit_code, "There is none yet. `yumai build` makes them." in none.output) == (1, True)
    world.execute("UPDATE session_master SET session_start = %s", ((current - 1).start(SEOUL),))
    world.execute("UPDATE recommendations_log SET time_stamp = %s", ((current - 1).start(SEOUL),))
    world.execute("UPDATE user_feedback SET time_stamp = %s", ((current - 1).start(SEOUL),))

    built = yumai("build")
    assert built.exit_code == 0, built.output
    assert f"Next: `yumai report --open --month {current - 1}`" in built.output
    assert "are of the logs as they are. Nothing to do." in yumai("build").output
    page = Settings().home.resolve() / "reports" / f"{current - 1}.html"
    assert yumai("report").stdout == f"{page}\n"
    assert yumai("report", "--korean").stdout == f"{page.with_suffix('.ko.html')}\n"
    monkeypatch.setenv("YUMAI_UI_URL", "https://yumai.example.com/")
    assert yumai("report").stdout == f"https://yumai.example.com/report/{page.name}\n"
    with dg.DagsterInstance.from_config(str(make_instance(Settings().home.resolve()))) as instance:
        months = instance.get_materialized_partitions(dg.AssetKey(["extracts", "recommendation_funnel"]))
        assert months == {(current - 2).partition_key, (current - 1).partition_key}

    world.execute(ORPHAN.encode())
    failed = yumai("check")
    assert failed.exit_code == 1
    assert "analytics/user_feedback: no_orphans failed: Rows of analytics.user_feedback without a" in failed.output
    assert "Next: `yumai repair`" in failed.output
    assert ("DELETE FROM" in failed.output, "Traceback" in failed.output) == (False, False)
    assert "-- Or move the rows to the quarantine\nBEGIN;" in yumai("check", "--sql").output
    assert yumai("repair", "--yes").exit_code == 0
    passed = yumai("check")
    assert (passed.exit_code, "2 failed" in passed.output) == (0, False), passed.output
    one_month = yumai("check", "--month", current.key, "--month", (current - 2).key)
    assert (one_month.exit_code, one_month.output.count("Checks: ")) == (0, 2), one_month.output


def test_a_month_that_is_not_over_is_not_built(world: Connection, current: Month) -> None:
    refused = yumai("build", "--month", current.key, "--month", (current - 9).key)
    assert refused.exit_code == 1
    assert f"{current - 9}, {current} cannot be built: the months that are over are {current - 2} to" in refused.output
    assert one(world, "SELECT count(*) FROM extracts.ledger") == 0


def test_a_report_that_no_browser_can_reach_is_not_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YUMAI_REPORT_URL", "memory://far/away")
    ReportStore.of(Settings()).write("2025-07.html", "what was recommended")
    asked = yumai("report", "--open")
    assert (asked.exit_code, "Set YUMAI_UI_URL" in asked.output) == (1, True)
    assert "memory:///far/away/2025-07.html" in asked.output


def test_a_repair_looks_first_and_repairs_when_told_to(world: Connection) -> None:
    assert "Nothing to do." in yumai("repair").output
    world.execute(ORPHAN.encode())
    looked = yumai("repair", "--orphans", "quarantine")
    assert looked.exit_code == 0
    assert "analytics.user_feedback, user_feedback_session_id_fkey: 1 rows that refer to nothing (id " in looked.output
    assert "would be repaired: move into the quarantine" in looked.output
    assert one(world, "SELECT count(*) FROM yumai_pipelines.quarantine") == 0
    done = yumai("repair", "--orphans", "quarantine", "--yes")
    assert "1 rows of analytics.user_feedback moved" in done.output
    assert one(world, "SELECT count(*) FROM yumai_pipelines.quarantine") == 1
    assert yumai("repair", "--orphans", "delete").exit_code == 2


def test_an_erasure_says_what_would_go_and_then_does_just_that(world: Connection) -> None:
    command = ("erase", "--user-id", "1", "--reason", "asked for it")
    rows = every(world, "SELECT * FROM user_feedback ORDER BY id")
    looked = yumai(*command)
    assert looked.exit_code == 0, looked.output
    assert "This was a dry run: nothing was changed." in looked.output
    assert every(world, "SELECT * FROM user_feedback ORDER BY id") == rows
    assert one(world, "SELECT count(*) FROM yumai_pipelines.erasures") == 0

    done = yumai(*command, "--yes")
    assert done.exit_code == 0, done.output
    counts = [line for line in looked.output.splitlines() if line.endswith(" rows")]
    assert [line for line in done.output.splitlines() if line.endswith(" rows")] == counts != []
    assert "Next: `yumai build`, since the extracts of 2024-08 to 2024-09 still count the person." in done.output
    assert one(world, "SELECT count(*) FROM users WHERE id = 1") == 0
    assert yumai("erase", "--reason", "nobody").exit_code == 2


def test_an_erasure_names_the_months_that_it_could_not_reach(world: Connection, database: str) -> None:
    with connect(database, application_name="test: build") as owner:
        build(owner, Month(2024, 8), "lost")
    world.execute("DELETE FROM session_master WHERE user_id = 1; UPDATE extracts.ledger SET purged_at = now()")
    done = yumai("erase", "--user-id", "1", "--reason", "asked for it", "--yes")
    assert done.exit_code == 0, done.output
    assert "recommendation_outcomes of 2024-08 has pseudonyms under an unknown secret" in done.output
