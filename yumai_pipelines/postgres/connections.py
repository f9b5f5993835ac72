"""How this project connects to PostgreSQL: which server, as which role, in which time zone.

This module has no statement about the business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from yumai_pipelines.local.server import LocalServer
from yumai_pipelines.model.relations import Relation
from yumai_pipelines.postgres import session
from yumai_pipelines.postgres.errors import DatabaseError, SchemaMissingError, UnsupportedServerError
from yumai_pipelines.postgres.values import read_value, relation_exists

if TYPE_CHECKING:
    from yumai_pipelines.settings import Settings

OWNER_ROLE = "yumai_pipeline"
"""The role that owns the schemas of YUMAI. Whoever logs in, the pipeline works as this role."""

OLDEST_SERVER = 16

REVISION = Relation("yumai_pipelines", "alembic_version")
"""The table in which Alembic keeps the revision of the schema."""

DAGSTER_DATABASE = "yumai_dagster"

Connection = psycopg.Connection[Any]
"""A connection of psycopg 3, whose rows are tuples unless a cursor says otherwise."""


def database_url(settings: Settings) -> str:
    """The libpq URL of the YUMAI database.

    `YUMAI_DATABASE_URL` where it is set; else the embedded server's, which is started when it is down.

    Raises:
        LocalServerError: the embedded server cannot be started.
    """
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    server = LocalServer(settings.home)
    server.start()
    return server.url()


def dagster_url(settings: Settings) -> str:
    """The libpq URL of the database in which Dagster keeps its runs and events.

    `YUMAI_DAGSTER_URL` where it is set; else the database `yumai_dagster` beside the YUMAI one, made if missing.

    Raises:
        LocalServerError: the embedded server cannot be started.
        DatabaseError: the database is missing, and the role may not create it.
    """
    if settings.dagster_url is not None:
        return settings.dagster_url.get_secret_value()
    application = database_url(settings)
    _create_database(application, DAGSTER_DATABASE)
    return with_database(application, DAGSTER_DATABASE)


def with_database(url: str, database: str) -> str:
    """The same server and login, another database, as a libpq URL."""
    parts = conninfo_to_dict(url)
    parts["dbname"] = database
    return to_url(parts)


def to_url(parts: dict[str, str | int | None], scheme: str = "postgresql") -> str:
    """A libpq URL of connection parameters; with `postgresql+<driver>` as the scheme, SQLAlchemy's."""
    rest = {key: str(value) for key, value in parts.items() if value is not None}
    user, password = rest.pop("user", ""), rest.pop("password", "")
    login = quote(user, safe="") + (":" + quote(password, safe="") if password else "")
    host, port = rest.pop("host", ""), rest.pop("port", "")
    place = quote(host, safe="[]:") + (f":{port}" if port else "")
    database = quote(rest.pop("dbname", ""), safe="")
    query = "?" + urlencode(rest, quote_via=quote) if rest else ""
    return f"{scheme}://{login}{'@' if login else ''}{place}/{database}{query}"


def connect(
    url: str,
    *,
    application_name: str,
    role: str | None = OWNER_ROLE,
    autocommit: bool = True,
    zone: str = "Asia/Seoul",
) -> Connection:
    """Connect, as `role`, with the time zone of the business, whatever the client's environment says.

    Args:
        url: libpq URL or connection string.
        application_name: what `pg_stat_activity` shows, so that a waiting colleague knows whom to ask.
        role: the role to work as after logging in; None keeps the login's own.
        autocommit: each statement its own transaction unless one is opened.
        zone: the session's time zone.

    Raises:
        UnsupportedServerError: the server is older than 16.
        SchemaMissingError: the role does not exist, so the schema was never installed.
        psycopg.OperationalError: no connection.
    """
    own: dict[str, Any] = {"application_name": application_name, "client_encoding": "UTF8"}
    parameters = {**session.CONNECTION_PARAMETERS, **conninfo_to_dict(url), **own}
    connection = psycopg.connect(make_conninfo(**parameters), autocommit=autocommit)
    try:
        session.pin(connection, zone)
        _prepare(connection, role)
        if not autocommit:
            connection.commit()
    except BaseException:
        connection.close()
        raise
    return connection


def schema_revision(connection: Connection) -> str | None:
    """The revision of the database's schema; None where it was never installed.

    Raises:
        DatabaseError: the schema is installed, and the login may not look at it.
    """
    if not relation_exists(connection, REVISION):
        return None
    try:
        revision: str | None = read_value(connection, "SELECT version_num FROM yumai_pipelines.alembic_version")
    except psycopg.errors.InsufficientPrivilege as error:
        user = connection.info.user
        raise DatabaseError(
            f"{user} may not work with the schema, which is installed. As a superuser: "
            f'GRANT yumai_pipeline TO "{user}" WITH INHERIT TRUE, SET TRUE.'
        ) from error
    return revision


def _prepare(connection: Connection, role: str | None) -> None:
    version = connection.info.server_version
    if version < OLDEST_SERVER * 10_000:
        raise UnsupportedServerError(
            f"The server at {connection.info.host}:{connection.info.port} is PostgreSQL {version // 10_000}; "
            f"YUMAI needs {OLDEST_SERVER} or newer. Point YUMAI_DATABASE_URL at one, or unset it."
        )
    if role is None:
        return
    if not read_value(connection, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %s)", (role,)):
        raise SchemaMissingError(
            f"The role {role} does not exist on {connection.info.host}:{connection.info.port}: the YUMAI schema is not "
            "installed there. Materialize the asset `schema`, or run `yumai up`."
        )
    connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))


def _create_database(url: str, database: str) -> None:
    with connect(url, application_name="yumai: create database", role=None) as connection:
        if read_value(connection, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = %s)", (database,)):
            return
        try:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
        except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
            return  # somebody was quicker
        except psycopg.errors.InsufficientPrivilege as error:
            raise DatabaseError(
                f"{connection.info.user} may not create the database {database} for Dagster's own storage. Create it, "
                "or set YUMAI_DAGSTER_URL to a database of your own."
            ) from error
