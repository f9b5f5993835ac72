"""What is wrong is said in one message that names it and what to do, and never as a traceback."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.processes import Finished, finished
from tests.support import login
from yumai_pipelines.extracts.reading import read_extract
from yumai_pipelines.postgres.connections import connect
from yumai_pipelines.postgres.errors import MissingRightsError

if TYPE_CHECKING:
    from tests.support import Connection

YUMAI = Path(sys.executable).with_name("yumai")
COMMANDS = [["up"], ["adopt"], ["adopt", "--dry-run"], ["adopt", "--finish"], ["restore-month", "2024-08"], ["demo"]]
"""The commands that need more than the right to read extracts, on a server that takes writes."""


def yumai(*arguments: str, **environment: str) -> Finished:
    outcome = finished([str(YUMAI), *arguments], env=os.environ | environment)
    assert "Traceback" not in outcome.stderr + outcome.stdout
    return outcome


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
    assert outcome.returncode == 0, outcome.stderr
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


def test_an_analyst_from_whom_rows_are_hidden_is_told_so(connection: Connection, database: str, tmp_path: Path) -> None:
    connection.execute(
        "INSERT INTO extracts.ledger (extract, month, row_count, source_recommendations, source_feedback, source_hash, "
        "min_group_users, code_version) VALUES ('shop_performance', '2025-01-01', 0, 0, 0, 0, 1, '');"
        "ALTER TABLE extracts.shop_performance ENABLE ROW LEVEL SECURITY; "
        "CREATE POLICY few ON extracts.shop_performance FOR SELECT USING (month > '2025-01-01')"
    )
    with login(connection, database, "IN ROLE yumai_analyst") as url:
        outcome = yumai("export", "shop_performance", str(tmp_path / "shops.csv"), YUMAI_DATABASE_URL=url)
        user = conninfo_to_dict(url)["user"]
        with pytest.raises(MissingRightsError, match="has row level security, by which rows are hidden"):
            read_extract("shop_performance", url=url)
    assert outcome.returncode == 1
    assert f"ALTER ROLE {user} BYPASSRLS" in outcome.stderr
    assert "GRANT" not in outcome.stderr
    assert list(tmp_path.glob("shops*")) == []


@pytest.mark.parametrize(
    ("done", "said"),
    [
        ("ALTER TABLE extracts.ledger ENABLE ROW LEVEL SECURITY", "extracts.ledger has row level security"),
        ("REVOKE SELECT ON extracts.ledger FROM yumai_analyst", "which has lost rights: permission denied for table"),
        (
            "REVOKE SELECT ON extracts.shop_performance FROM yumai_analyst; "
            "GRANT SELECT (month) ON extracts.shop_performance TO yumai_analyst",
            "GRANT SELECT ON ALL TABLES IN SCHEMA extracts TO yumai_analyst",
        ),
    ],
)
def test_an_analyst_whose_role_has_lost_something_is_told_what(
    connection: Connection, database: str, done: str, said: str
) -> None:
    connection.execute(
        "INSERT INTO extracts.ledger (extract, month, row_count, source_recommendations, source_feedback, source_hash, "
        "min_group_users, code_version) VALUES ('shop_performance', '2025-01-01', 0, 0, 0, 0, 1, '')"
    )
    connection.execute(done.encode())
    with login(connection, database, "IN ROLE yumai_analyst") as url, pytest.raises(MissingRightsError, match=said):
        read_extract("shop_performance", url=url)


@pytest.mark.parametrize("command", [["up"], ["status"], ["url"], ["dev"]], ids=" ".join)
def test_settings_are_refused_together_and_by_their_names(command: list[str]) -> None:
    outcome = yumai(*command, YUMAI_HOME="", YUMAI_TIMEZONE="America", YUMAI_DATABSE_URL="postgresql://u:s3cret@h/d")
    assert (outcome.returncode, outcome.stdout) == (1, "")
    assert "YUMAI_HOME: it is empty; give it a value, or unset it" in outcome.stderr
    assert "YUMAI_TIMEZONE: 'America' is no IANA time zone" in outcome.stderr
    assert "YUMAI_DATABSE_URL: there is no setting of this name; YUMAI_DATABASE_URL is the nearest" in outcome.stderr
    assert "s3cret" not in outcome.stderr


READING = [["differences"], ["repair"], ["erase", "--user-id", "1", "--reason", "x"], ["restore-month", "2024-08"]]


@pytest.mark.parametrize("command", [*READING, ["build"], ["export", "ledger", "ledger.csv"]], ids=" ".join)
def test_a_database_without_the_schema_is_told_so_where_another_one_has_it(
    empty_database: str, database: str, command: list[str]
) -> None:
    """The roles are there, since all databases of a server share them."""
    assert database
    outcome = yumai(*command, YUMAI_DATABASE_URL=empty_database)
    assert outcome.returncode == 1
    assert "`yumai up`" in outcome.stderr
    assert not Path("ledger.csv").exists()


def test_a_history_that_begins_later_has_no_months_yet(database: str) -> None:
    outcome = yumai("up", YUMAI_DATABASE_URL=database, YUMAI_FIRST_MONTH="9998-12")
    assert outcome.returncode == 0, outcome.stderr
    assert "The history begins in 9998-12" in outcome.stdout


def test_a_function_of_others_that_ends_a_statement_is_named(empty_database: str, connection: Connection) -> None:
    assert connection
    refuse = (
        "CREATE FUNCTION public.refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN {} END $$; "
        "CREATE EVENT TRIGGER refuse ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION public.refuse()"
    )
    for body, said in (
        ("RAISE 'not without a ticket';", "not without a ticket"),
        ("INSERT INTO noted VALUES (tg_tag);", 'relation "noted" does not exist'),
    ):
        with psycopg.connect(empty_database, autocommit=True) as admin:
            admin.execute("DROP FUNCTION IF EXISTS public.refuse() CASCADE")
            admin.execute(refuse.format(body).encode())
        outcome = yumai("up", YUMAI_DATABASE_URL=empty_database)
        assert outcome.returncode == 1
        assert (
            f"public.refuse, a function of the database that is not this project's, ended it: {said}" in outcome.stderr
        )
    with psycopg.connect(empty_database, autocommit=True) as admin:
        admin.execute("CREATE TABLE public.noted (tag text)")
        admin.execute("ALTER FUNCTION public.refuse() SECURITY DEFINER SET search_path = public")
    assert yumai("up", YUMAI_DATABASE_URL=empty_database).returncode == 0
