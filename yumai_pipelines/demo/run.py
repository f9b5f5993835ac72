"""`yumai demo`: installs the schema, makes the months, loads made-up rows, runs the pipeline and prints a summary."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from yumai_pipelines.demo.generate import generate
from yumai_pipelines.demo.load import NotEmptyError, fill, refuse_rows
from yumai_pipelines.demo.summary import show, summarize
from yumai_pipelines.extracts.user_key import user_key_secret
from yumai_pipelines.model.months import Month
from yumai_pipelines.partitions.ensure import ensure_months
from yumai_pipelines.postgres.connections import connect, database_url
from yumai_pipelines.postgres.errors import DatabaseError
from yumai_pipelines.postgres.transactions import carry_on
from yumai_pipelines.runs import Job, Run, have_run, run_jobs
from yumai_pipelines.schema.upgrade import upgrade

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from rich.console import Console

    from yumai_pipelines.demo.generate import Size
    from yumai_pipelines.postgres.connections import Connection
    from yumai_pipelines.settings import Settings


class TooManyMonthsError(DatabaseError):
    """The demonstration would begin before the first month of the database's history. Nothing was changed."""


def run_demo(settings: Settings, size: Size, *, until: datetime, console: Console, if_empty: bool = False) -> bool:
    """Fill an empty database, run the whole pipeline over all its months, and print a summary.

    Afterwards Dagster's instance below `YUMAI_HOME` shows every asset and every check. All rows are loaded in one
    transaction. If the pipeline was killed, run it again with `if_empty`.

    Args:
        settings: those of the environment, since Dagster's resources read the environment too.
        size: how much data to make.
        until: the present, which is in the last month. Must be aware.
        console: where to print progress and summary.
        if_empty: do not fill a database that has rows, and run the pipeline over it unless that has succeeded before.

    Returns:
        Whether every job succeeded and every check passed.

    Raises:
        NotEmptyError: the database has rows, or another demonstration is filling it.
        TooManyMonthsError: the demonstration would begin before YUMAI_FIRST_MONTH.
        UserKeySecretError: there is no secret for the users' pseudonyms in the extracts.
        KeyboardInterrupt: Ctrl-C. What was loaded stays, and its run is shown as canceled.
        SchemaError: the schema cannot be installed.
        LocalServerError: the embedded server cannot be started.
    """
    current = Month.of(until, settings.zone)
    _refuse_early_months(settings, size, current)
    months = [*settings.first.through(current + settings.months_ahead)]
    wanted = jobs(settings.first, current, settings.months_ahead)
    url = database_url(settings)
    upgrade(url, settings)
    # Asked now, since without it all would be loaded before the extracts, which come last, cannot be built.
    user_key_secret(settings, embedded=settings.database_url is None)
    with connect(url, application_name="yumai: demo", zone=settings.timezone) as connection:
        try:
            refuse_rows(connection)
        except NotEmptyError:
            if not if_empty:
                raise
            console.print("The database has rows, so no demonstration data is made.")
            if have_run(wanted, settings.home):
                return True
        else:
            carry_on(lambda: _make_months(url, settings, months))
            _fill(connection, settings, size, until, console)
        begun = time.monotonic()
        runs = _run_pipeline(settings, wanted, console)
        summary = summarize(connection, settings, months, current, runs)
    show(console, summary)
    console.print(
        f"The pipeline ran over {len(months)} months in {time.monotonic() - begun:.1f} s. "
        f"{'Nothing failed.' if summary.passed else 'Not everything passed.'}"
    )
    return summary.passed


def jobs(first: Month, current: Month, months_ahead: int) -> list[Job]:
    """Return the jobs in the order of the data's life. Extracts are built only for months that are over."""
    closed = [*first.through(current - 1)]
    return [
        Job("install_schema"),
        Job("monthly_partitions", [*first.through(current + months_ahead)]),
        *([Job("monthly_extracts", closed)] if closed else []),
        # The last, since it warns of months without extracts.
        Job("daily_upkeep"),
    ]


def _refuse_early_months(settings: Settings, size: Size, current: Month) -> None:
    first = current - (size.months - 1)
    if first < settings.first:
        fitting = len([*settings.first.through(current)])
        raise TooManyMonthsError(
            f"{size.months} months up to {current} begin in {first}, before YUMAI_FIRST_MONTH ({settings.first}). "
            f"Nothing was changed. Give at most {fitting} months, or set YUMAI_FIRST_MONTH to {first}."
        )


def _progress(console: Console) -> Progress:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, TimeElapsedColumn(), console=console)


def _make_months(url: str, settings: Settings, months: Sequence[Month]) -> None:
    with connect(url, application_name="yumai: demo", zone=settings.timezone) as connection:
        ensure_months(connection, months, zone=settings.zone, policy=settings.lock_policy)


def _fill(
    connection: Connection,
    settings: Settings,
    size: Size,
    until: datetime,
    console: Console,
) -> None:
    begun = time.monotonic()
    with _progress(console) as progress:
        task = progress.add_task("sessions made and loaded", total=size.sessions)
        chunks = generate(size, until=until, zone=settings.zone)
        counts = fill(connection, chunks, report=lambda chunk: progress.advance(task, chunk.sessions))
    console.print(
        f"{sum(counts.values()):,} rows in {len(counts)} tables were made and loaded in "
        f"{time.monotonic() - begun:.1f} s."
    )


def _run_pipeline(settings: Settings, wanted: Sequence[Job], console: Console) -> list[Run]:
    runs = []
    with _progress(console) as progress:
        task = progress.add_task("jobs run", total=len(wanted))
        for run in run_jobs(wanted, settings.home):
            runs.append(run)
            progress.advance(task)
    return runs
