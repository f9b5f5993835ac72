"""The commands that run the server and what is on it: the database, the demonstration, Dagster's UI."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated

import psycopg
import typer
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Conninfo

from yumai_pipelines.cli.common import (
    INTERRUPTED,
    fail,
    install_schema,
    months_to_be_made,
    out,
    start_server,
    stop,
    url_of,
)
from yumai_pipelines.local.server import LocalServer, program
from yumai_pipelines.local.ui import serve
from yumai_pipelines.postgres.connections import connect, schema_revision
from yumai_pipelines.postgres.dagster_database import refuse_foreign_history
from yumai_pipelines.postgres.errors import MissingRightsError
from yumai_pipelines.postgres.replicas import Replica, ReplicaError, replica_of
from yumai_pipelines.postgres.values import read_value
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from yumai_pipelines.postgres.connections import Connection

DOWN = 3
"""Exit status of `yumai status` when the server is down, the same as that of `systemctl status`."""


_MONTHS = """\
Months would be made: {months}. Each is a transaction of its own, which locks
    chatbot.conversations, and the tables to which it refers: ShareRowExclusive, nobody writes
    chatbot.conversations_default: AccessExclusive, nobody reads or writes"""


def up(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would run, and which locks it takes. Change nothing.")
    ] = False,
    before_deploy: Annotated[
        bool,
        typer.Option("--before-deploy", help="Leave out what is to run after the application is deployed."),
    ] = False,
) -> str:
    """Start the server, install the schema or bring it up to date, and make the months.

    Examples: `yumai up && psql "$(yumai url)"`, `yumai up --dry-run`
    """
    settings = Settings()
    if dry_run:
        # Imported here because Alembic takes half a second to load, and `yumai status` does not need it.
        from yumai_pipelines.schema.plan import plan

        planned = plan(url_of(settings), settings)
        out.print(planned.in_words(settings.lock_timeout_ms), markup=False)
        months = "those that have no partition" if planned.migrations else months_to_be_made(settings)
        if months:
            out.print(_MONTHS.format(months=months), markup=False)
        return "`yumai up` does it." if planned.migrations or planned.functions or months else "there is nothing to do."
    start_server(settings)
    install_schema(settings, before_deploy=before_deploy)
    if before_deploy:
        return "deploy the application, and then run `yumai up`."
    return "`yumai demo` fills it with made-up data; `yumai dev` serves Dagster's UI."


def down() -> str:
    """Stop the server. Committed data is kept.

    Example: `yumai down`
    """
    settings = Settings()
    if settings.database_url is not None:
        fail(
            "YUMAI_DATABASE_URL names a server that yumai did not start and does not stop. Unset it to stop the "
            f"embedded server of {settings.home.resolve()}."
        )
    was_running = LocalServer(settings.home).status().running
    LocalServer(settings.home).stop()
    out.print(f"The server of {settings.home.resolve()} {'is stopped' if was_running else 'was not running'}.")
    return "`yumai up` starts it again, with all data."


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")] = False,
) -> str:
    """Say whether the server runs, and where. The exit status is 0 when it runs, 3 when it is down.

    Examples: `yumai status || yumai up`, `yumai status --json | jq -r .schema`
    """
    settings = Settings()
    facts = {}
    running = True
    if settings.database_url is None:
        server = LocalServer(settings.home).status()
        running = server.running
        facts = {"home": str(settings.home.resolve()), "log": str(server.log_file)}
    try:
        facts |= _describe(settings) if running else {"server": "down"}
    except psycopg.OperationalError as error:
        running = False
        facts["server"] = "down: " + " ".join(str(error).split())
    if as_json:
        typer.echo(json.dumps({"running": running, **facts}, ensure_ascii=False))
    else:
        for name in ("server", "replica", "database", "schema", "home", "log"):
            if name in facts:
                out.print(f"{name:<10}{facts[name]}", markup=False)
    if as_json:
        following = ""
    elif not running:
        theirs = "start that server, or put right what it refuses: its database, or YUMAI_DATABASE_URL."
        following = "`yumai up` starts the embedded server." if settings.database_url is None else theirs
    elif "not installed" in facts["schema"]:
        following = "`yumai up` installs the schema."
    else:
        following = "`yumai check` looks at the data; `yumai dev` serves Dagster's UI."
    if not running:
        stop(DOWN, following)
    return following


def url() -> None:
    """Print the libpq URL of the database, with the password, and nothing else.

    Example: `psql "$(yumai url)"`
    """
    typer.echo(url_of(Settings()))


def psql(context: typer.Context) -> None:
    """Open psql on the database. Arguments after `psql` are passed to it.

    Examples: `yumai psql`, `yumai psql -c 'select 1'`, `yumai psql -- --help`
    """
    path = str(program("psql"))
    os.execve(path, [path, *context.args], os.environ | _libpq_environment(url_of(Settings())))


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
) -> str:
    """Fill an empty database with made-up people, shops and conversations, and run the whole pipeline over it.

    The exit status is 0 when every job succeeded and every check passed.

    Example: `yumai demo --sessions 200000 --months 24`
    """
    # Imported here because Dagster takes a second to load, and no other command needs it.
    from yumai_pipelines.demo.generate import Size
    from yumai_pipelines.demo.run import run_demo

    settings = Settings()
    start_server(settings)
    refuse_foreign_history(settings)
    size = Size(sessions, months, seed)
    try:
        passed = run_demo(settings, size, until=datetime.now(UTC), console=out, if_empty=if_empty)
    except KeyboardInterrupt:
        out.print("Ended by Ctrl-C.")
        stop(INTERRUPTED, "`yumai demo --if-empty` goes on from here.")
    if not passed:
        stop(1, "`yumai dev` shows the runs that failed; `yumai check` shows what is wrong now.")
    return "`yumai dev` serves Dagster's UI; `yumai report --open` shows the report of the last month."


def dev(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the UI, on 127.0.0.1.")] = 3000,
) -> str:
    """Start the server, install the schema, and run the Dagster UI with its daemon until Ctrl-C.

    Example: `yumai dev --port 3100`
    """
    settings = Settings()
    start_server(settings)
    install_schema(settings)
    refuse_foreign_history(settings)
    out.print("Dagster is starting …")
    serve(settings.home.resolve(), port, lambda url: out.print(f"The Dagster UI is at {url} (Ctrl-C ends it)"))
    out.print("Dagster has ended.")
    return "`yumai down` stops PostgreSQL, which still runs." if settings.database_url is None else "`yumai dev` again."


def _describe(settings: Settings) -> dict[str, str]:
    opened = partial(connect, application_name="yumai: status", role=None, read_only=True)
    with opened(url_of(settings)) as connection:
        info = connection.info
        standby = ", a standby, which takes no writes" if read_value(connection, "SELECT pg_is_in_recovery()") else ""
        try:
            schema = schema_revision(connection) or "not installed: run `yumai up`"
        except MissingRightsError as error:
            schema = f"installed. {error}"
        replica = replica_of(settings)
        return {
            "server": f"PostgreSQL {info.parameter_status('server_version')} on {info.host}:{info.port}{standby}",
            "database": info.dbname,
            "schema": schema,
        } | ({"replica": _described(replica, connection, opened)} if replica else {})


def _described(replica: Replica, primary: Connection, opened: Callable[[str], Connection]) -> str:
    try:
        found = replica.read(primary, opened, lambda reader: reader.connection.info.parameter_status("server_version"))
    except ReplicaError as error:
        return f"not read: {error}"
    return f"PostgreSQL {found.value}, {found.source.server.removeprefix('the ')}, {found.source.behind} bytes behind"


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
