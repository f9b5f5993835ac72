"""Makes all examinations, of the database and of what Dagster has done. It changes nothing and starts no server."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psycopg

from yumai_pipelines.definitions import defs
from yumai_pipelines.defs.watch.examinations import DAGSTER_EXAMINATIONS, Subject
from yumai_pipelines.defs.watch.trouble import View
from yumai_pipelines.health.examination import Complaint, Outcome, Patient, Result, advice, examine
from yumai_pipelines.health.registry import DATABASE_EXAMINATIONS
from yumai_pipelines.local.server import LocalServer, LocalServerError
from yumai_pipelines.postgres.connections import connect
from yumai_pipelines.postgres.dagster_database import find_history, refuse_foreign_history
from yumai_pipelines.postgres.errors import DatabaseError
from yumai_pipelines.runs import open_instance

if TYPE_CHECKING:
    from collections.abc import Iterator

    from yumai_pipelines.settings import Settings


def examine_all(settings: Settings) -> Iterator[Result]:
    """Make each examination. Where the server does not answer, that is the only one."""
    try:
        connection = connect(
            _url(settings), application_name="yumai: doctor", role=None, read_only=True, zone=settings.timezone
        )
    except (psycopg.OperationalError, DatabaseError, LocalServerError) as error:
        said = " ".join(str(error).split())
        complaint = Complaint(
            f"The server cannot be used: {said}",
            "Start it (`yumai up` the embedded one), or put YUMAI_DATABASE_URL right.",
        )
        yield Result("server", "a PostgreSQL 16 or newer that takes writes", Outcome("no answer", [complaint]))
        return
    with connection:
        patient = Patient(connection, settings)
        yield from examine(DATABASE_EXAMINATIONS, patient)
        yield from _examine_dagster(patient)


def _examine_dagster(patient: Patient) -> Iterator[Result]:
    """Examine Dagster, if it was ever here. Its database is not made for that."""
    settings = patient.settings
    if find_history(settings) is None:
        complaint = advice(
            "Dagster has never run on this database: no schedule ticks.",
            "Start it: `yumai dev`, or see docs/deploy.md.",
        )
        yield Result("daemon", "dagster-daemon works", Outcome("never", [complaint]))
        return
    refuse_foreign_history(settings)
    with open_instance(settings.home) as instance:
        view = View(instance, defs.get_repository_def(), datetime.now(UTC))
        yield from examine(DAGSTER_EXAMINATIONS, Subject(view, patient))


def _url(settings: Settings) -> str:
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    return LocalServer(settings.home).url()
