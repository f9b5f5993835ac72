"""Installs and upgrades the schema, and compares it with what the migrations make. Section 2 of the database document.

An upgrade is one transaction, so a run that is killed leaves the database as it was. The tables are defined in
`sql/migrations`. Alembic and SQLAlchemy are imported when an upgrade begins, since every run and command imports this
module, and few upgrade.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from yumai_pipelines.model.registry import CONVERSATIONS
from yumai_pipelines.model.relations import Relation
from yumai_pipelines.postgres.connections import (
    OWNER_ROLE,
    REVISION,
    connect,
    grant,
    refuse_other_owner,
    schema_revision,
)
from yumai_pipelines.postgres.endings import first_error, refuse_ended
from yumai_pipelines.postgres.errors import DatabaseError
from yumai_pipelines.postgres.locks import AdvisoryLock, advisory_lock, list_holders
from yumai_pipelines.postgres.patience import Patience
from yumai_pipelines.postgres.sql_files import read_sql, sql_path
from yumai_pipelines.postgres.transactions import (
    IDLE_TIMEOUT,
    STOPPING_WRITERS_IDLE,
    carry_on,
    limit_transaction,
    refuse_frozen,
)
from yumai_pipelines.postgres.values import read_value, relation_exists
from yumai_pipelines.schema import snapshot
from yumai_pipelines.schema.differences import drift, list_accepted
from yumai_pipelines.schema.migrations import migration_files
from yumai_pipelines.schema.time_zone import refuse_other_zone
from yumai_pipelines.schema.versions import oldest_code, remember_oldest_code, too_new

if TYPE_CHECKING:
    from yumai_pipelines.postgres.connections import Connection
    from yumai_pipelines.schema.differences import Accepted
    from yumai_pipelines.schema.snapshot import Difference
    from yumai_pipelines.settings import Settings


class Creator(NamedTuple):
    """A role that may create objects in a schema; `PUBLIC` is everybody."""

    schema: str
    role: str

    def __str__(self) -> str:
        """One sentence for people, with what to do."""
        return (
            f"{self._quoted} may create objects in the schema {self.schema}, where clients find functions by name: "
            f"what is made there may run with the rights of others. {self.revoke}"
        )

    @property
    def revoke(self) -> str:
        """The statement that takes the right away."""
        return f"REVOKE CREATE ON SCHEMA {self.schema} FROM {self._quoted}"

    @property
    def _quoted(self) -> str:
        return self.role if self.role == "PUBLIC" else f'"{self.role}"'


class SchemaError(DatabaseError):
    """The schema cannot be installed or upgraded. Nothing was changed."""


@dataclass(frozen=True)
class SchemaReport:
    """What an upgrade found and did.

    Attributes:
        server_version: the version of PostgreSQL, such as 17.10.
        revision: the revision of the schema after the upgrade.
        migrations: the revisions that ran, in order; empty if there was nothing to do.
        functions: the functions that were new or differed, sorted.
        extensions: the versions of the extensions, by name.
        uuid_stand_in: whether `uuid_generate_v4()` calls `gen_random_uuid()`, because the server has no uuid-ossp.
        drift: objects that differ from what the migrations make, and that nobody has accepted.
        accepted: differences that may stay.
        creators: who may create objects where functions of YUMAI find their names, besides the pipeline.
    """

    server_version: str
    revision: str
    migrations: tuple[str, ...]
    functions: tuple[str, ...]
    extensions: dict[str, str]
    uuid_stand_in: bool
    drift: tuple[Difference, ...]
    accepted: tuple[Accepted, ...]
    creators: tuple[Creator, ...]


@dataclass
class _Ran:
    """What one attempt at an upgrade has done."""

    migrations: list[str] = field(default_factory=list)
    functions: tuple[str, ...] = ()


def upgrade(url: str, settings: Settings, *, before_deploy: bool = False) -> SchemaReport:
    """Install the schema, or bring it up to date. This is idempotent, and of two upgrades at once the second waits.

    Each upgrade creates missing roles and extensions, configures the database, and replaces all functions. It runs the
    migrations that have not run yet, under the lock timeout of the settings.

    Args:
        url: the URL of a login that may create roles and extensions, and owns the database.
        settings: time zone and lock policy.
        before_deploy: whether to leave out migrations from the first on that runs after the application is deployed.

    Raises:
        SchemaError: the database is an older YUMAI one, or a newer one, or the login may not do something.
        TimeZoneError: the database's months begin in another time zone.
        LockNotObtainedError: somebody was in the way for as long as the policy's patience.
        UnsupportedServerError: the server is older than 16.
    """
    ran = carry_on(lambda: _upgrade(url, settings, before_deploy=before_deploy))
    with connect(url, application_name="yumai: schema") as owner:
        return _report(owner, ran)


def _upgrade(url: str, settings: Settings, *, before_deploy: bool) -> _Ran:
    from sqlalchemy.exc import DBAPIError

    policy = settings.lock_policy
    with (
        connect(url, application_name="yumai: schema lock", role=None) as connection,
        advisory_lock(connection, AdvisoryLock.SCHEMA, policy),
    ):
        patience = Patience(policy, "upgrade the schema")
        while True:
            try:
                return _attempt(url, settings, before_deploy=before_deploy)
            except (psycopg.Error, DBAPIError) as error:
                first = first_error(error)
                if first is None:
                    raise
                if not isinstance(first, psycopg.errors.LockNotAvailable):
                    refuse_frozen(patience.step, first)
                    refuse_ended(first)
                    raise first from error
                patience.pause(list_holders(connection, _relations()))


def list_creators(connection: Connection) -> list[Creator]:
    """Who may create objects in YUMAI's schemas and in `public`, besides the pipeline's role and superusers."""
    with connection.cursor(row_factory=class_row(Creator)) as cursor:
        return cursor.execute(read_sql("schema", "list_creators.sql")).fetchall()


def configure_database(connection: Connection, timezone: str) -> None:
    """Set the database's search_path and time zone for new connections.

    A copy or a restored dump of a database does not have these settings.
    """
    connection.execute("SELECT yumai_pipelines.configure_database(%s)", (timezone,))


def _attempt(url: str, settings: Settings, *, before_deploy: bool) -> _Ran:
    """Do the whole upgrade in one transaction."""
    from sqlalchemy import NullPool, create_engine

    from yumai_pipelines.schema.migrate import migrate

    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: connect(url, application_name="yumai: schema", role=None, autocommit=False),
        poolclass=NullPool,
    )
    with engine.begin() as alembic_connection:
        connection = alembic_connection.connection.driver_connection
        if not isinstance(connection, psycopg.Connection):
            raise TypeError(f"{connection!r} is no connection of psycopg")
        connection.execute("SELECT set_config('lock_timeout', %s, true)", (f"{settings.lock_timeout_ms}ms",))
        refuse_other_owner(connection)
        refuse_older_yumai(connection)
        refuse_other_zone(connection, settings.timezone)
        _run_files(connection, "bootstrap")
        before = _functions(connection)
        connection.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(OWNER_ROLE)))
        # From here on tables may be locked, until all is done.
        limit_transaction(connection, {IDLE_TIMEOUT: max(STOPPING_WRITERS_IDLE, settings.lock_policy.lock_timeout)})
        refuse_newer(connection)
        ran = _Ran(migrate(alembic_connection, before_deploy=before_deploy))
        remember_oldest_code(connection, ran.migrations)
        _run_files(connection, "functions")
        _run_files(connection, "privileges")
        ran.functions = tuple(sorted(name for name, text in _functions(connection).items() if before.get(name) != text))
        connection.execute("SET LOCAL ROLE NONE")
        configure_database(connection, settings.timezone)
    return ran


def refuse_older_yumai(connection: Connection) -> None:
    """Refuse a database of YUMAI that these migrations have not made.

    Raises:
        SchemaError: it says how to adopt it.
    """
    if relation_exists(connection, CONVERSATIONS) and not relation_exists(connection, REVISION):
        raise SchemaError(
            f"The database {connection.info.dbname} has chatbot.conversations, but not from these migrations: it is an "
            "older YUMAI database. Nothing was changed. `yumai adopt --dry-run` says what adopting it would do."
        )
    if relation_exists(connection, CONVERSATIONS) and schema_revision(connection) is None:
        raise SchemaError(
            f"The database {connection.info.dbname} has the tables of this pipeline, and no revision, as after a "
            "restore of a schema without its rows (pg_dump --schema-only). Nothing was changed. Restore the rows of "
            "the schema yumai_pipelines, too; or begin with an empty database."
        )


def _run_files(connection: Connection, directory: str) -> None:
    for path in sorted(sql_path(directory).glob("*.sql")):
        try:
            connection.execute(path.read_bytes())
        except psycopg.errors.InsufficientPrivilege as error:
            user, said = connection.info.user, filter(None, (error.diag.message_primary, error.diag.message_detail))
            raise SchemaError(
                f"{user} may not do what sql/{directory}/{path.name} does: {'. '.join(said).rstrip('.')}. Nothing was "
                "changed. Install as a superuser, or as the database's owner with CREATEROLE, to whom whoever made the "
                f"roles on this server has said: {grant(OWNER_ROLE, connection)}."
            ) from error


def _relations() -> list[Relation]:
    """What an upgrade may lock."""
    return [Relation(*each.name.split(".")) for each in snapshot.shipped() if each.kind == "relation"]


def refuse_newer(connection: Connection) -> None:
    """Refuse a schema at a revision that this version does not have: it would replace newer functions by older ones.

    Raises:
        SchemaError: it says which version to install.
    """
    revision = schema_revision(connection)
    if revision is not None and revision not in migration_files():
        raise SchemaError(too_new(connection, revision, oldest_code(connection)))


def _functions(connection: Connection) -> dict[str, str]:
    return {each.name: each.definition for each in snapshot.describe(connection) if each.kind == "function"}


def _report(connection: Connection, ran: _Ran) -> SchemaReport:
    extensions = dict(connection.execute("SELECT extname, extversion FROM pg_extension ORDER BY extname").fetchall())
    return SchemaReport(
        server_version=read_value(connection, "SHOW server_version").split()[0],
        revision=schema_revision(connection) or "",
        migrations=tuple(ran.migrations),
        functions=ran.functions,
        extensions=extensions,
        uuid_stand_in="uuid-ossp" not in extensions,
        drift=tuple(drift(connection)),
        accepted=tuple(list_accepted(connection)),
        creators=tuple(list_creators(connection)),
    )
