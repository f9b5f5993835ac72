"""Helpers that build the extracts of a few months in a test's database."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from psycopg import sql
from pydantic import SecretStr

from yumai_pipelines.extracts.build import Privacy, build_months
from yumai_pipelines.model.lock_policy import LockPolicy
from yumai_pipelines.model.months import Month
from yumai_pipelines.model.registry import EXTRACTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support import Connection
    from yumai_pipelines.model.entries import Extract
    from yumai_pipelines.model.relations import Relation

ZONE = ZoneInfo("Asia/Seoul")
MONTHS = tuple(Month(2024, 11).through(Month(2025, 2)))
SECRET = "of the tests, which nobody has to guess".rjust(64)
POLICY = LockPolicy(timedelta(milliseconds=100), timedelta(seconds=20))


def as_text(connection: Connection, relation: Relation) -> list[str]:
    """Return the rows of a table as text, always in the same order."""
    query = sql.SQL("SELECT t::text FROM {} AS t ORDER BY 1").format(relation.identifier)
    return [row for (row,) in connection.execute(query)]


def build(
    connection: Connection,
    months: Sequence[Month] = MONTHS,
    *,
    extracts: Sequence[Extract] = EXTRACTS,
    minimum: int = 1,
    secret: str = SECRET,
    run_id: str | None = None,
) -> dict[str, list[dict[str, Any]]]:
    """Build months of the extracts as a run does."""
    privacy = Privacy(SecretStr(secret), minimum)
    return build_months([connection], extracts, months, ZONE, privacy, POLICY, run_id=run_id)
