"""`yumai` as people run it, in a process of its own: what it prints, and its exit status."""

from __future__ import annotations

import json
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from typer.main import get_group

from tests.processes import Finished, finished
from tests.support import server_home
from yumai_pipelines import cli
from yumai_pipelines.cli import COMMANDS, app
from yumai_pipelines.model.registry import EXTRACTS
from yumai_pipelines.postgres.connections import OWNER_ROLE, connect, with_database

if TYPE_CHECKING:
    from collections.abc import Iterator

YUMAI = Path(sys.executable).with_name("yumai")
TELL_NEXT = {command.__name__ for command in COMMANDS}
NOBODY_LISTENS = "postgresql://u:s3cret@127.0.0.1:1/yumai"


def yumai(*arguments: str, cwd: str | None = None, **environment: str) -> Finished:
    done = finished([str(YUMAI), *arguments], cwd=cwd, env=os.environ | environment)
    if done.returncode == 0 and arguments[0].replace("-", "_") in TELL_NEXT and not {"--json", "-h"} & set(arguments):
        assert done.stderr.splitlines()[-1].startswith("Next: "), arguments
    return done


@pytest.fixture
def home() -> Iterator[str]:
    with server_home() as directory:
        yield str(directory)
        yumai("down", YUMAI_HOME=str(directory))


def test_server_comes_up_with_the_schema_and_goes_down(home: str) -> None:
    assert yumai("status", YUMAI_HOME=home).returncode == 3

    up = yumai("up", YUMAI_HOME=home)
    assert (up.returncode, len(up.stderr.splitlines())) == (0, 1), up.stderr
    assert "migrations 0001, " in up.stdout
    assert "The conversations have a partition for each month up to " in up.stdout
    again = yumai("up", YUMAI_HOME=home).stdout
    assert again.count(": nothing to do.") == 2, again

    status = yumai("status", YUMAI_HOME=home)
    assert status.returncode == 0
    assert "PostgreSQL 17." in status.stdout
    assert home in status.stdout

    url = yumai("url", YUMAI_HOME=home).stdout
    assert url.endswith("\n")
    assert url.count("\n") == 1
    with connect(url.strip(), application_name="test", role=OWNER_ROLE) as connection:
        assert connection.execute("SELECT count(*) FROM chatbot.conversations").fetchone() == (0,)

    assert "is stopped" in yumai("down", YUMAI_HOME=home).stdout
    assert "was not running" in yumai("down", YUMAI_HOME=home).stdout
    down = yumai("url", YUMAI_HOME=home)
    assert (down.returncode, down.stdout) == (1, "")
    assert "yumai up" in down.stderr


def test_home_is_that_of_the_current_directory(home: str) -> None:
    status = yumai("status", cwd=home)
    assert status.returncode == 3
    assert f"{home}/.yumai" in status.stdout
    assert list(Path(home).iterdir()) == []


def test_own_server_gets_the_schema_and_is_not_stopped(empty_database: str) -> None:
    up = yumai("up", YUMAI_DATABASE_URL=empty_database)
    assert up.returncode == 0, up.stderr
    assert "neither starts nor stops it" in up.stdout
    with psycopg.connect(empty_database) as connection:
        assert connection.execute("SELECT count(*) FROM chatbot.conversations").fetchone() == (0,)
    assert yumai("url", YUMAI_DATABASE_URL=empty_database).stdout.strip() == empty_database
    assert yumai("status", YUMAI_DATABASE_URL=empty_database).returncode == 0

    down = yumai("down", YUMAI_DATABASE_URL=empty_database)
    assert down.returncode == 1
    assert "does not stop" in down.stderr


def test_psql_gets_its_arguments_and_its_status_counts(empty_database: str) -> None:
    answer = yumai("psql", "-XAtc", "SELECT 6 * 7", YUMAI_DATABASE_URL=empty_database)
    assert (answer.returncode, answer.stdout) == (0, "42\n")
    assert yumai("psql", "--", "-XAtc", "SELECT 6 * 7", YUMAI_DATABASE_URL=empty_database).stdout == "42\n"
    assert yumai("psql", "-Xc", "SELECT 1/0", YUMAI_DATABASE_URL=empty_database).returncode == 1


def test_password_is_not_among_the_arguments_of_psql(empty_database: str) -> None:
    seen = yumai("psql", "-X", "-c", r"\! cat /proc/$PPID/cmdline", YUMAI_DATABASE_URL=empty_database)
    assert "psql" in seen.stdout
    assert "postgresql://" not in seen.stdout


@pytest.mark.parametrize("command", ["up", "url", "psql", "dev"])
def test_wrong_setting_is_named_and_its_value_is_not(command: str) -> None:
    outcome = yumai(command, YUMAI_DATABASE_URL="postgres//u:s3cret@host/yumai", YUMAI_LOCK_TIMEOUT_MS="5000")
    assert (outcome.returncode, outcome.stdout) == (1, "")
    assert "YUMAI_DATABASE_URL: it is no libpq URL" in outcome.stderr
    assert "YUMAI_LOCK_TIMEOUT_MS: Input should be less than or equal to 900" in outcome.stderr
    assert "s3cret" not in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_server_that_does_not_answer_is_one_message() -> None:
    up = yumai("up", YUMAI_DATABASE_URL=NOBODY_LISTENS)
    assert up.returncode == 1
    assert "Connection refused" in up.stderr
    assert "Traceback" not in up.stderr
    status = yumai("status", YUMAI_DATABASE_URL=NOBODY_LISTENS)
    assert status.returncode == 3
    assert "down: " in status.stdout


def test_a_program_reads_the_status(empty_database: str) -> None:
    facts = json.loads(yumai("status", "--json", YUMAI_DATABASE_URL=empty_database).stdout)
    assert (facts["running"], facts["schema"]) == (True, "not installed: run `yumai up`")
    down = yumai("status", "--json", YUMAI_DATABASE_URL=NOBODY_LISTENS)
    assert (down.returncode, json.loads(down.stdout)["running"]) == (3, False)


def test_the_status_of_a_server_without_the_database_says_what_it_refuses(empty_database: str) -> None:
    status = yumai("status", YUMAI_DATABASE_URL=with_database(empty_database, "nowhere"))
    assert (status.returncode, 'database "nowhere" does not exist' in status.stdout) == (3, True)
    assert "put right what it refuses" in status.stderr


def test_help_and_version_are_where_people_look_for_them() -> None:
    assert yumai("--version").stdout == f"yumai {version('yumai-pipelines')}\n"
    helped = yumai("export", "-h").stdout
    assert all(name in helped for name in (extract.relation.name for extract in EXTRACTS))


def test_wrong_usage_has_a_status_of_its_own() -> None:
    assert yumai("no-such-command").returncode == 2
    assert yumai("dev", "--port", "70000").returncode == 2


def test_every_command_ends_with_what_people_do_next() -> None:
    """By its type: mypy sees that each way through it returns the next step, and `stop` is the only other end."""
    assert {command.__annotations__["return"] for command in COMMANDS} == {"str"}
    assert set(get_group(app).commands) - {each.replace("_", "-") for each in TELL_NEXT} == {"url", "psql"}
    modules = [path for path in Path(cli.__file__).parent.glob("*.py") if path.name not in {"__init__.py", "common.py"}]
    assert [path.name for path in modules if "raise typer.Exit" in path.read_text(encoding="utf-8")] == []


def test_every_command_explains_itself_with_an_example() -> None:
    for name, command in get_group(app).commands.items():
        assert "Example" in (command.help or ""), name


def test_an_older_database_is_looked_at_and_adopted(empty_database: str) -> None:
    refused = yumai("adopt", "--dry-run", YUMAI_DATABASE_URL=empty_database)
    assert refused.returncode == 1
    assert "This is no YUMAI database" in refused.stdout
    with psycopg.connect(empty_database, autocommit=True) as connection:
        for extension in ("pg_trgm", "btree_gin", "pgcrypto"):
            connection.execute(f"CREATE EXTENSION {extension} SCHEMA public".encode())
        connection.execute(
            "CREATE FUNCTION public.uuid_generate_v4() RETURNS uuid LANGUAGE sql AS 'SELECT gen_random_uuid()'"
        )
        for file in ("schema", "rows"):
            connection.execute((Path(__file__).parent / "adoption" / "legacy" / f"{file}.sql").read_bytes())
    up = yumai("up", YUMAI_DATABASE_URL=empty_database)
    assert (up.returncode, "yumai adopt --dry-run" in up.stderr) == (1, True)

    dry_run = yumai("adopt", "--dry-run", YUMAI_DATABASE_URL=empty_database)
    assert dry_run.returncode == 0, dry_run.stderr
    assert "chatbot.conversations: session of several users: 1" in dry_run.stdout
    adopted = yumai("adopt", YUMAI_DATABASE_URL=empty_database)
    assert adopted.returncode == 0, adopted.stderr
    assert "chatbot.conversations: session_id unknown: 65 before, 0 after" in adopted.stdout
    assert "nothing to do" in yumai("adopt", YUMAI_DATABASE_URL=empty_database).stdout
    assert "can no longer write to" in yumai("adopt", "--finish", YUMAI_DATABASE_URL=empty_database).stdout
    assert yumai("adopt", "--dry-run", "--finish").returncode == 2


def test_what_others_have_named_does_nothing_to_the_terminal(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute('CREATE TABLE chatbot."\x1b]0;title\x07 \x9b31m [red]" ()')
    shown = yumai("differences", YUMAI_DATABASE_URL=database).stdout
    assert "\\x1b]0;title\\x07 \\x9b31m [red] is not known" in shown
    assert not set(shown) & {"\x1b", "\x07", "\x9b"}


def test_a_difference_is_accepted_and_withdrawn_by_name(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("ALTER TABLE chatbot.shops ADD owner_memo text")
    name = "column chatbot.shops.owner_memo"
    assert f"not accepted: {name}" in yumai("differences", YUMAI_DATABASE_URL=database).stdout
    refused = yumai("differences", "--accept", name, YUMAI_DATABASE_URL=database)
    assert (refused.returncode, "Say why" in refused.stderr) == (1, True)
    accepted = yumai("differences", "--accept", name, "--why", "the owners write it", YUMAI_DATABASE_URL=database)
    assert "the owners write it" in accepted.stdout
    assert "0 differences are not accepted, 1 are." in accepted.stdout
    withdrawn = yumai("differences", "--withdraw", name, YUMAI_DATABASE_URL=database)
    assert "1 differences are not accepted, 0 are." in withdrawn.stdout
