"""The command `yumai`: a PostgreSQL server, demonstration data and the Dagster UI on your own machine.

Each command calls the part of the package that does the work, and prints the result.
"""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import psycopg
import typer
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Conninfo
from pydantic import ValidationError
from rich.console import Console

from yumai_pipelines.local.server import LocalServer, LocalServerError, program
from yumai_pipelines.local.ui import DevServerError, serve
from yumai_pipelines.model.calendar import in_ranges
from yumai_pipelines.model.months import Month
from yumai_pipelines.model.registry import EXTRACTS
from yumai_pipelines.postgres.connections import OWNER_ROLE, connect, schema_revision
from yumai_pipelines.postgres.dagster_database import refuse_foreign_history
from yumai_pipelines.postgres.endings import explain
from yumai_pipelines.postgres.errors import DatabaseError, MissingRightsError
from yumai_pipelines.postgres.values import read_value
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

DOWN = 3
"""Exit status of `yumai status` when the server is down, the same as that of `systemctl status`."""

INTERRUPTED = 130
"""Exit status after Ctrl-C, the same as that of a shell's own commands."""

EXTRACT_NAMES = [each.relation.name for each in EXTRACTS]

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
_out = Console(highlight=False, soft_wrap=True)
_err = Console(highlight=False, soft_wrap=True, stderr=True)


def _month(text: str) -> Month:
    try:
        return Month.parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _extract(text: str) -> str:
    if text not in EXTRACT_NAMES:
        raise typer.BadParameter(f"{text!r} is none of {', '.join(EXTRACT_NAMES)}")
    return text


@app.callback()
def yumai() -> None:
    """The YUMAI database and its pipeline, on your own machine.

    Without YUMAI_DATABASE_URL, `yumai` runs its own PostgreSQL 17, with its files in `.yumai` in the current directory.
    Set YUMAI_HOME to another directory to use the same server from anywhere.

    Example: `yumai demo && yumai dev`
    """


@app.command()
def up() -> None:
    """Start the server and install the schema, or bring it up to date.

    Example: `yumai up && psql "$(yumai url)"`
    """
    settings = Settings()
    _start(settings)
    _install_schema(settings)


@app.command()
def down() -> None:
    """Stop the server. Committed data is kept.

    Example: `yumai down`
    """
    settings = Settings()
    if settings.database_url is not None:
        _fail(
            "YUMAI_DATABASE_URL names a server that yumai did not start and does not stop. Unset it to stop the "
            f"embedded server of {settings.home.resolve()}."
        )
    was_running = LocalServer(settings.home).status().running
    LocalServer(settings.home).stop()
    _out.print(f"The server of {settings.home.resolve()} {'is stopped' if was_running else 'was not running'}.")


@app.command()
def status() -> None:
    """Say whether the server runs, and where. The exit status is 0 when it runs, 3 when it is down.

    Example: `yumai status || yumai up`
    """
    settings = Settings()
    facts = {}
    running = True
    if settings.database_url is None:
        server = LocalServer(settings.home).status()
        running = server.running
        facts = {"home": str(settings.home.resolve()), "log": str(server.log_file)}
    try:
        facts |= _describe(_url(settings)) if running else {"server": "down"}
    except psycopg.OperationalError as error:
        running = False
        facts["server"] = "down: " + " ".join(str(error).split())
    for name in ("server", "database", "schema", "home", "log"):
        if name in facts:
            _out.print(f"{name:<10}{facts[name]}", markup=False)
    if not running:
        raise typer.Exit(DOWN)


@app.command()
def url() -> None:
    """Print the libpq URL of the database, with the password, and nothing else.

    Example: `psql "$(yumai url)"`
    """
    typer.echo(_url(Settings()))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def psql(context: typer.Context) -> None:
    """Open psql on the database. Arguments after `psql` are passed to it.

    Examples: `yumai psql`, `yumai psql -c 'select 1'`, `yumai psql -- --help`
    """
    path = str(program("psql"))
    os.execve(path, [path, *context.args], os.environ | _libpq_environment(_url(Settings())))


@app.command()
def demo(
    sessions: Annotated[int, typer.Option(min=1, help="How many sessions; each has four turns on average.")] = 5000,
    months: Annotated[int, typer.Option(min=1, help="Over how many months, the current one included.")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="Another seed makes another world.")] = 1,
    if_empty: Annotated[
        bool,
        typer.Option(
            "--if-empty",
            help="Take rows that are there as they are; run the pipeline if it never came to its end.",
        ),
    ] = False,
) -> None:
    """Fill an empty database with made-up people, shops and conversations, and run the whole pipeline over it.

    The exit status is 0 when every job succeeded and every check passed.

    Example: `yumai demo --sessions 200000 --months 24`
    """
    # Imported here because Dagster takes a second to load, and no other command needs it.
    from yumai_pipelines.demo.generate import Size
    from yumai_pipelines.demo.run import run_demo

    settings = Settings()
    _start(settings)
    refuse_foreign_history(settings)
    size = Size(sessions, months, seed)
    try:
        passed = run_demo(settings, size, until=datetime.now(UTC), console=_out, if_empty=if_empty)
    except KeyboardInterrupt:
        _out.print("Ended by Ctrl-C. `yumai demo --if-empty` goes on from here.")
        raise typer.Exit(INTERRUPTED) from None
    if not passed:
        raise typer.Exit(1)


@app.command()
def adopt(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")] = False,
    finish: Annotated[
        bool, typer.Option("--finish", help="Switch off what lets the older application write on.")
    ] = False,
) -> None:
    """Take over an older YUMAI database in place, while its application keeps writing to it.

    You can stop it at any time and run it again. `docs/adoption.md` describes each step.

    Examples: `yumai adopt --dry-run`, `yumai adopt`, and, once the older application is gone, `yumai adopt --finish`
    """
    # Imported here because Alembic takes half a second to load, and most commands do not need it.
    from yumai_pipelines import adoption

    if dry_run and finish:
        raise typer.BadParameter("--dry-run and --finish do not go together.")
    settings = Settings()
    if dry_run:
        inventory = adoption.inspect(_url(settings), settings)
        _out.print(inventory.in_words(), markup=False)
        raise typer.Exit(1 if inventory.refusals else 0)
    if finish:
        off = adoption.finish(_url(settings), settings, tell=_tell)
        _out.print(off.in_words(), markup=False)
        return
    report = adoption.adopt(_url(settings), settings, tell=_tell)
    _out.print(report.in_words(), markup=False)


@app.command()
def restore_month(
    month: Annotated[Month, typer.Argument(parser=_month, metavar="MONTH", help="The month, as in 2024-08.")],
) -> None:
    """Bring an archived month of the conversations back into the database, while the database stays in use.

    Rows that were deleted in the meantime do not come back. The month then stays in the database until a run is told
    to archive it again.

    Example: `yumai restore-month 2024-08`
    """
    # Imported here because Arrow takes a while to load, and no other command needs it.
    from yumai_pipelines.archives.restore import restore_month as restore
    from yumai_pipelines.schema.time_zone import refuse_other_zone

    settings = Settings()
    with connect(_url(settings), application_name="yumai: restore", zone=settings.timezone) as connection:
        refuse_other_zone(connection, settings.timezone)
        report = restore(connection, month, zone=settings.zone, policy=settings.lock_policy)
    _out.print(report.in_words(), markup=False)


@app.command()
def export(
    extract: Annotated[str, typer.Argument(parser=_extract, metavar="EXTRACT", help="The extract.")],
    path: Annotated[Path, typer.Argument(path_type=Path, help="The file, which ends in .parquet or .csv.")],
    month: Annotated[
        list[Month] | None,
        typer.Option(
            "--month",
            parser=_month,
            metavar="MONTH",
            help="A month, as in 2024-08; may be given again. Without it, all.",
        ),
    ] = None,
) -> None:
    """Write an extract, which is a monthly table for analysts, to a file.

    Example: `yumai export shop_performance shops.parquet --month 2024-08 --month 2024-09`
    """
    from yumai_pipelines.extracts.as_of import in_words
    from yumai_pipelines.extracts.reading import built_months
    from yumai_pipelines.extracts.reading import export as write

    url = _url(Settings())
    try:
        built = built_months(extract, months=month, url=url)
        rows = write(extract, path, months=month, url=url)
    except (ValueError, OSError) as error:
        _fail(str(error))
    _out.print(f"{rows:,} rows of {extract} are in {path}. {in_words(built)}", markup=False)


@app.command()
def dev(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the UI, on 127.0.0.1.")] = 3000,
) -> None:
    """Start the server, install the schema, and run the Dagster UI with its daemon until Ctrl-C.

    Example: `yumai dev --port 3100`
    """
    settings = Settings()
    _start(settings)
    _install_schema(settings)
    refuse_foreign_history(settings)
    _out.print("Dagster is starting …")
    serve(settings.home.resolve(), port, lambda url: _out.print(f"The Dagster UI is at {url} (Ctrl-C ends it)"))
    _out.print("Dagster has ended.")


def main() -> None:
    """Run `yumai`. An error that the user can correct is shown as one message, with exit status 1."""
    # A script starts background jobs with SIGINT ignored. Dagster ends its helper processes by SIGINT, and ignores
    # SIGTERM where SIGINT is ignored. Without this line, neither signal would end `yumai dev` and what it started.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        app()
    except ValidationError as error:
        _fail("\n".join(map(_explain, error.errors())))
    except (DatabaseError, LocalServerError, DevServerError) as error:
        _fail(str(error))
    except psycopg.Error as error:
        said = _explain_refusal(error)
        if said is None:
            raise
        _fail(said)


def _start(settings: Settings) -> None:
    if settings.database_url is not None:
        _out.print("The server is the one of YUMAI_DATABASE_URL; yumai neither starts nor stops it.")
        return
    server = LocalServer(settings.home).start()
    _out.print(f"PostgreSQL runs on 127.0.0.1:{server.port}, its data below {settings.home.resolve()}.")


def _install_schema(settings: Settings) -> None:
    # Imported here because Alembic takes half a second to load, and `yumai status` does not need it.
    from yumai_pipelines.schema.upgrade import upgrade

    report = upgrade(_url(settings), settings)
    ran = f"migrations {', '.join(report.migrations)} ran" if report.migrations else "nothing to do"
    _out.print(f"The schema is at revision {report.revision}: {ran}.")
    for difference in report.drift:
        _err.print(f"Unlike what the migrations make: {difference}", style="yellow", markup=False)
    for creator in report.creators:
        _err.print(str(creator), style="yellow", markup=False)
    _make_months(settings)


def _make_months(settings: Settings) -> None:
    """Make the months of the history and those to be kept ahead, but those that are archived."""
    from yumai_pipelines.partitions.ensure import archived_months, ensure_months

    with connect(_url(settings), application_name="yumai: months", zone=settings.timezone) as connection:
        wanted = [*settings.first.through(Month.of(datetime.now(UTC), settings.zone) + settings.months_ahead)]
        archived = archived_months(connection, settings.zone)
        reports = ensure_months(
            connection,
            [month for month in wanted if month not in archived],
            zone=settings.zone,
            policy=settings.lock_policy,
        )
    made = [report.month for report in reports if report.action != "recognized"]
    _out.print(f"The conversations have a partition for each month up to {wanted[-1]}: {_how_many(made)}.")


def _how_many(made: list[Month]) -> str:
    return f"{in_ranges(made)} made" if made else "nothing to do"


def _tell(step: object) -> None:
    _out.print(f"  {step}", markup=False)


def _url(settings: Settings) -> str:
    """Return the database's URL. Unlike `postgres.connections.database_url`, this does not start the server."""
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    return LocalServer(settings.home).url()


def _describe(url: str) -> dict[str, str]:
    with connect(url, application_name="yumai: status", role=None, read_only=True) as connection:
        info = connection.info
        standby = ", a standby, which takes no writes" if read_value(connection, "SELECT pg_is_in_recovery()") else ""
        try:
            schema = schema_revision(connection) or "not installed: run `yumai up`"
        except MissingRightsError as error:
            schema = f"installed. {error}"
        return {
            "server": f"PostgreSQL {info.parameter_status('server_version')} on {info.host}:{info.port}{standby}",
            "database": info.dbname,
            "schema": schema,
        }


def _libpq_environment(url: str) -> dict[str, str]:
    """Return the connection's parameters as libpq's environment variables.

    Every user can see the arguments of a process, but only its owner can see its environment.
    """
    variables = {option.keyword.decode(): option.envvar for option in Conninfo.get_defaults()}
    return {
        variable.decode(): str(value)
        for keyword, value in conninfo_to_dict(url).items()
        if (variable := variables[keyword]) is not None
    }


def _explain_refusal(error: psycopg.Error) -> str | None:
    """What to do about what PostgreSQL said; None of what only a fault of this program can cause."""
    if (ended := explain(error)) is not None:
        return f"{ended}\nRun it again: what is done stays done."
    if isinstance(error, psycopg.OperationalError):
        return (
            f"{str(error).strip()}\nYUMAI_DATABASE_URL says where the database is; without it, the embedded server is "
            "used."
        )
    if isinstance(error, psycopg.errors.InsufficientPrivilege | psycopg.errors.ReadOnlySqlTransaction):
        return (
            f"PostgreSQL refused: {str(error).strip()}\nThe login of YUMAI_DATABASE_URL must be one that may work as "
            f"{OWNER_ROLE}, on a server that takes writes."
        )
    return None


def _explain(error: ErrorDetails) -> str:
    """Say what is wrong with a setting, without its value, which may be a password."""
    return f"YUMAI_{str(error['loc'][0]).upper()}: {error['msg'].removeprefix('Value error, ')}"


def _fail(message: str) -> NoReturn:
    _err.print(f"yumai: {message}", style="red", markup=False)
    raise SystemExit(1)
