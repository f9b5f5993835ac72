"""What a run is given: the settings, the database, the archive, and the secrets behind the users' pseudonyms.

Each depends on others by their keys alone, so whatever is put in the place of one reaches all that depend on it. Within
a run there is one object of each. Nothing is read from the environment before a run or a schedule asks for it.

Dagster reads the annotations, so this module does without `from __future__ import annotations`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg
from pydantic import Field, SecretStr

from yumai_pipelines.archives.store import Store
from yumai_pipelines.extracts.user_key import user_key_secret, user_key_secrets
from yumai_pipelines.postgres.connections import Connection, connect, database_url
from yumai_pipelines.schema.time_zone import refuse_other_zone
from yumai_pipelines.settings import Settings


# A function, since Dagster warns of a resource class that has no field.
@dg.resource
def settings_resource() -> Settings:
    """The settings, as the environment has them when the run starts."""
    return Settings()


@dg.resource(required_resource_keys={"settings"})
def _settings_of_the_run(context: dg.InitResourceContext) -> Settings:
    """Whatever has the key `settings`: a resource class can name no key, but what is nested in it can."""
    settings: Settings = context.resources.settings
    return settings


class PostgresResource(dg.ConfigurableResource[Any]):
    """The YUMAI database. Nothing connects, and no embedded server starts, before a run asks for it."""

    settings: dg.ResourceDependency[Settings]
    url: str | None = Field(
        default=None,
        description="libpq URL; without it YUMAI_DATABASE_URL, or the embedded server.",
    )

    def __init__(
        self, *, url: str | None = None, settings: Settings | dg.ResourceDefinition = _settings_of_the_run
    ) -> None:
        """The database at a URL, or that of the settings; the settings are those of the run, unless they are given."""
        fields = {"url": url, "settings": settings}
        super().__init__(**fields)

    @property
    def embedded(self) -> bool:
        """Whether the database is the embedded server's."""
        return self.url is None and self.settings.database_url is None

    @property
    def login_url(self) -> str:
        """The libpq URL of the login.

        Raises:
            LocalServerError: the embedded server cannot be started.
        """
        return self.url or database_url(self.settings)

    def connect(self, purpose: str) -> Connection:
        """A connection in autocommit mode, as the owner of YUMAI's schemas, in the business's time zone.

        Args:
            purpose: what `pg_stat_activity` shows, after "yumai: ".

        Raises:
            UnsupportedServerError: the server is older than 16.
            SchemaMissingError: the schema was never installed.
            TimeZoneError: the database's months begin in another time zone.
            psycopg.OperationalError: no connection.
        """
        zone = self.settings.timezone
        connection = connect(self.login_url, application_name=f"yumai: {purpose}", zone=zone)
        try:
            refuse_other_zone(connection, zone)
        except BaseException:
            connection.close()
            raise
        return connection


@dg.resource(required_resource_keys={"settings"})
def archive_resource(context: dg.InitResourceContext) -> Store:
    """Where archived months are kept (YUMAI_ARCHIVE_URL). Nothing is made or looked for before a run does so."""
    return Store.at(context.resources.settings.archive)


@dataclass(frozen=True)
class UserKeys:
    """The secrets behind the users' pseudonyms in the extracts, looked up at each use and not before.

    Attributes:
        settings: may name them.
        embedded: whether the database is the embedded server's, which has a secret of its own below YUMAI_HOME.
    """

    settings: Settings
    embedded: bool

    @property
    def secret(self) -> SecretStr:
        """What makes the pseudonyms now; the embedded server's own is made when it is first needed.

        Raises:
            UserKeySecretError: there is none for this database.
        """
        return user_key_secret(self.settings, embedded=self.embedded)

    @property
    def all_secrets(self) -> tuple[SecretStr, ...]:
        """That, and what made them before.

        Raises:
            UserKeySecretError: there is none for this database.
        """
        return user_key_secrets(self.settings, embedded=self.embedded)


@dg.resource(required_resource_keys={"settings", "postgres"})
def user_keys_resource(context: dg.InitResourceContext) -> UserKeys:
    """The secrets behind the users' pseudonyms in the extracts. Analysts must not have them."""
    return UserKeys(context.resources.settings, embedded=context.resources.postgres.embedded)


RESOURCES: Mapping[str, Any] = {
    "settings": settings_resource,
    "postgres": PostgresResource(),
    "archive": archive_resource,
    "user_keys": user_keys_resource,
}
"""Those of the environment, by the names under which assets, checks, jobs and schedules take them."""
