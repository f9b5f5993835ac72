"""The resources of a run: the settings, the database, the archive, and the secrets behind the users' pseudonyms.

Resources refer to each other only by key, so a resource that replaces another is used by all that depend on that key.
A run has one object of each. The environment is read only when a run or a schedule asks for a resource.

Dagster reads the annotations at run time, so this module must not use `from __future__ import annotations`.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

import dagster as dg
from pydantic import Field, PrivateAttr, SecretStr

from yumai_pipelines.archives.store import Store
from yumai_pipelines.extracts.user_key import user_key_secret, user_key_secrets
from yumai_pipelines.postgres.connections import Connection, connect, database_url
from yumai_pipelines.postgres.replicas import Read, Reader, Replica, read, replica_of
from yumai_pipelines.postgres.transactions import PAUSES_OF_FROZEN, FrozenError
from yumai_pipelines.schema.time_zone import refuse_other_zone
from yumai_pipelines.schema.versions import refuse_other_version
from yumai_pipelines.settings import Settings

T = TypeVar("T")


# This is a function because Dagster warns about a resource class that has no field.
@dg.resource
def settings_resource() -> Settings:
    """The settings, read from the environment when the run starts."""
    return Settings()


@dg.resource(required_resource_keys={"settings"})
def _settings_of_the_run(context: dg.InitResourceContext) -> Settings:
    """The resource with the key `settings`.

    A resource class cannot refer to another resource by its key, but a resource that is nested in the class can.
    """
    settings: Settings = context.resources.settings
    return settings


class PostgresResource(dg.ConfigurableResource[Any]):
    """The YUMAI database. The embedded server is started, if it is used, when a run first asks for the database."""

    settings: dg.ResourceDependency[Settings]
    url: str | None = Field(
        default=None,
        description="libpq URL; without it YUMAI_DATABASE_URL, or the embedded server.",
    )
    replica_url: str | None = Field(
        default=None,
        description="libpq URL of a standby of the server of `url`; without `url`, YUMAI_REPLICA_URL.",
    )
    _replica: Replica | None = PrivateAttr(default=None)

    def __init__(
        self,
        *,
        url: str | None = None,
        replica_url: str | None = None,
        settings: Settings | dg.ResourceDefinition = _settings_of_the_run,
    ) -> None:
        """Use the database of the URL, or else that of the settings. The default settings are those of the run."""
        fields = {"url": url, "replica_url": replica_url, "settings": settings}
        super().__init__(**fields)

    @property
    def embedded(self) -> bool:
        """Whether the database is in the embedded server."""
        return self.url is None and self.settings.database_url is None

    @property
    def login_url(self) -> str:
        """The libpq URL with which the pipeline logs in.

        Raises:
            LocalServerError: the embedded server cannot be started.
        """
        return self.url or database_url(self.settings)

    def connect(self, purpose: str) -> Connection:
        """Open a connection in autocommit mode, as the owner of YUMAI's schemas, in the business's time zone.

        Args:
            purpose: the name that `pg_stat_activity` shows, after "yumai: ".

        Raises:
            UnsupportedServerError: the server is older than 16.
            SchemaMissingError: the schema was never installed.
            OtherVersionError: the schema is older or newer than what this version works with.
            TimeZoneError: the database's months begin in another time zone.
            psycopg.OperationalError: no connection.
        """
        zone = self.settings.timezone
        connection = connect(self.login_url, application_name=f"yumai: {purpose}", zone=zone)
        try:
            refuse_other_version(connection)
            refuse_other_zone(connection, zone)
        except BaseException:
            connection.close()
            raise
        return connection

    def read(self, purpose: str, work: Callable[[Reader], T]) -> Read[T]:
        """Read on the replica, if there is one that has replayed what the primary had written; else on the primary.

        Args:
            purpose: as of `connect`, which raises the same errors.
            work: reads, and nothing else: it is done again on the primary if the replica ends it.
        """
        on_replica = partial(connect, application_name=f"yumai: {purpose}", zone=self.settings.timezone, read_only=True)
        with self.connect(purpose) as primary:
            found = read(work, primary, self._replica_of_the_run(), on_replica)
        if found.source.refusal:
            dg.get_dagster_logger().warning(str(found.source))
        return found

    def _replica_of_the_run(self) -> Replica | None:
        """The replica, with what the run has found out about it."""
        if self._replica is None:
            lag = timedelta(seconds=self.settings.replica_lag_s)
            own = Replica(self.replica_url, lag) if self.replica_url else None
            self._replica = own if self.url else own or replica_of(self.settings)
        return self._replica

    @contextmanager
    def working(self, purpose: str) -> Iterator[Connection]:
        """Connect for a step that can be run again; Dagster does, if a machine that was too slow lost a transaction.

        Args:
            purpose: as of `connect`, which raises the same errors.
        """
        try:
            with self.connect(purpose) as connection:
                yield connection
        except FrozenError as error:
            pauses = [pause.total_seconds() for pause in PAUSES_OF_FROZEN]
            raise dg.RetryRequested(max_retries=len(pauses), seconds_to_wait=max(pauses)) from error


@dg.resource(required_resource_keys={"settings"})
def archive_resource(context: dg.InitResourceContext) -> Store:
    """The store of the archived months (YUMAI_ARCHIVE_URL). It is not accessed before a run uses it."""
    return Store.at(context.resources.settings.archive)


@dataclass(frozen=True)
class UserKeys:
    """The secrets behind the users' pseudonyms in the extracts. They are looked up at each use, and not before.

    Attributes:
        settings: the settings, which may contain the secrets.
        embedded: whether the database is the embedded server's, which has a secret of its own below YUMAI_HOME.
    """

    settings: Settings
    embedded: bool

    @property
    def secret(self) -> SecretStr:
        """The secret that makes the pseudonyms now. That of the embedded server is created when it is first needed.

        Raises:
            UserKeySecretError: there is no secret for this database.
        """
        return user_key_secret(self.settings, embedded=self.embedded)

    @property
    def all_secrets(self) -> tuple[SecretStr, ...]:
        """The secret that makes the pseudonyms now, and those that made them before.

        Raises:
            UserKeySecretError: there is no secret for this database.
        """
        return user_key_secrets(self.settings, embedded=self.embedded)


@dg.resource(required_resource_keys={"settings", "postgres"})
def user_keys_resource(context: dg.InitResourceContext) -> UserKeys:
    """The secrets behind the users' pseudonyms in the extracts. Analysts must not have them."""
    return UserKeys(context.resources.settings, embedded=context.resources.postgres.embedded)


class SmallResults(dg.IOManager):
    """Keeps what a step hands on to the next one, such as a list of months, in Dagster's own records.

    Dagster would keep it in a file. A run whose worker died goes on with the step that was not finished, on another
    host, where there is no such file.
    """

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        """Keep what a step returned: a list of texts, or None."""
        context.add_output_metadata({RESULT: dg.MetadataValue.json({RESULT: obj})})

    def load_input(self, context: dg.InputContext) -> object:
        """Return what an earlier step returned, in this run or in the one with which it goes on."""
        source = context.upstream_output
        if source is None:
            raise TypeError(f"no step returns the input {context.name}")
        entries = context.instance.all_logs(source.run_id, of_type=dg.DagsterEventType.HANDLED_OUTPUT)
        kept: list[Any] = [
            entry.get_dagster_event().event_specific_data for entry in entries if entry.step_key == source.step_key
        ]
        (data,) = [each for each in kept if each.output_name == source.name]
        return data.metadata[RESULT].value[RESULT]


RESULT = "result"
"""Under this name the record of a step has what it handed on."""

RESOURCES: Mapping[str, Any] = {
    "settings": settings_resource,
    "postgres": PostgresResource(),
    "archive": archive_resource,
    "user_keys": user_keys_resource,
    "io_manager": SmallResults(),
}
"""The resources made from the environment, by the keys that assets, checks, jobs and schedules use for them."""
