"""`yumai demo` from an empty database to the end of the pipeline, and what Dagster shows afterwards."""

from __future__ import annotations

import os
import signal
import sys
from datetime import datetime, timedelta
from io import StringIO
from subprocess import PIPE, STDOUT
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import dagster as dg
import psycopg
import pytest
from rich.console import Console

from tests.graph import CONVERSATIONS
from tests.processes import finished, started
from tests.support import every, one, present_month, wait_until
from tests.test_cli import YUMAI
from yumai_pipelines.defs.extracts.assets import EXTRACT_ASSETS
from yumai_pipelines.defs.schema.assets import schema
from yumai_pipelines.defs.sessions.assets import session_monitoring
from yumai_pipelines.defs.tables.assets import source_tables
from yumai_pipelines.defs.views.assets import VIEW_ASSETS
from yumai_pipelines.demo.generate import Size
from yumai_pipelines.demo.load import NotEmptyError
from yumai_pipelines.demo.run import TooManyMonthsError, run_demo
from yumai_pipelines.extracts.user_key import UserKeySecretError
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Databases
    from tests.support import Connection
    from yumai_pipelines.model.months import Month

SEOUL = ZoneInfo("Asia/Seoul")
UNTIL = datetime(2024, 10, 20, 14, 30, tzinfo=SEOUL)

DEMO = """
from datetime import datetime, timedelta
from rich.console import Console
from yumai_pipelines.demo.generate import Size
from yumai_pipelines.demo.run import run_demo
from yumai_pipelines.settings import Settings

settings = Settings()
size = Size(sessions=300, months=3)
console = Console(width=160)
raise SystemExit(not run_demo(settings, size, until=datetime.now(settings.zone), console=console))
"""


@pytest.fixture
def environment(databases: Databases, empty_database: str, tmp_path: Path) -> Iterator[dict[str, str]]:
    """An empty database for YUMAI, another one for Dagster, and a home for Dagster's instance."""
    with databases.create() as dagster:
        yield {
            "YUMAI_DATABASE_URL": empty_database,
            "YUMAI_DAGSTER_URL": databases.url(dagster),
            "YUMAI_HOME": str(tmp_path),
        }


@pytest.fixture
def settings(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of that environment, which Dagster's storage and resources read too."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return Settings()


def test_everything_passes_and_dagster_shows_it(
    environment: dict[str, str], empty_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This uses the real clock, since Dagster's months and the months that must be ahead depend on it."""
    current = present_month(lasting=timedelta(minutes=3))
    first = current - 3
    months = {"YUMAI_FIRST_MONTH": first.key}
    demo = finished([sys.executable, "-c", DEMO], env=os.environ | environment | months)
    assert demo.returncode == 0, demo.stdout + demo.stderr
    for month in first.through(current - 1):
        assert f"\n {month} " in demo.stdout
    # The last of the months ahead, which share one line; with them stands the present one, if it has just begun.
    assert f"\n {current + 3} " in demo.stdout
    assert "Nothing failed." in demo.stdout

    monkeypatch.setenv("YUMAI_DAGSTER_URL", environment["YUMAI_DAGSTER_URL"])
    with dg.DagsterInstance.from_config(str(tmp_path / "dagster")) as instance:
        assert instance.get_materialized_partitions(CONVERSATIONS) == keys(first, current + 3)
        for extract in EXTRACT_ASSETS:
            assert instance.get_materialized_partitions(extract.key) == keys(first, current - 1)
        for key in (schema.key, *(asset.key for asset in VIEW_ASSETS), *source_tables.keys, session_monitoring.key):
            assert instance.get_latest_materialization_event(key), key
        for run in instance.get_runs():
            assert run.status is dg.DagsterRunStatus.SUCCESS
            # Otherwise the timeline, which is the first page of the UI, would not show it.
            assert run.remote_job_origin is not None
            assert run.remote_job_origin.location_name == "yumai_pipelines"

    with psycopg.connect(empty_database) as connection:
        assert one(connection, "SELECT count(*) FROM chatbot.session_master") == 300
        assert one(connection, "SELECT count(*) FROM extracts.recommendation_funnel") > 0


def test_what_failed_is_told_and_the_demonstration_is_no_success(settings: Settings) -> None:
    """The months end in the past, so the months ahead of today are missing."""
    text = StringIO()
    passed = run_demo(settings, Size(sessions=100, months=2), until=UNTIL, console=Console(file=text, width=160))
    assert not passed
    assert "chatbot/conversations: months_ahead failed:" in text.getvalue()
    assert "What to do: materialize the partitions" in text.getvalue()
    assert "Not everything passed." in text.getvalue()


def test_ctrl_c_ends_it_with_no_failed_run_and_the_next_one_goes_on(
    environment: dict[str, str], empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dagster takes Ctrl-C for the failure of a run, after which the next one would begin."""
    month = present_month()
    present = datetime.now(SEOUL)
    for name, value in (environment | {"YUMAI_FIRST_MONTH": (month - 1).key}).items():
        monkeypatch.setenv(name, value)
    command = [str(YUMAI), "demo", "--sessions", "100", "--months", "2"]
    # In a session of its own, whose processes all get the signal, as in a terminal.
    with (
        started(command, stdout=PIPE, stderr=STDOUT, start_new_session=True) as demo,
        psycopg.connect(environment["YUMAI_DAGSTER_URL"], autocommit=True) as dagster,
    ):
        wait_until(lambda: runs(dagster)[-1:] == [("monthly_partitions", "STARTED")])
        os.killpg(demo.pid, signal.SIGINT)
        said, _ = demo.communicate(timeout=20)
        assert (demo.returncode, "Ended by Ctrl-C.\nNext: `yumai demo --if-empty`" in said) == (130, True), said
        assert "Traceback" not in said
        assert runs(dagster) == [("install_schema", "SUCCESS"), ("monthly_partitions", "CANCELED")]

    def again() -> str:
        text = StringIO()
        size = Size(sessions=100, months=2)
        run_demo(Settings(), size, until=present, console=Console(file=text, width=160), if_empty=True)
        return text.getvalue()

    for pipeline in ("The pipeline ran over", ""):
        said = again()
        assert "The database has rows, so no demonstration data is made." in said
        assert pipeline in said
    assert "The pipeline ran over" not in said, "it had come to its end"
    with psycopg.connect(empty_database) as connection:
        assert one(connection, "SELECT count(*) FROM chatbot.session_master") == 100


def runs(dagster: Connection) -> list[tuple[str, str]]:
    """Return the jobs that were run, and their states, as Dagster's database has them."""
    if one(dagster, "SELECT to_regclass('runs')") is None:
        return []
    return every(dagster, "SELECT pipeline_name, status FROM runs ORDER BY id")


def test_the_secret_is_asked_for_before_anything_is_loaded(settings: Settings, empty_database: str) -> None:
    settings = settings.model_copy(update={"user_key_secret": None})
    with pytest.raises(UserKeySecretError, match="YUMAI_USER_KEY_SECRET is not set"):
        run_demo(settings, Size(sessions=100, months=2), until=UNTIL, console=Console(file=StringIO()))
    with psycopg.connect(empty_database) as connection:
        assert one(connection, "SELECT count(*) FROM chatbot.users") == 0


def test_a_database_with_rows_is_refused(
    database: str, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YUMAI_DATABASE_URL", database)
    monkeypatch.setenv("YUMAI_HOME", environment["YUMAI_HOME"])
    with psycopg.connect(database) as connection:
        connection.execute("INSERT INTO chatbot.users (external_user_id) VALUES ('somebody')")
    with pytest.raises(NotEmptyError, match=r"chatbot\.users already has rows"):
        run_demo(Settings(), Size(sessions=100, months=2), until=UNTIL, console=Console(file=StringIO()))


def test_months_before_the_first_are_refused_and_nothing_is_installed(settings: Settings, empty_database: str) -> None:
    with pytest.raises(TooManyMonthsError, match="at most 3 months, or set YUMAI_FIRST_MONTH to 2024-06"):
        run_demo(settings, Size(sessions=100, months=5), until=UNTIL, console=Console(file=StringIO()))
    with psycopg.connect(empty_database) as connection:
        assert one(connection, "SELECT to_regclass('chatbot.users')") is None


def keys(first: Month, last: Month) -> set[str]:
    return {month.partition_key for month in first.through(last)}
