"""The extracts as Delta tables, and the check that they are published as they are."""

import dagster as dg

from yumai_pipelines.defs.evaluations import result
from yumai_pipelines.defs.extracts.assets import extracts
from yumai_pipelines.defs.metadata import ANALYTICS, section
from yumai_pipelines.defs.months import DAILY, accepting
from yumai_pipelines.defs.resources import PostgresResource
from yumai_pipelines.extracts.publication import late_months, publish
from yumai_pipelines.integrity.findings import SAMPLE, Finding, Severity
from yumai_pipelines.settings import Settings

NOWHERE = "nowhere: YUMAI_EXTRACTS_URL is not set"

with accepting(dg.BetaWarning):
    _published = dg.asset(
        name="published",
        key_prefix="extracts",
        deps=[*extracts.keys],
        group_name="extracts",
        kinds={"postgres", "deltalake"},
        owners=[ANALYTICS],
        tags=section("3.3"),
        freshness_policy=DAILY,
    )


@_published
def published_extracts(
    context: dg.AssetExecutionContext, postgres: PostgresResource, settings: dg.ResourceParam[Settings]
) -> dg.MaterializeResult[None]:
    """A Delta table of each extract in YUMAI_EXTRACTS_URL, for DuckDB, Spark, Trino, Polars and Power BI.

    Whatever the months of the run, it publishes all months that are not published as they are in the database and have
    passed their checks: so the next run, of that day at the latest, finishes what a killed one has begun. Without the
    setting, it does nothing.
    """
    if settings.extracts_url is None:
        return dg.MaterializeResult(metadata={"published": NOWHERE})
    with postgres.connect("publish extracts") as connection:
        done = publish(connection, settings.extracts_url, settings.lock_policy)
    for late in done:
        context.log.info(f"{late.extract.relation} of {late.build.month:%Y-%m}: {late.build.number:,} rows published.")
    return dg.MaterializeResult(metadata={"published": len(done), "place": settings.extracts_url})


@dg.asset_check(asset=published_extracts.key)
def extracts_published(postgres: PostgresResource, settings: dg.ResourceParam[Settings]) -> dg.AssetCheckResult:
    """Each month of the extracts is published as it is in the database (YUMAI_EXTRACTS_URL)."""
    url = settings.extracts_url
    read = postgres.read("check publication", lambda reader: late_months(reader.connection, url) if url else [])
    late = read.value
    return result(
        Finding(
            subject="months of extracts that are not published as they are in the database",
            count=len(late),
            sample=[
                {
                    "extract": each.extract.relation.name,
                    "month": f"{each.build.month:%Y-%m}",
                    "published": "an older build" if each.published else "never",
                    "passed its checks": each.build.passed,
                }
                for each in late[:SAMPLE]
            ],
            cause="a run was broken off before it had published, or the months have not passed their checks, or the "
            "place was restored or changed by hand.",
            remedy="materialize extracts/published: it publishes all that are late and have passed their checks.",
            severity=Severity.WARN,
            metadata={"place": url or NOWHERE},
        ),
        read.source,
    )
