"""The command `yumai`: `main` runs a command, and turns errors that people can correct into one message.

Each module beside this has the commands of one purpose; `common`, what they have in common.
"""

from __future__ import annotations

import signal
from importlib.metadata import version as version_of
from typing import TYPE_CHECKING, Annotated

import psycopg
import typer
from pydantic import ValidationError

from yumai_pipelines.cli import reading, server, upkeep, watch
from yumai_pipelines.cli.common import fail, out, telling_next
from yumai_pipelines.local.server import LocalServerError
from yumai_pipelines.local.ui import DevServerError
from yumai_pipelines.postgres.connections import OWNER_ROLE
from yumai_pipelines.postgres.endings import explain
from yumai_pipelines.postgres.errors import DatabaseError
from yumai_pipelines.schema.bystanders import explain_theirs

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)

COMMANDS = (
    server.up, server.down, server.status, server.demo, server.dev,
    upkeep.check, upkeep.build, upkeep.repair, upkeep.erase, upkeep.restore_month, upkeep.adopt,
    upkeep.differences,
    reading.export, reading.report,
    watch.doctor, watch.alert,
)  # fmt: skip
"""The commands, in the order in which `yumai --help` lists them. Each returns what people usually do next."""


def _tell_version(asked: bool) -> None:
    if asked:
        out.print(f"yumai {version_of('yumai-pipelines')}")
        raise typer.Exit


@app.callback()
def yumai(
    _: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Print the version, and exit.")
    ] = False,
) -> None:
    """The YUMAI database and its pipeline, on your own machine.

    Without YUMAI_DATABASE_URL, `yumai` runs its own PostgreSQL 17, with its files in `.yumai` in the current directory.
    Set YUMAI_HOME to another directory to use the same server from anywhere.

    Example: `yumai demo && yumai dev`
    """


for _command in COMMANDS:
    app.command()(telling_next(_command))
# Programs read what the first prints, and the second becomes psql: what stands after it is for psql, also -h.
app.command()(server.url)
app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": ["--help"]}
)(server.psql)


def main() -> None:
    """Run `yumai`. An error that the user can correct is shown as one message, with exit status 1."""
    # A script starts background jobs with SIGINT ignored. Dagster ends its helper processes by SIGINT, and ignores
    # SIGTERM where SIGINT is ignored. Without this line, neither signal would end `yumai dev` and what it started.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        app()
    except ValidationError as error:
        fail("\n".join(map(_explain, error.errors())))
    except (DatabaseError, LocalServerError, DevServerError) as error:
        fail(str(error))
    except psycopg.Error as error:
        said = _explain_refusal(error)
        if said is None:
            raise
        fail(said)


def _explain_refusal(error: psycopg.Error) -> str | None:
    """What to do about what PostgreSQL said; None of what only a fault of this program can cause."""
    if (ended := explain(error)) is not None:
        return f"{ended}\nRun it again: what is done stays done."
    if isinstance(error, psycopg.OperationalError):
        return (
            f"{str(error).strip()}\nYUMAI_DATABASE_URL says where the database is; without it, the embedded server is "
            "used."
        )
    if (theirs := explain_theirs(error)) is not None:
        return theirs
    if isinstance(error, psycopg.errors.InsufficientPrivilege | psycopg.errors.ReadOnlySqlTransaction):
        return (
            f"PostgreSQL refused: {str(error).strip()}\nThe login of YUMAI_DATABASE_URL must be one that may work as "
            f"{OWNER_ROLE}, on a server that takes writes."
        )
    return None


def _explain(error: ErrorDetails) -> str:
    """Say what is wrong with a setting, without its value, which may be a password."""
    return f"YUMAI_{str(error['loc'][0]).upper()}: {error['msg'].removeprefix('Value error, ')}"
