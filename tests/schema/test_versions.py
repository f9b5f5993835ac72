"""Old and new versions of the code meet old and new schemas: each says politely what to install or to run."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from tests.graph import Graph
from tests.processes import finished
from tests.support import Connection, every, one
from yumai_pipelines.cli import app
from yumai_pipelines.postgres.connections import connect
from yumai_pipelines.postgres.sql_files import sql_path
from yumai_pipelines.schema import migrations
from yumai_pipelines.schema.migrations import Deploy, deploy_of, migration_files
from yumai_pipelines.schema.plan import EVERY_UPGRADE, plan, title_of
from yumai_pipelines.schema.upgrade import upgrade
from yumai_pipelines.schema.versions import OtherVersionError, refuse_other_version
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

ROOT = Path(__file__).parents[2]

UNMARKED = "0015"
"""The last migration before the one that brought the mark."""

NEWER = "UPDATE yumai_pipelines.alembic_version SET version_num = '9999'"
NO_LONGER = "UPDATE yumai_pipelines.compatibility SET oldest_code = '9999'"

COMMANDS = (
    ("up",),
    ("up", "--dry-run"),
    ("repair",),
    ("erase", "--reason", "asked for it", "--user-id", "1"),
    ("restore-month", "2024-08"),
    ("differences",),
)


def newest() -> str:
    return max(migration_files())


def test_each_migration_says_when_it_runs() -> None:
    unmarked = [name for name, path in migration_files().items() if "-- Deploy: " not in path.read_text("utf-8")]
    assert [name for name in unmarked if name > UNMARKED] == []
    assert [title_of(path) for path in migration_files().values() if "Deploy:" in title_of(path)] == []


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_an_older_version_says_so_by_each_command(
    database: str, connection: Connection, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.setenv("YUMAI_DATABASE_URL", database)
    connection.execute(NEWER.encode())
    connection.execute(NO_LONGER.encode())
    with pytest.raises(
        Exception, match="is at revision 9999, which this version of yumai_pipelines does not know"
    ) as no:
        CliRunner().invoke(app, command, catch_exceptions=False)
    assert f"it knows {newest()}" in str(no.value)
    assert "Install that version. Nothing was changed." in str(no.value)


def test_an_older_version_says_so_in_each_job(
    database: str, connection: Connection, instance: dg.DagsterInstance
) -> None:
    connection.execute(NEWER.encode())
    connection.execute(NO_LONGER.encode())
    graph = Graph.on(database, instance)
    for job in ("install_schema", "daily_upkeep", "repair_orphans"):
        run = graph.run(job)
        assert not run.success
        assert any("which this version of yumai_pipelines does not know" in error for error in run.errors()), job


def test_an_older_version_goes_on_where_the_newer_one_has_only_added_something(
    database: str, connection: Connection
) -> None:
    connection.execute(NEWER.encode())
    with connect(database, application_name="test") as owner:
        refuse_other_version(owner)


def test_a_newer_version_waits_for_what_it_needs(database: str, connection: Connection) -> None:
    connection.execute("UPDATE yumai_pipelines.alembic_version SET version_num = '0013'")
    with (
        connect(database, application_name="test") as owner,
        pytest.raises(OtherVersionError, match="is at revision 0013, and this version of yumai_pipelines needs"),
    ):
        refuse_other_version(owner)


@pytest.fixture
def two_more(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Two migrations of a version to come: one that adds something, and one that takes something away."""
    folder = shutil.copytree(sql_path("migrations"), tmp_path / "migrations")
    (folder / "9001_add.sql").write_text(
        "-- Deploy: before\n-- Adds a column.\nALTER TABLE chatbot.shops ADD COLUMN added text;\n", "utf-8"
    )
    (folder / "9002_take.sql").write_text(
        "-- Deploy: after\n-- Takes it away.\nALTER TABLE chatbot.shops DROP COLUMN added;\n", "utf-8"
    )
    monkeypatch.setattr(migrations, "sql_path", lambda _: folder)


@pytest.mark.usefixtures("two_more")
def test_what_runs_after_the_deploy_waits_for_it(database: str, connection: Connection) -> None:
    assert [deploy_of(path) for path in migration_files().values()][-2:] == [Deploy.BEFORE, Deploy.AFTER]
    assert upgrade(database, Settings(), before_deploy=True).migrations == ("9001",)
    assert one(connection, "SELECT oldest_code FROM yumai_pipelines.compatibility") == "0001"
    with connect(database, application_name="test") as owner:
        refuse_other_version(owner)
    assert upgrade(database, Settings()).migrations == ("9002",)
    assert one(connection, "SELECT oldest_code FROM yumai_pipelines.compatibility") == "9002"


def test_a_dry_run_says_what_would_run_and_what_it_locks(
    database: str, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YUMAI_DATABASE_URL", database)
    nothing = CliRunner().invoke(app, ["up", "--dry-run"])
    assert nothing.exit_code == 0
    assert "No migration would run." in nothing.output
    assert "Months would be made: 2024-08 to 20" in nothing.output
    assert CliRunner().invoke(app, ["up"]).exit_code == 0
    nothing = CliRunner().invoke(app, ["up", "--dry-run"])
    assert "Months would be made" not in nothing.output
    assert "there is nothing to do." in nothing.output
    connection.execute("DROP TABLE chatbot.conversations_2024_09")
    assert "Months would be made: 2024-09." in CliRunner().invoke(app, ["up", "--dry-run"]).output

    connection.execute("UPDATE yumai_pipelines.alembic_version SET version_num = '0011'")
    connection.execute("DROP FUNCTION chatbot.end_session(uuid)")
    before = every(connection, "SELECT oid FROM pg_class ORDER BY oid")
    would = CliRunner().invoke(app, ["up", "--dry-run"]).output
    assert "is at revision 0011.\n0012 would run, before the application is deployed: " in would
    assert "    locks analytics.user_feedback: ShareRowExclusive, nobody writes\n" in would
    assert "    locks extracts.ledger: AccessExclusive, nobody reads or writes\n" in would
    assert "The function chatbot.end_session(p_session_id uuid) would be replaced." in would
    assert "Months would be made: those that have no partition." in would
    assert every(connection, "SELECT oid FROM pg_class ORDER BY oid") == before


def test_a_dry_run_on_an_empty_database(empty_database: str) -> None:
    would = plan(empty_database, Settings())
    assert (would.revision, [each.revision for each in would.migrations]) == (None, list(migration_files()))
    assert "locks" not in would.in_words(100)


def test_the_locks_are_those_of_the_migrations() -> None:
    named = {line.split('"')[3] for line in (sql_path("migrations") / "LOCKS.jsonl").read_text("utf-8").splitlines()}
    assert named <= {*migration_files(), EVERY_UPGRADE}


def test_the_lint_of_the_migrations_finds_what_stops_writers(tmp_path: Path) -> None:
    planted = tmp_path / "9001_planted.sql"
    planted.write_text("ALTER TABLE chatbot.shops ALTER COLUMN shop_name TYPE text;\n", "utf-8")
    squawk = str(Path(sys.executable).with_name("squawk"))
    found = finished([squawk, "--config", str(ROOT / ".squawk.toml"), "--reporter", "gcc", str(planted)])
    assert (found.returncode, "changing-column-type" in found.stdout) == (1, True)
