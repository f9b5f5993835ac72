"""How this project connects to PostgreSQL: to which server, as which role, in which time zone.

Queries of business data do not belong here.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlencode

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import class_row

from yumai_pipelines.local.server import LocalServer
from yumai_pipelines.model.relations import Relation
from yumai_pipelines.postgres import session
from yumai_pipelines.postgres.endings import ExplainedConnection
from yumai_pipelines.postgres.errors import (
    MissingRightsError,
    SchemaMissingError,
    StandbyError,
    UnsupportedServerError,
)
from yumai_pipelines.postgres.poolers import refuse_shared_sessions
from yumai_pipelines.postgres.values import read_value, relation_exists

if TYPE_CHECKING:
    from yumai_pipelines.settings import Settings

OWNER_ROLE = "yumai_pipeline"
"""The role that owns the schemas of YUMAI. The pipeline works as this role, whichever role logs in."""

ANALYST_ROLE = "yumai_analyst"
"""The role that reads the extracts, and nothing else."""

OLDEST_SERVER = 16

REVISION = Relation("yumai_pipelines", "alembic_version")
"""The table in which Alembic keeps the revision of the schema."""

VARIABLE, DAGSTER_VARIABLE = "YUMAI_DATABASE_URL", "YUMAI_DAGSTER_URL"
"""The settings that say where a database is, for messages."""

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


def refuse_what_keeps_nothing(url: str, variable: str) -> None:
    """Say what is wrong with a place that others are to write to, which they would say in words of their own.

    Args:
        url: libpq URL of the place.
        variable: the setting that names it.

    Raises:
        StandbyError: the server takes no writes.
        PoolerError: a pooler in between gives each transaction another session.
    """
    conninfo = _bounded(url)
    # A server that does not answer at this moment may do so when the others try.
    with suppress(psycopg.OperationalError), psycopg.connect(conninfo, autocommit=True) as connection:
        place = _look_around(connection, None)
        refuse_shared_sessions(connection, place.pid, conninfo, variable)
        _refuse_standby(connection, place, variable)


def with_database(url: str, database: str) -> str:
    """Return the libpq URL of another database, with the same server and login."""
    parts = conninfo_to_dict(url)
    parts["dbname"] = database
    return to_url(parts)


def to_url(parts: dict[str, str | int | None], scheme: str = "postgresql") -> str:
    """A libpq URL of connection parameters; with `postgresql+<driver>` as the scheme, SQLAlchemy's.

    What has no place of its own in every kind of URL stands behind the question mark: several hosts, a socket's
    directory, an address with colons.
    """
    rest = {key: str(value) for key, value in parts.items() if value is not None}
    login = place = database = ""
    if rest.get("user"):
        login = quote(rest.pop("user"), safe="")
        login += (":" + quote(rest.pop("password"), safe="") if rest.get("password") else "") + "@"
    if _HOST.fullmatch(rest.get("host", "")) and rest.get("port", "1").isdecimal():
        place = ":".join(rest.pop(each) for each in ("host", "port") if each in rest)
    if rest.get("dbname"):
        database = quote(rest.pop("dbname"), safe="")
    query = "?" + urlencode(rest, quote_via=quote) if rest else ""
    return f"{scheme}://{login}{place}/{database}{query}"


_HOST = re.compile(r"[A-Za-z0-9._-]+")
"""A host's name, or an address without colons."""


def connect(
    url: str,
    *,
    application_name: str,
    role: str | None = OWNER_ROLE,
    autocommit: bool = True,
    zone: str = "Asia/Seoul",
    read_only: bool = False,
) -> Connection:
    """Connect as `role`, in the time zone of the business, whatever the client's environment says.

    Args:
        url: libpq URL or connection string.
        application_name: the name that `pg_stat_activity` shows, which tells people what this session is for.
        role: the role to work as after logging in; None is the login's own, whatever its settings say.
        autocommit: whether each statement is a transaction of its own, unless one is opened.
        zone: the session's time zone.
        read_only: nothing is going to be written, so that a standby will do.

    Raises:
        UnsupportedServerError: the server is older than 16.
        StandbyError: the server takes no writes.
        PoolerError: a pooler in between gives each transaction another session.
        SchemaMissingError: the role does not exist, so the schema was never installed.
        MissingRightsError: the login may not work as the role.
        psycopg.OperationalError: no connection.
    """
    conninfo = _bounded(url, application_name=application_name, client_encoding="UTF8")
    connection = ExplainedConnection.connect(conninfo, autocommit=True)
    try:
        _refuse_old_server(connection)
        place = _look_around(connection, role)
        refuse_shared_sessions(connection, place.pid, conninfo, VARIABLE)
        if not read_only:
            _refuse_standby(connection, place, VARIABLE)
        session.pin(connection, zone)
        if role is None:
            # A login may have another role set for its new connections (ALTER ROLE … SET role).
            connection.execute("SET ROLE NONE")
        else:
            _work_as(connection, role, place)
        connection.autocommit = autocommit
    except BaseException:
        connection.close()
        raise
    return connection


def schema_revision(connection: Connection) -> str | None:
    """Return the revision of the database's schema; None if it was never installed.

    Raises:
        MissingRightsError: the schema is installed, and the login may not look at it, or somebody else owns it.
    """
    if not relation_exists(connection, REVISION):
        return None
    refuse_other_owner(connection)
    try:
        revision: str | None = read_value(connection, "SELECT version_num FROM yumai_pipelines.alembic_version")
    except psycopg.errors.InsufficientPrivilege as error:
        raise missing_rights(connection) from error
    return revision


def refuse_other_owner(connection: Connection) -> None:
    """Refuse a schema that somebody else owns than the role that works on it.

    Raises:
        MissingRightsError: it names the owner.
    """
    query = (
        "SELECT (SELECT pg_get_userbyid(c.relowner) FROM pg_class AS c INNER JOIN pg_namespace AS n "
        "ON c.relnamespace = n.oid WHERE n.nspname = %s AND c.relname = %s)"
    )
    owner = read_value(connection, query, (REVISION.schema, REVISION.name))
    if owner not in {None, OWNER_ROLE}:
        raise MissingRightsError(
            f"The tables of this pipeline in {connection.info.dbname} belong to {owner}, and not to {OWNER_ROLE}, as "
            "after a restore with --no-owner. Nothing was changed. Restore the dump without --no-owner, as a superuser "
            f"and after CREATE ROLE {OWNER_ROLE}, yumai_app, yumai_analyst where these roles are missing."
        )


def missing_rights(connection: Connection, role: str = OWNER_ROLE) -> MissingRightsError:
    """The error of a login that may not work as a role."""
    return MissingRightsError(
        f"{connection.info.user} may not work as {role} in the database {connection.info.dbname}. Use another login "
        f"in YUMAI_DATABASE_URL; or, as a superuser, or as whoever made {role}: {grant(role, connection)}."
    )


def grant(role: str, connection: Connection) -> str:
    """The statement that lets a connection's login work as a role."""
    names = [name if _PLAIN.fullmatch(name) else f'"{name}"' for name in (role, connection.info.user)]
    return "GRANT {} TO {} WITH INHERIT TRUE, SET TRUE".format(*names)


_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
"""A name that needs no quotation marks."""


def _bounded(url: str, **own: str) -> str:
    """A connection string that bounds each wait for the server, unless the URL does, with parameters of our own."""
    parameters: dict[str, Any] = {**session.CONNECTION_PARAMETERS, **conninfo_to_dict(url), **own}
    return make_conninfo(**parameters)


class _Place(NamedTuple):
    """What is found out about a new connection before anything is set."""

    pid: int
    standby: bool
    role_exists: bool
    may_set_role: bool


def _refuse_old_server(connection: Connection) -> None:
    version = connection.info.server_version
    if version < OLDEST_SERVER * 10_000:
        raise UnsupportedServerError(
            f"The server at {_address(connection)} is PostgreSQL {version // 10_000}; YUMAI needs {OLDEST_SERVER} or "
            "newer. Point YUMAI_DATABASE_URL at one, or unset it."
        )


def _look_around(connection: Connection, role: str | None) -> _Place:
    with connection.cursor(row_factory=class_row(_Place)) as cursor:
        place = cursor.execute(_LOOK_AROUND, (role,)).fetchone()
    if place is None:
        raise TypeError("a query without FROM returned no row")
    return place


_LOOK_AROUND = """
    SELECT
        pg_catalog.pg_backend_pid() AS pid,
        pg_catalog.pg_is_in_recovery() AS standby,
        r.oid IS NOT NULL AS role_exists,
        coalesce(pg_catalog.pg_has_role(session_user, r.oid, 'SET'), false) AS may_set_role
    FROM (SELECT %s::pg_catalog.name AS name) AS wanted
    LEFT JOIN pg_catalog.pg_roles AS r ON r.rolname OPERATOR(pg_catalog.=) wanted.name
"""


def _refuse_standby(connection: Connection, place: _Place, variable: str) -> None:
    if place.standby:
        raise StandbyError(
            f"The server at {_address(connection)} is a standby, which takes no writes. Point {variable} at the "
            "primary; where it names several hosts, add target_session_attrs=read-write to it."
        )


def _work_as(connection: Connection, role: str, place: _Place) -> None:
    if not place.role_exists:
        raise SchemaMissingError(
            f"The role {role} does not exist on {_address(connection)}: the YUMAI schema is not installed there. "
            "Materialize the asset `schema`, or run `yumai up`."
        )
    if not place.may_set_role:
        raise missing_rights(connection, role)
    connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))


def _address(connection: Connection) -> str:
    return f"{connection.info.host}:{connection.info.port}"
