"""What the commands have in common: how they print, how they read months and find the database.

No command stands here.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, ParamSpec, TypeVar

import typer
from rich.console import Console

from yumai_pipelines.local.server import LocalServer
from yumai_pipelines.model.calendar import in_ranges
from yumai_pipelines.model.months import Month
from yumai_pipelines.postgres.connections import Connection, connect
from yumai_pipelines.postgres.transactions import carry_on
from yumai_pipelines.schema.time_zone import refuse_other_zone
from yumai_pipelines.schema.versions import refuse_other_version

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.text import Text

    from yumai_pipelines.partitions.ensure import MonthReport
    from yumai_pipelines.settings import Settings

P = ParamSpec("P")
T = TypeVar("T")

INTERRUPTED = 130
"""Exit status after Ctrl-C, the same as that of a shell's own commands."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class _Terminal(Console):
    """Shows control characters instead of sending them to the terminal: names and values of others may have some."""

    def render_str(self, text: str, **options: Any) -> Text:  # noqa: ANN401
        return super().render_str(_CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text), **options)


out = _Terminal(highlight=False, soft_wrap=True)
err = _Terminal(highlight=False, soft_wrap=True, stderr=True)


def parse_month(text: str) -> Month:
    """Read a month of the command line."""
    try:
        return Month.parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


Months = Annotated[
    list[Month] | None,
    typer.Option("--month", parser=parse_month, metavar="MONTH", help="A month, as in 2024-08; may be given again."),
]
OneMonth = Annotated[Month, typer.Argument(parser=parse_month, metavar="MONTH", help="The month, as in 2024-08.")]


def fail(message: str) -> NoReturn:
    """End with a message for people, and exit status 1."""
    err.print(f"yumai: {message}", style="red", markup=False)
    raise SystemExit(1)


def tell(step: object) -> None:
    """Print a step of something that takes long."""
    out.print(f"  {step}", markup=False)


def telling_next(command: Callable[P, str]) -> Callable[P, None]:
    """Make a command of a function that returns what people usually do next.

    It is told on standard error, since programs may read standard output. An empty text, of a command that a program
    has called, is not told.
    """

    @wraps(command)
    def told(*arguments: P.args, **options: P.kwargs) -> None:
        _tell_next(command(*arguments, **options))

    return told


def stop(status: int, following: str) -> NoReturn:
    """End a command with an exit status, and tell what people usually do next."""
    _tell_next(following)
    raise typer.Exit(status)


def _tell_next(following: str) -> None:
    if following:
        err.print(f"Next: {following}", style="dim", markup=False)


def url_of(settings: Settings) -> str:
    """Return the database's URL. Unlike `postgres.connections.database_url`, this does not start the server."""
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    return LocalServer(settings.home).url()


def connect_as_owner(settings: Settings, purpose: str) -> Connection:
    """Connect as the pipeline does, to change rows."""
    connection = connect(url_of(settings), application_name=f"yumai: {purpose}", zone=settings.timezone)
    try:
        refuse_other_version(connection)
        refuse_other_zone(connection, settings.timezone)
    except BaseException:
        connection.close()
        raise
    return connection


def work_as_owner(settings: Settings, purpose: str, work: Callable[[Connection], T]) -> T:
    """Connect as the pipeline does, and do what can be done again; again, where a transaction of it was frozen."""

    def run() -> T:
        with connect_as_owner(settings, purpose) as connection:
            return work(connection)

    return carry_on(run)


def start_server(settings: Settings) -> None:
    """Start the embedded server, unless the settings name another."""
    if settings.database_url is not None:
        out.print("The server is the one of YUMAI_DATABASE_URL; yumai neither starts nor stops it.")
        return
    server = LocalServer(settings.home).start()
    out.print(f"PostgreSQL runs on 127.0.0.1:{server.port}, its data below {settings.home.resolve()}.")


def install_schema(settings: Settings, *, before_deploy: bool = False) -> None:
    """Install the schema or bring it up to date, and make the months."""
    # Imported here because Alembic takes half a second to load, and `yumai status` does not need it.
    from yumai_pipelines.schema.upgrade import upgrade

    report = upgrade(url_of(settings), settings, before_deploy=before_deploy)
    ran = f"migrations {', '.join(report.migrations)} ran" if report.migrations else "nothing to do"
    out.print(f"The schema is at revision {report.revision}: {ran}.")
    for difference in report.drift:
        err.print(f"Unlike what the migrations make: {difference}", style="yellow", markup=False)
    for creator in report.creators:
        err.print(str(creator), style="yellow", markup=False)
    _make_months(settings)


def _months(settings: Settings) -> list[Month]:
    """The months of the history, and those to be kept ahead."""
    return [*settings.first.through(Month.of(datetime.now(UTC), settings.zone) + settings.months_ahead)]


def months_to_be_made(settings: Settings) -> str:
    """Say which months `_make_months` would make, as a list for people; empty if there is none."""
    from yumai_pipelines.partitions.ensure import archived_months
    from yumai_pipelines.partitions.tables import describe_partitions

    with connect(url_of(settings), application_name="yumai: plan the months", role=None, read_only=True) as connection:
        present = {partition.month for partition in describe_partitions(connection, settings.zone)}
        archived = archived_months(connection, settings.zone)
    return in_ranges([month for month in _months(settings) if month not in present and month not in archived])


def _make_months(settings: Settings) -> None:
    """Make the months of the history and those to be kept ahead, but those that are archived."""
    from yumai_pipelines.partitions.ensure import archived_months, ensure_months

    wanted = _months(settings)
    if not wanted:
        out.print(f"The history begins in {settings.first}, which no month is made for yet.")
        return

    def make(connection: Connection) -> list[MonthReport]:
        archived = archived_months(connection, settings.zone)
        present = [month for month in wanted if month not in archived]
        return ensure_months(connection, present, zone=settings.zone, policy=settings.lock_policy)

    reports = work_as_owner(settings, "months", make)
    made = in_ranges([report.month for report in reports if report.action != "recognized"])
    done = f"{made} made" if made else "nothing to do"
    out.print(f"The conversations have a partition for each month up to {wanted[-1]}: {done}.")
