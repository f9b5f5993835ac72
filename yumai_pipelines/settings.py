"""The settings of the project, which are read from environment variables (`YUMAI_…`) and from nowhere else.

Secrets are settings too, and are never written to a file of the repository.
"""

from __future__ import annotations

import json
import os
from datetime import timedelta
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from pydantic import Field, ModelWrapValidatorHandler, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from yumai_pipelines.model.lock_policy import LockPolicy
from yumai_pipelines.model.months import Month

PREFIX = "YUMAI_"

OF_OTHER_TOOLS = {"YUMAI_TEST_POSTGRES", "YUMAI_CHROMIUM"}
"""Variables that the tests read."""

_NEEDED_BY_WORKERS = {
    "database_url": "it starts no embedded server",
    "user_key_secret": "the pseudonyms of all workers must be the same",
    "archive_url": "what it would keep below YUMAI_HOME is lost with its host",
    "report_url": "what it would keep below YUMAI_HOME is lost with its host",
}
_PLACES = ("archive_url", "report_url", "extracts_url")
"""Settings that name a directory of files."""

LONGEST_PATIENCE_S = 7 * 24 * 3600.0

LONGEST_DAYS = 36_500

FIRST_OF_ALL = Month(1970, 1)
"""Dagster counts the time of a month from here."""

_NO_PLACES = {"localtime", "posixrules", "Factory"}
_NOT_UTC = ("posix/", "right/")


class Settings(BaseSettings):
    """The settings of one process. Each field is the environment variable `YUMAI_<FIELD>`.

    All that is wrong with them is told at once; a variable that is none of them is a typing error.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, hide_input_in_errors=True)

    database_url: SecretStr | None = Field(
        default=None,
        description="libpq URL of a PostgreSQL 16 or newer; without it, the embedded server is used.",
    )
    replica_url: SecretStr | None = Field(
        default=None,
        description="libpq URL of a hot standby of the database, on which checks, reports and extracts are read; "
        "without it, the primary is read.",
    )
    replica_lag_s: float = Field(
        default=5,
        gt=0,
        le=600,
        allow_inf_nan=False,
        description="Longest time for which a reading waits until the replica has replayed what the primary had "
        "written, in seconds; after it, the primary is read.",
    )
    dagster_url: SecretStr | None = Field(
        default=None,
        description="libpq URL of Dagster's own database; without it, <name>_dagster on the same server.",
    )
    home: Path = Field(
        default=Path(".yumai"),
        description="Directory of the embedded server and of Dagster's instance.",
    )
    timezone: str = Field(default="Asia/Seoul", description="Time zone of the business; months begin at its midnights.")
    worker: bool = Field(
        default=False,
        description="Whether this is one of several hosts, of which none keeps anything: every place must then be "
        "named by a URL that all of them reach, and no embedded server is started.",
    )
    ui_url: str | None = Field(
        default=None,
        pattern=r"^https?://[A-Za-z0-9.:\[\]-]+/?$",
        description="URL under which people open Dagster's UI, as in https://pipelines.example.com; without it, the UI "
        "answers under 127.0.0.1 and localhost only.",
    )
    first_month: str = Field(default="2024-08", description="The first month of the history, YYYY-MM.")
    months_ahead: int = Field(default=3, ge=1, le=24, description="Partitions kept ready after the current month.")
    months_kept: int = Field(
        default=6,
        ge=1,
        le=120,
        description="Whole months before the current one that stay in the database; older ones may be archived.",
    )
    archive_url: str | None = Field(
        default=None,
        min_length=1,
        description="Directory, or any URL that fsspec knows, for archived months; without it, archive in YUMAI_HOME.",
    )
    report_url: str | None = Field(
        default=None,
        min_length=1,
        description="Directory, or any URL that fsspec knows, for the reports; without it, reports in YUMAI_HOME.",
    )
    extracts_url: str | None = Field(
        default=None,
        min_length=1,
        description="Directory or URL, such as s3://bucket/extracts, to which the extracts are published as Delta "
        "tables; without it, nothing is published.",
    )
    lock_timeout_ms: int = Field(
        default=100,
        ge=10,
        le=900,
        description="Longest wait of one DDL attempt for its locks, so longest stall of a writer. "
        "Below PostgreSQL's deadlock_timeout, so that maintenance gives way before anybody is cancelled.",
    )
    legacy_timezone: str = Field(
        default="Asia/Seoul",
        description="Time zone of the wall time in naive time columns of an older database, for `yumai adopt`.",
    )
    lock_patience_s: float = Field(
        default=300,
        gt=0,
        le=LONGEST_PATIENCE_S,
        allow_inf_nan=False,
        description="Total time that DDL is retried before it gives up, in seconds.",
    )

    user_key_secret: SecretStr | None = Field(
        default=None,
        min_length=32,
        description="Makes the users' pseudonyms in the extracts; 32 characters or more. The embedded server has one "
        "of its own below YUMAI_HOME.",
    )
    previous_user_key_secrets: Annotated[tuple[Annotated[SecretStr, Field(min_length=32)], ...] | None, NoDecode] = (
        Field(
            default=None,
            description="Secrets that user_key_secret had before, as a JSON list of strings: a person is erased from "
            "extracts that were built under them, too.",
        )
    )
    min_group_users: int = Field(
        default=1, ge=1, le=1_000_000, description="Groups of fewer users are merged in the extracts; 1 merges none."
    )
    build_connections: int = Field(
        default=2,
        ge=1,
        le=16,
        description="Connections that build a range of months of the extracts at once; each keeps a core of the "
        "server busy.",
    )
    session_days: int = Field(
        default=30, ge=1, le=LONGEST_DAYS, description="Days after its end from which retention may delete a session."
    )
    purge_archived_only: bool | None = Field(
        default=None,
        description="Whether retention leaves sessions alone until their conversations are archived; without it, yes "
        "where YUMAI_ARCHIVE_URL is set.",
    )

    alert_urls: Annotated[tuple[SecretStr, ...] | None, NoDecode] = Field(
        default=None,
        description="Whom alerts reach: URLs of Apprise with spaces between them, as in mailtos://… slack://…; without "
        "them, nobody is told.",
    )
    history_days: int = Field(
        default=90,
        ge=30,
        le=LONGEST_DAYS,
        description="Days for which Dagster's own records of runs and events are kept.",
    )

    soft_reference_tolerance: Decimal = Field(
        default=Decimal("0.01"),
        ge=0,
        le=1,
        decimal_places=9,
        description="Share of the ids that no foreign key watches that may name a shop that is gone before the check "
        "soft_references warns; 0 tolerates none.",
    )

    @model_validator(mode="wrap")
    @classmethod
    def _no_other_variable(cls, values: object, handler: ModelWrapValidatorHandler[Self]) -> Self:
        wrong: list[InitErrorDetails] = []
        settings = None
        try:
            settings = handler(values)
            wrong = _wrong_for_a_worker(settings) if settings.worker else []
        except ValidationError as error:
            wrong = [
                InitErrorDetails(type=_custom(each["msg"]), loc=each["loc"], input=None) for each in error.errors()
            ]
        known = {PREFIX + name.upper() for name in cls.model_fields}
        for name in sorted({each.upper() for each in os.environ} - known - OF_OTHER_TOOLS):
            if name.startswith(PREFIX):
                nearest = get_close_matches(name, known, 1, 0.0)
                message = f"there is no setting of this name; {nearest[0]} is the nearest. Correct it, or unset it"
                field = name.removeprefix(PREFIX).lower()
                wrong.append(InitErrorDetails(type=_custom(message), loc=(field,), input=None))
        if settings is None or wrong:
            raise ValidationError.from_exception_data(cls.__name__, wrong, hide_input=True)
        return settings

    @field_validator("database_url", "dagster_url", "replica_url")
    @classmethod
    def _a_libpq_url(cls, value: SecretStr | None) -> SecretStr | None:
        try:
            conninfo_to_dict(value.get_secret_value() if value else "")
        except ProgrammingError:
            # libpq's message would quote the password.
            raise ValueError("it is no libpq URL, as in postgresql://user:password@localhost:5432/yumai") from None
        return value

    @field_validator("home")
    @classmethod
    def _of_somebody_who_is_there(cls, value: Path) -> Path:
        try:
            return value.expanduser()
        except RuntimeError:
            raise ValueError("it begins in the home of somebody who has none on this machine") from None

    @field_validator(*_PLACES)
    @classmethod
    def _the_same_from_everywhere(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if "://" in value:
            if _split(value).password is not None:
                raise ValueError(
                    "it has a password, and stands in messages, in Dagster's records and in the database. Give the "
                    "password to the store itself, as in FSSPEC_SFTP_PASSWORD"
                )
            return value
        path = cls._of_somebody_who_is_there(Path(value))
        if not path.is_absolute():
            raise ValueError("it is a relative directory, which is another one for each program; give an absolute one")
        return str(path)

    @field_validator("ui_url")
    @classmethod
    def _a_place_for_browsers(cls, value: str | None) -> str | None:
        _split(value or "")
        return value

    @field_validator("previous_user_key_secrets", mode="before")
    @classmethod
    def _a_json_list(cls, value: object) -> object:
        try:
            return json.loads(value) if isinstance(value, str) else value
        except (ValueError, RecursionError):
            raise ValueError('it is no JSON list of strings, as in \'["first secret", "second secret"]\'') from None

    @field_validator("alert_urls", mode="before")
    @classmethod
    def _urls(cls, value: object) -> object:
        urls = value.split() if isinstance(value, str) else value
        if isinstance(urls, list) and not all("://" in url for url in urls):
            raise ValueError("it is no list of Apprise's URLs with spaces between them, as in mailtos://… slack://…")
        return urls

    # Before the validators above: the last one is asked first.
    @field_validator("*", mode="before")
    @classmethod
    def _not_empty(cls, value: object) -> object:
        if isinstance(value, str) and not value.strip():
            raise ValueError("it is empty; give it a value, or unset it")
        return value

    @field_validator("timezone", "legacy_timezone")
    @classmethod
    def _known_time_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            near = get_close_matches(value, available_timezones(), 1) or ["Asia/Seoul"]
            raise ValueError(f"{value!r} is no IANA time zone; try {near[0]}") from error
        if value in _NO_PLACES or value.startswith(_NOT_UTC):
            raise ValueError(
                f"{value!r} is another zone on each machine, or counts leap seconds; name the zone of the business, "
                "as in Asia/Seoul"
            )
        return value

    @field_validator("first_month")
    @classmethod
    def _a_month(cls, value: str) -> str:
        month = Month.parse(value)
        if month < FIRST_OF_ALL:
            raise ValueError(f"no history begins before {FIRST_OF_ALL}")
        return month.key

    @property
    def zone(self) -> ZoneInfo:
        """The business's time zone."""
        return ZoneInfo(self.timezone)

    @property
    def first(self) -> Month:
        """The first month of the history."""
        return Month.parse(self.first_month)

    @property
    def archive(self) -> str:
        """Directory or URL of the archived months."""
        return self.archive_url or str(self.home.resolve() / "archive")

    @property
    def reports(self) -> str:
        """Directory or URL of the monthly reports."""
        return self.report_url or str(self.home.resolve() / "reports")

    @property
    def archives_before_purge(self) -> bool:
        """Whether retention deletes a session only after its conversations are archived."""
        return self.archive_url is not None if self.purge_archived_only is None else self.purge_archived_only

    @property
    def lock_policy(self) -> LockPolicy:
        """How long DDL may make other sessions wait, and how long it is retried."""
        return LockPolicy(timedelta(milliseconds=self.lock_timeout_ms), timedelta(seconds=self.lock_patience_s))


def _wrong_for_a_worker(settings: Settings) -> list[InitErrorDetails]:
    missing = {
        name: f"a worker needs it, since {why}. Set it, or unset YUMAI_WORKER on a host that works alone"
        for name, why in _NEEDED_BY_WORKERS.items()
        if getattr(settings, name) is None
    }
    local = {
        name: "it is a directory of this host, which the other hosts do not have. Give a URL that all of them reach, "
        "as in s3://bucket/folder, or file:///mnt/… where all of them have mounted the same directory"
        for name in _PLACES
        if "://" not in (getattr(settings, name) or "://")
    }
    return [InitErrorDetails(type=_custom(said), loc=(name,), input=None) for name, said in (missing | local).items()]


def _split(url: str) -> SplitResult:
    """The parts of a URL.

    Raises:
        ValueError: it is none; the message does not quote it.
    """
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  (reading it checks it)
    except ValueError:
        raise ValueError("it is no URL: look at its host and its port") from None
    return parts


def _custom(message: str) -> PydanticCustomError:
    # In braces pydantic would look for a value to put in.
    return PydanticCustomError("setting", "{message}", {"message": message})
