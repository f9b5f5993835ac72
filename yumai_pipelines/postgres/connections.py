"""How this project connects to PostgreSQL: to which server, as which role, in which time zone.

Queries of business data do not belong here.
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
"""The role that owns the schemas of YUMAI. The pipeline works as this role, whichever role logs in."""

OLDEST_SERVER = 16

REVISION = Relation("yumai_pipelines", "alembic_version")
"""The table in which Alembic keeps the revision of the schema."""

DAGSTER_DATABASE = "yumai_dagster"

Connection = psycopg.Connection[Any]
"""A connection of psycopg 3. Its rows are tuples unless a cursor has another row factory."""


def database_url(settings: Settings) -> str:
    """Return the libpq URL of the YUMAI database.

    This is `YUMAI_DATABASE_URL` if it is set. Otherwise it is the URL of the embedded server, which is started if it is
    down.

    Raises:
        LocalServerError: the embedded server cannot be started.
    """
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    server = LocalServer(settings.home)
    server.start()
    return server.url()


def dagster_url(settings: Settings) -> str:
    """Return the libpq URL of the database in which Dagster keeps its runs and events.

    This is `YUMAI_DAGSTER_URL` if it is set. Otherwise it is the database `yumai_dagster` on the server of the YUMAI
    database, which is created if it is missing.

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
    """Return the libpq URL of another database, with the same server and login."""
    parts = conninfo_to_dict(url)
    parts["dbname"] = database
    return to_url(parts)


def to_url(parts: dict[str, str | int | None], scheme: str = "postgresql") -> str:
    """Make a libpq URL from connection parameters, or with the scheme `postgresql+<driver>` one for SQLAlchemy."""
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
    """Connect as `role`, in the time zone of the business, whatever the client's environment says.

    Args:
        url: libpq URL or connection string.
        application_name: the name that `pg_stat_activity` shows, which tells people what this session is for.
        role: the role to work as after logging in; None keeps the login's own.
        autocommit: whether each statement is a transaction of its own, unless one is opened.
        zone: the session's time zone.

    Raises:
        UnsupportedServerError: the server is older than 16.
        SchemaMissingError: the role does not exist, so the schema was never installed.
        psycopg.OperationalError: the connection failed.
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
    """Return the revision of the database's schema; None if it was never installed.

    Raises:
        DatabaseError: the schema is installed, but the login may not read its revision.
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
            return  # another session has just created it
        except psycopg.errors.InsufficientPrivilege as error:
            raise DatabaseError(
                f"{connection.info.user} may not create the database {database} for Dagster's own storage. Create it, "
                "or set YUMAI_DAGSTER_URL to a database of your own."
            ) from error
