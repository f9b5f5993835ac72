"""The one resource of the graph: the YUMAI database. How a connection is made stands in `database`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field, SecretStr

from yumai_pipelines.extracts.user_key import user_key_secret, user_key_secrets
from yumai_pipelines.postgres.connections import connect, database_url
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    import psycopg


class PostgresResource(dg.ConfigurableResource[Any]):
    """The YUMAI database. Nothing connects, and no embedded server starts, before a run asks for it."""

    url: str | None = Field(
        default=None,
        description="libpq URL; without it YUMAI_DATABASE_URL, or the embedded server.",
    )

    @property
    def settings(self) -> Settings:
        """The settings of this process."""
        return Settings()

    @property
    def login_url(self) -> str:
        """The libpq URL of the login.

        Raises:
            LocalServerError: the embedded server cannot be started.
        """
        return self.url or database_url(self.settings)

    @property
    def user_key_secret(self) -> SecretStr:
        """What makes the users' pseudonyms in the extracts.

        Raises:
            UserKeySecretError: there is none for this database.
        """
        return user_key_secret(self.settings, embedded=self._embedded)

    @property
    def user_key_secrets(self) -> tuple[SecretStr, ...]:
        """That, and what made them before.

        Raises:
            UserKeySecretError: there is none for this database.
        """
        return user_key_secrets(self.settings, embedded=self._embedded)

    @property
    def _embedded(self) -> bool:
        return self.url is None and self.settings.database_url is None

    def connect(self, purpose: str) -> psycopg.Connection[Any]:
        """A connection in autocommit mode, as the owner of YUMAI's schemas, in the business's time zone.

        Args:
            purpose: what `pg_stat_activity` shows, after "yumai: ".

        Raises:
            UnsupportedServerError: the server is older than 16.
            SchemaMissingError: the schema was never installed.
            psycopg.OperationalError: no connection.
        """
        return connect(self.login_url, application_name=f"yumai: {purpose}", zone=self.settings.timezone)
