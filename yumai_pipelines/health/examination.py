"""What an examination is, what it says, and how examinations are run one after the other."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import psycopg
from psycopg.rows import class_row

from yumai_pipelines.postgres.errors import DatabaseError
from yumai_pipelines.postgres.sql_files import read_sql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from yumai_pipelines.postgres.connections import Connection
    from yumai_pipelines.settings import Settings

Subject = TypeVar("Subject")
Row = TypeVar("Row")


class State(StrEnum):
    """How something is; the later is the worse."""

    HEALTHY = "healthy"
    ADVICE = "advice"
    SICK = "sick"


@dataclass(frozen=True)
class Complaint:
    """One thing that is wrong.

    Attributes:
        what: what is wrong, as a sentence.
        remedy: what to do, as sentences.
        state: sick if it harms now or will soon, advice if it should be looked at some day.
    """

    what: str
    remedy: str
    state: State = State.SICK


def advice(what: str, remedy: str) -> Complaint:
    """Something that should be looked at some day."""
    return Complaint(what, remedy, State.ADVICE)


@dataclass(frozen=True)
class Outcome:
    """What an examination found.

    Attributes:
        seen: what was looked at and measured, in some words.
        complaints: what is wrong.
        measures: numbers for Prometheus, by name; a mapping is one number for each value of its label.
    """

    seen: str
    complaints: Sequence[Complaint] = ()
    measures: Mapping[str, float | Mapping[str, float]] = field(default_factory=dict)

    @property
    def state(self) -> State:
        """The worst state of its complaints."""
        order = list(State)
        return max((each.state for each in self.complaints), key=order.index, default=State.HEALTHY)


@dataclass(frozen=True)
class Limits:
    """From where on something is wrong."""

    transaction: timedelta = timedelta(hours=1)
    replication_lag: timedelta = timedelta(minutes=5)
    retained_wal: int = 4 << 30
    dead_rows: int = 100_000
    dead_share: float = 0.2
    freeze_factor: float = 1.5
    """How far beyond autovacuum_freeze_max_age the oldest row may be: autovacuum should long have come."""

    connections_share: float = 0.85
    clocks: timedelta = timedelta(minutes=1)
    disk_free: int = 2 << 30
    disk_free_share: float = 0.1


@dataclass(frozen=True)
class Patient:
    """The database and the machine that are examined.

    Attributes:
        connection: as the login, in autocommit mode; it may be one to a standby.
        settings: the settings of the project.
        limits: from where on something is wrong.
    """

    connection: Connection
    settings: Settings
    limits: Limits = Limits()

    def rows(self, query: str, parameters: Mapping[str, Any] | None = None) -> list[Any]:
        """All rows of a query, as tuples."""
        return self.connection.execute(query, parameters).fetchall()

    def read(self, file: str, kind: type[Row]) -> list[Row]:
        """All rows of the query in a file of `sql/health`, each as a value of this class."""
        with self.connection.cursor(row_factory=class_row(kind)) as cursor:
            return cursor.execute(read_sql("health", file)).fetchall()


@dataclass(frozen=True)
class Examination(Generic[Subject]):
    """One examination.

    Attributes:
        name: in small letters; docs/operate.md has a section of this name.
        about: what it makes sure of, in some words.
        look: looks, and says what it found.
    """

    name: str
    about: str
    look: Callable[[Subject], Outcome]


@dataclass(frozen=True)
class Result:
    """An examination that was made, and what it found."""

    name: str
    about: str
    outcome: Outcome


def examine(examinations: Iterable[Examination[Subject]], subject: Subject) -> Iterator[Result]:
    """Make examinations one after the other. One that cannot be made is a complaint, and the others go on."""
    for each in examinations:
        try:
            outcome = each.look(subject)
        except (psycopg.Error, DatabaseError, OSError) as error:
            outcome = Outcome("could not look", [Complaint(*_hindrance(error))])
        yield Result(each.name, each.about, outcome)


def _hindrance(error: Exception) -> tuple[str, str]:
    said = " ".join(str(error).split())
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return said, "Let YUMAI_DATABASE_URL name a login that is a member of yumai_pipeline and of pg_monitor."
    if isinstance(error, psycopg.errors.UndefinedTable | psycopg.errors.UndefinedFunction):
        return said, "Run `yumai up`: the schema lacks what this version looks at."
    return said, "Put that right, and look again."


def in_words(size: float) -> str:
    """A number of bytes for people."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < _KIBI:
            return f"{size:.3g} {unit}"
        size /= _KIBI
    return f"{size:,.1f} TiB"


_KIBI = 1024
