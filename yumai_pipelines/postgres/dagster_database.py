"""The database in which Dagster keeps its runs and events: its name, and whose history it is.

Each YUMAI database has one of its own. Two that shared one would see each other's runs, months and checks as their own.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from yumai_pipelines.local.server import LocalServer
from yumai_pipelines.postgres.connections import (
    DAGSTER_VARIABLE,
    connect,
    database_url,
    refuse_what_keeps_nothing,
    with_database,
)
from yumai_pipelines.postgres.errors import DatabaseError
from yumai_pipelines.postgres.identity import identify
from yumai_pipelines.postgres.values import read_value

if TYPE_CHECKING:
    from yumai_pipelines.postgres.connections import Connection
    from yumai_pipelines.postgres.identity import Identity
    from yumai_pipelines.settings import Settings

SUFFIX = "_dagster"
"""Stands after the name of the YUMAI database."""

FORMER_NAME = "yumai_dagster"
"""The name that earlier versions gave it, whatever the YUMAI database was called."""

MEMORY = "yumai_database"
"""The key in Dagster's table `kvs` under which the YUMAI database is remembered."""

_FORGET = "DELETE FROM kvs WHERE key = 'yumai_database';"

_LONGEST_NAME = 63


class ForeignHistoryError(DatabaseError):
    """Dagster's database belongs to another YUMAI database. Nothing was changed."""


def dagster_url(settings: Settings) -> str:
    """Return the libpq URL of the database in which Dagster keeps its runs and events.

    This is `YUMAI_DAGSTER_URL` if it is set. Otherwise it is `<name of the YUMAI database>_dagster` on the same server,
    which is created if it is missing.

    Raises:
        LocalServerError: the embedded server cannot be started.
        ForeignHistoryError: an earlier version's history is there, and nobody has said whose it is.
        DatabaseError: the database is missing, and the role may not create it.
        StandbyError: the server that `YUMAI_DAGSTER_URL` names takes no writes.
        PoolerError: a pooler in between gives each transaction another session.
    """
    if settings.dagster_url is not None:
        given = settings.dagster_url.get_secret_value()
        refuse_what_keeps_nothing(given, DAGSTER_VARIABLE)
        return given
    url = database_url(settings)
    with connect(url, application_name="yumai: find Dagster's database", role=None) as connection:
        name = connection.info.dbname + SUFFIX
        if len(name.encode()) > _LONGEST_NAME:
            raise DatabaseError(
                f"{name} is too long for the name of a database. Set YUMAI_DAGSTER_URL to a database for Dagster."
            )
        if not _exists(connection, name):
            if _exists(connection, FORMER_NAME):
                _refuse_unclaimed_history(with_database(url, FORMER_NAME), name)
            _create(connection, name)
    return with_database(url, name)


def remember_database(settings: Settings, url: str) -> None:
    """Let Dagster's database remember the YUMAI database, unless it remembers one already.

    Args:
        settings: they name the YUMAI database. One that does not answer is not asked who it is.
        url: of Dagster's database, which has Dagster's tables.

    Raises:
        ForeignHistoryError: it remembers another.
    """
    if (present := _identity(settings)) is None:
        return
    with connect(url, application_name="yumai: whose history", role=None) as connection:
        connection.execute(
            "INSERT INTO public.kvs (key, value) VALUES (%s, %s) ON CONFLICT (key) DO NOTHING", (MEMORY, str(present))
        )
        _refuse_another(connection, present)


def refuse_foreign_history(settings: Settings) -> None:
    """Refuse a Dagster's database that remembers another YUMAI database, before Dagster is started on it.

    One that is missing, or does not answer, is left to `dagster_url`.

    Raises:
        ForeignHistoryError: it remembers another.
    """
    has_history(settings)


def has_history(settings: Settings) -> bool:
    """Return whether Dagster keeps a history of the YUMAI database. Its database is not made if it is missing.

    Raises:
        ForeignHistoryError: it keeps that of another.
    """
    if (present := _identity(settings)) is None:
        return False
    given = settings.dagster_url
    url = given.get_secret_value() if given else with_database(database_url(settings), present.name + SUFFIX)
    with (
        suppress(psycopg.OperationalError),
        connect(url, application_name="yumai: whose history", role=None, read_only=True) as connection,
    ):
        _refuse_another(connection, present)
        return bool(read_value(connection, "SELECT to_regclass('public.runs') IS NOT NULL"))
    return False


def find_history(settings: Settings) -> str | None:
    """Return the libpq URL of the database in which Dagster keeps its runs; None if it has none. Nothing is made.

    Raises:
        psycopg.OperationalError: the server does not answer.
    """
    if settings.dagster_url is not None:
        url = settings.dagster_url.get_secret_value()
    else:
        own = database_url(settings)
        with connect(own, application_name="yumai: find Dagster's database", role=None, read_only=True) as connection:
            name = connection.info.dbname + SUFFIX
            if not _exists(connection, name):
                return None
        url = with_database(own, name)
    with connect(url, application_name="yumai: find Dagster's history", role=None, read_only=True) as connection:
        return url if read_value(connection, "SELECT to_regclass('public.runs') IS NOT NULL") else None


def _identity(settings: Settings) -> Identity | None:
    """Return which database the YUMAI database is; None if it does not answer."""
    if settings.database_url is None and not LocalServer(settings.home).status().running:
        return None
    with (
        suppress(psycopg.OperationalError),
        connect(
            database_url(settings), application_name="yumai: which database", role=None, read_only=True
        ) as connection,
    ):
        return identify(connection)
    return None


def _refuse_another(connection: Connection, present: Identity) -> None:
    remembered = _remembered(connection)
    if remembered not in {None, str(present)}:
        name = connection.info.dbname
        raise ForeignHistoryError(
            f"Dagster's database {name} keeps the history of the YUMAI database {remembered}, and YUMAI_DATABASE_URL "
            f"names {present}. Two of them must not share one history. Unset YUMAI_DAGSTER_URL, so that each has its "
            "own, or let it name another database. If it is the same YUMAI database, which was renamed or moved, run "
            f"this in {name}: {_FORGET}"
        )


def _remembered(connection: Connection) -> str | None:
    if not read_value(connection, "SELECT to_regclass('public.kvs') IS NOT NULL"):
        return None
    remembered: str | None = read_value(connection, "SELECT (SELECT value FROM public.kvs WHERE key = %s)", (MEMORY,))
    return remembered


def _refuse_unclaimed_history(url: str, name: str) -> None:
    """Refuse to begin anew where the runs of an earlier version may be those of this YUMAI database."""
    with (
        suppress(psycopg.OperationalError),
        connect(url, application_name="yumai: whose history", role=None) as connection,
    ):
        if _remembered(connection) is None and read_value(connection, "SELECT to_regclass('public.runs') IS NOT NULL"):
            raise ForeignHistoryError(
                f"Dagster's database is called {name} now, and it is missing. An earlier version kept its runs in "
                f"{FORMER_NAME}, whichever the YUMAI database. If they are this one's, stop Dagster and run: "
                f'ALTER DATABASE {FORMER_NAME} RENAME TO "{name}"; if they are another\'s, run: CREATE DATABASE '
                f'"{name}";'
            )


def _exists(connection: Connection, name: str) -> bool:
    found: bool = read_value(connection, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = %s)", (name,))
    return found


def _create(connection: Connection, name: str) -> None:
    try:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
        return  # another session has just created it
    except psycopg.errors.InsufficientPrivilege as error:
        raise DatabaseError(
            f"{connection.info.user} may not create the database {name} for Dagster's own storage. Create it, or set "
            "YUMAI_DAGSTER_URL to a database of your own."
        ) from error
