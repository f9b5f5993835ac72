"""The checks that each materialized view is fresh, and holds what it selected at its last refresh."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from yumai_pipelines.defs.evaluations import result
from yumai_pipelines.defs.metadata import asset_key
from yumai_pipelines.defs.resources import PostgresResource
from yumai_pipelines.integrity.findings import SAMPLE, Finding, Severity
from yumai_pipelines.model.entries import View
from yumai_pipelines.model.registry import VIEWS
from yumai_pipelines.model.relations import Relation
from yumai_pipelines.postgres.replicas import Reader
from yumai_pipelines.views.completeness import list_differences, refreshed_at

STALE_AFTER = timedelta(hours=26)
"""The age at which a view is stale. It is refreshed daily, and two hours are allowed for a run that has to wait."""


def view_checks(view: View) -> list[dg.AssetChecksDefinition]:
    """Make the checks of one view. Their failures are warnings."""
    relation, key = view.relation, asset_key(view.relation)
    hours = f"{STALE_AFTER / timedelta(hours=1):g}"

    @dg.asset_check(
        asset=key,
        description=f"{relation} was refreshed within the last {hours} hours: the schedule does it daily.",
    )
    def is_fresh(postgres: PostgresResource) -> dg.AssetCheckResult:
        read = postgres.read(
            f"check freshness of {relation.name}", lambda reader: refreshed_at(reader.connection, relation)
        )
        return result(freshness(relation, read.value, datetime.now(UTC)), read.source)

    @dg.asset_check(
        asset=key,
        description=f"{relation} holds exactly the rows that it selected at its last refresh. A warning, not an error: "
        "what was written or deleted since then is found here until the next refresh.",
    )
    def is_complete(postgres: PostgresResource) -> dg.AssetCheckResult:
        read = postgres.read(f"check completeness of {relation.name}", compare)
        return result(completeness(relation, *read.value), read.source)

    def compare(reader: Reader) -> tuple[datetime | None, Sequence[dict[str, Any]]]:
        as_of = refreshed_at(reader.connection, relation)
        return as_of, list_differences(reader.connection, relation, as_of, SAMPLE) if as_of else []

    return [is_fresh, is_complete]


def freshness(view: Relation, as_of: datetime | None, now: datetime) -> Finding:
    """Report whether the last refresh of a view is too long ago."""
    hours = round((now - as_of) / timedelta(hours=1), 2) if as_of else None
    stale = as_of is None or now - as_of > STALE_AFTER
    return Finding(
        subject=f"views staler than {STALE_AFTER / timedelta(hours=1):g} hours: {view} "
        + (f"was refreshed {hours} hours ago" if as_of else "was never refreshed"),
        count=int(stale),
        cause="the schedule of daily_upkeep is off, or its runs have failed.",
        remedy=_refresh(view),
        severity=Severity.WARN,
        metadata={"as_of": str(as_of), "hours": hours},
    )


def completeness(view: Relation, as_of: datetime | None, differences: Sequence[dict[str, Any]]) -> Finding:
    """Report whether a view holds the rows that it should."""
    if as_of is None:
        return Finding(
            subject=f"views without data: {view} was never refreshed",
            count=1,
            cause="it was made or refreshed WITH NO DATA, or restored from a dump of the schema alone.",
            remedy=_refresh(view),
            severity=Severity.WARN,
        )
    return Finding(
        subject=f"rows in which {view} differs from what it selects as of its refresh, {as_of}",
        count=differences[0]["total"] if differences else 0,
        sample=[{key: value for key, value in row.items() if key != "total"} for row in differences],
        cause="rows that it selects were written, changed or deleted after the refresh.",
        remedy=_refresh(view),
        severity=Severity.WARN,
        metadata={"as_of": str(as_of)},
    )


def _refresh(view: Relation) -> str:
    return f"materialize {'/'.join(asset_key(view).path)}."


VIEW_CHECKS = [check for view in VIEWS for check in view_checks(view)]
