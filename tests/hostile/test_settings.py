"""A login that has set whatever it likes: the whole life of the database is what it is without that."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import dagster as dg
import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from tests.hostile import operations
from tests.hostile.life import live
from tests.schema.test_upgrade import psql
from tests.support import every
from yumai_pipelines.postgres.connections import connect, to_url
from yumai_pipelines.postgres.errors import DatabaseError, UnsupportedServerError
from yumai_pipelines.postgres.session import NEWER_SETTINGS, REQUIRED, SETTINGS
from yumai_pipelines.postgres.sql_files import sql_path
from yumai_pipelines.schema.differences import drift
from yumai_pipelines.schema.upgrade import upgrade
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Databases
    from tests.hostile.life import Life
    from tests.support import Connection

TEXTS = {
    "DateStyle": ["SQL, DMY", "German", "Postgres, MDY"],
    "TimeZone": ["America/New_York", "UTC"],
    "client_encoding": ["UHC", "EUC_KR", "LATIN1", "SQL_ASCII"],
    "default_text_search_config": ["pg_catalog.simple"],
    "lc_monetary": ["C"],
    "lc_numeric": ["C"],
    "lc_time": ["C"],
    "search_path": ["", "public", "pg_temp, analytics, public", '"$user"'],
    "timezone_abbreviations": ["Australia", "India"],
    "restrict_nonsystem_relation_kind": ["view", "foreign-table"],
}
"""Values of settings that are texts; of all others the catalogue of settings says what they may be."""

LEFT_ALONE = {
    # They change how long something takes, and by so much that the tests would end it.
    "vacuum_cost_delay", "backend_flush_after", "post_auth_delay", "pre_auth_delay",
    # They fill the server's log, and change nothing else.
    "log_min_messages", "log_executor_stats", "log_parser_stats", "log_planner_stats", "log_statement_stats",
    # Their limits are meant: what exceeds them fails, and says so.
    "temp_file_limit", "max_stack_depth",
    # Triggers on events are of superusers alone; the others write files for developers.
    "event_triggers", "jit_dump_bitcode",
}  # fmt: skip
TIMEOUTS = {"statement_timeout", "lock_timeout", "idle_session_timeout", "transaction_timeout"}
FASTEST = 200
"""Milliseconds of a timeout, with room for the first statements of a connection, which set them."""

Drawn = dict[str, str]
Test = Callable[..., None]


def values_of_settings(connection: Connection) -> dict[str, st.SearchStrategy[str]]:
    """For every setting that a superuser may choose, what the server's catalogue says it may be, but its value."""
    strategies = {}
    for name, kind, setting, lowest, highest, words in every(
        connection,
        "SELECT name, vartype, setting, min_val, max_val, enumvals FROM pg_settings "
        "WHERE context IN ('user', 'superuser') AND name NOT LIKE 'transaction\\_%%' AND name <> ALL(%s) "
        "OR name = 'transaction_timeout' ORDER BY name",
        list(LEFT_ALONE),
    ):
        match kind:
            case "bool":
                strategies[name] = st.just("off" if setting == "on" else "on")
            case "enum":
                strategies[name] = st.sampled_from([word for word in words if word != setting] or words)
            case "string" if name in TEXTS:
                strategies[name] = st.sampled_from(TEXTS[name])
            case "integer":
                least = FASTEST if name in TIMEOUTS else int(lowest)
                strategies[name] = st.one_of(
                    st.sampled_from([least, int(highest)]), st.integers(least, int(highest))
                ).map(str)
            case "real":
                bounds = float(lowest), float(highest)
                between = st.floats(*bounds, allow_subnormal=False)
                strategies[name] = st.one_of(st.sampled_from(bounds), between).map(str)
    return strategies


def some(lives: int, times: int = 1, more: int = 0) -> Callable[[Test], Test]:
    """How much is drawn: for one life the same each time; of several that fail, a small one is sought."""
    return settings(
        max_examples=lives * times + more,
        derandomize=lives == 1,
        phases=[Phase.generate] if lives == 1 else [Phase.generate, Phase.shrink],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


@contextmanager
def bent_login(admin: Connection, url: str, values: Drawn) -> Iterator[str]:
    """The URL of a superuser whose new connections to this database have these settings."""
    role = sql.Identifier(name := f"yumai_test_{uuid4().hex[:12]}")
    parts = conninfo_to_dict(url)
    admin.execute(sql.SQL("CREATE ROLE {} LOGIN SUPERUSER PASSWORD 'secret'").format(role))
    try:
        for setting, value in values.items():
            admin.execute(
                sql.SQL("ALTER ROLE {} IN DATABASE {} SET {} = {}").format(
                    role, sql.Identifier(str(parts["dbname"])), sql.Identifier(setting), sql.Literal(value)
                )
            )
        yield to_url({**parts, "user": name, "password": "secret"})
    finally:
        with psycopg.connect(url, autocommit=True) as owner:
            owner.execute(sql.SQL("REASSIGN OWNED BY {} TO CURRENT_USER; DROP OWNED BY {}").format(role, role))
            owner.execute(sql.SQL("DROP ROLE {}").format(role))


@pytest.mark.xdist_group("lives")
@pytest.mark.usefixtures("_environment")
def test_the_whole_life_is_the_same_whatever_a_login_has_set(
    databases: Databases,
    world: str,
    undisturbed: Life,
    server_url: str,
    tmp_path: Path,
    pytestconfig: pytest.Config,
) -> None:
    lives = pytestconfig.getoption("lives")
    with psycopg.connect(server_url, autocommit=True) as admin:
        values = values_of_settings(admin)

    @some(lives)
    @given(drawn=st.fixed_dictionaries(values) if lives == 1 else st.fixed_dictionaries({}, optional=values))
    def live_under(drawn: Drawn) -> None:
        with (
            databases.clone(world) as url,
            psycopg.connect(url, autocommit=True) as admin,
            bent_login(admin, url, drawn) as bent,
            dg.DagsterInstance.ephemeral() as own,
        ):
            life = live(bent, admin, own, tmp_path)
        assert life.failed == {}
        assert {name: run.failed_checks() for name, run in life.runs.items()} == {
            name: run.failed_checks() for name, run in undisturbed.runs.items()
        }
        assert life.left == undisturbed.left

    live_under()


def shown(connection: Connection, name: str) -> str | None:
    row = connection.execute("SELECT pg_catalog.current_setting(%s)", (name,)).fetchone()
    return str(row[0]) if row else None


@pytest.mark.parametrize("name", [*SETTINGS, *NEWER_SETTINGS])
def test_what_is_pinned_has_its_value(connection: Connection, database: str, name: str) -> None:
    (known,) = every(connection, "SELECT count(*) FROM pg_settings WHERE name = %s", name)[0]
    values = {**SETTINGS, **NEWER_SETTINGS}
    with bent_login(connection, database, {}) as url, connect(url, application_name="test") as pinned:
        if known or name in SETTINGS:
            assert shown(pinned, name) == values[name]


@pytest.mark.parametrize("name", REQUIRED)
def test_a_setting_that_only_a_superuser_may_change_is_put_right_or_refused(
    connection: Connection, database: str, name: str
) -> None:
    wrong = {"session_replication_role": "replica"}.get(name, "on")
    with bent_login(connection, database, {name: wrong}) as url:
        with psycopg.connect(url) as bent:
            assert shown(bent, name) == wrong
        with connect(url, application_name="test") as pinned:
            assert shown(pinned, name) == REQUIRED[name]
        user = sql.Identifier(str(conninfo_to_dict(url)["user"]))
        connection.execute(sql.SQL("ALTER ROLE {} NOSUPERUSER; GRANT yumai_pipeline TO {}").format(user, user))
        with pytest.raises(DatabaseError, match=f"{name} is {wrong} .* RESET {name}"):
            connect(url, application_name="test")


@pytest.mark.parametrize("encoding", ["LATIN1", "EUC_KR", "SQL_ASCII"])
def test_a_database_in_another_encoding_is_refused(databases: Databases, server_url: str, encoding: str) -> None:
    name = f"yumai_test_{uuid4().hex[:12]}"
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute(
            sql.SQL("CREATE DATABASE {} ENCODING {} LOCALE 'C' TEMPLATE template0").format(
                sql.Identifier(name), sql.Literal(encoding)
            )
        )
        try:
            with pytest.raises(UnsupportedServerError, match=f"keeps text as {encoding}; YUMAI needs UTF8"):
                upgrade(databases.url(name), Settings())
            installed = psql(databases.url(name), "-f", str(sql_path("install.sql")))
            assert f"The database keeps text as {encoding}" in installed.stderr
            with psycopg.connect(databases.url(name)) as connection:
                assert every(connection, "SELECT nspname FROM pg_namespace WHERE nspname = 'chatbot'") == []
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def test_the_schema_that_psql_installs_is_the_same_under_a_bent_login(
    databases: Databases, server_url: str, pytestconfig: pytest.Config
) -> None:
    with psycopg.connect(server_url, autocommit=True) as admin:
        values = values_of_settings(admin)

        @some(pytestconfig.getoption("lives"))
        @given(drawn=st.fixed_dictionaries({name: each for name, each in values.items() if name not in TIMEOUTS}))
        def install_under(drawn: Drawn) -> None:
            with databases.create() as name, bent_login(admin, databases.url(name), drawn) as url:
                installed = psql(url, "-f", str(sql_path("install.sql")))
                assert installed.returncode == 0, installed.stderr
                with connect(url, application_name="test") as owner:
                    assert drift(owner) == []

        install_under()


def test_months_are_made_by_whatever_plans(databases: Databases, world: str, pytestconfig: pytest.Config) -> None:
    """A condition that fails on rows of others must not be asked of them first."""
    with databases.clone(world) as url, psycopg.connect(url, autocommit=True) as admin:
        planning = every(admin, "SELECT name FROM pg_settings WHERE category LIKE 'Query Tuning%'")
        values = {name: each for name, each in values_of_settings(admin).items() if (name,) in planning}

    @some(pytestconfig.getoption("lives"), times=10)
    @given(drawn=st.fixed_dictionaries(values))
    def make_months_under(drawn: Drawn) -> None:
        with (
            databases.clone(world) as url,
            psycopg.connect(url, autocommit=True) as admin,
            bent_login(admin, url, drawn) as bent,
        ):
            operations.months(bent, Path())

    make_months_under()


@pytest.mark.parametrize("variable", ["PGCLIENTENCODING", "PGOPTIONS", "PGTZ", "PGDATESTYLE"])
def test_the_environment_bends_nothing(database: str, variable: str) -> None:
    bent = {
        "PGCLIENTENCODING": "UHC",
        "PGOPTIONS": "-c search_path=public -c IntervalStyle=iso_8601 -c default_transaction_read_only=on",
        "PGTZ": "UTC",
        "PGDATESTYLE": "German",
    }
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv(variable, bent[variable])
        pinned = connect(database, application_name="test")
    with pinned:
        assert shown(pinned, "client_encoding") == "UTF8"
        assert shown(pinned, "TimeZone") == "Asia/Seoul"
        assert {name: shown(pinned, name) for name in SETTINGS} == SETTINGS
