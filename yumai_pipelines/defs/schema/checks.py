"""The checks of the database as a whole: what is in it, who may make more, and what time it has."""

from datetime import timedelta

import dagster as dg
from psycopg import sql

from yumai_pipelines.defs.evaluations import result
from yumai_pipelines.defs.resources import PostgresResource
from yumai_pipelines.defs.schema.assets import schema
from yumai_pipelines.integrity.findings import SAMPLE, Block, Finding, Severity
from yumai_pipelines.postgres.clocks import server_ahead
from yumai_pipelines.schema.differences import drift
from yumai_pipelines.schema.upgrade import list_creators

CLOCKS_MAY_DIFFER_BY = timedelta(minutes=1)


@dg.asset_check(asset=schema)
def schema_has_no_drift(postgres: PostgresResource) -> dg.AssetCheckResult:
    """Tables, constraints, indexes, functions and grants are what this version's migrations make.

    A difference is a warning, because a change that was made by hand may be intended. One that was accepted, by an
    adoption or by a person, is none until the object changes again.
    """
    read = postgres.read("check drift", lambda reader: drift(reader.connection))
    differences = read.value
    return result(
        Finding(
            subject="objects that differ from what the migrations make",
            count=len(differences),
            sample=[{"difference": str(each)} for each in differences[:SAMPLE]],
            cause="somebody changed the schema by hand, or the database was upgraded by another version.",
            remedy="write a migration that makes what is wanted, undo it by hand, or accept it: yumai differences "
            "--accept OBJECT --why REASON. Materializing schema puts functions right, and triggers that note changes.",
            severity=Severity.WARN,
        ),
        read.source,
    )


@dg.asset_check(asset=schema)
def only_the_pipeline_creates(postgres: PostgresResource) -> dg.AssetCheckResult:
    """Nobody but the pipeline may create objects in the schemas in which clients and functions find names.

    A warning: the pipeline itself looks in pg_catalog alone, but the chatbot's connections do not.
    """
    read = postgres.read("check who creates", lambda reader: list_creators(reader.connection))
    creators = read.value
    return result(
        Finding(
            subject="roles that may create objects in YUMAI's schemas, besides the pipeline",
            count=len(creators),
            sample=[{"schema": each.schema, "role": each.role} for each in creators[:SAMPLE]],
            cause="the database comes from before PostgreSQL 15, which let all create in public; or it was granted.",
            remedy="revoke it: a function that is made there can run with the rights of whoever calls it.",
            blocks=[
                Block.of(
                    f"revoke it from {each.role} in {each.schema}",
                    sql.SQL("REVOKE CREATE ON SCHEMA {} FROM {}")
                    .format(
                        sql.Identifier(each.schema),
                        sql.SQL("PUBLIC") if each.role == "PUBLIC" else sql.Identifier(each.role),
                    )
                    .as_string(),
                )
                for each in creators
            ],
            severity=Severity.WARN,
        ),
        read.source,
    )


@dg.asset_check(asset=schema)
def clocks_agree(postgres: PostgresResource) -> dg.AssetCheckResult:
    """The server's clock, which dates rows, is that of the pipeline, by which schedules tick, up to a minute.

    A warning: no row is lost or counted twice. At the end of a month, rows count in the month of the server's clock.
    Months are archived and purged when it is time by both clocks.
    """
    with postgres.connect("compare clocks") as connection:
        ahead = server_ahead(connection)
    return result(
        Finding(
            subject=f"seconds by which the server's clock is {'ahead of' if ahead > timedelta(0) else 'behind'} the "
            "pipeline's",
            count=round(abs(ahead).total_seconds()),
            limit=round(CLOCKS_MAY_DIFFER_BY.total_seconds()),
            cause="one of the two machines does not keep its time by NTP, or it was put right a moment ago.",
            remedy="have both keep their time by NTP. If the pipeline's clock was ahead, its schedules tick again when "
            "the time to which they had come is over; launch their jobs by hand until then.",
            severity=Severity.WARN,
        )
    )


SCHEMA_CHECKS = [schema_has_no_drift, only_the_pipeline_creates, clocks_agree]
