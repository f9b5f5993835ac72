"""The check that the schema is what the migrations make."""

import dagster as dg

from yumai_pipelines.defs.evaluations import result
from yumai_pipelines.defs.resources import PostgresResource
from yumai_pipelines.defs.schema.assets import schema
from yumai_pipelines.integrity.findings import SAMPLE, Finding, Severity
from yumai_pipelines.schema.upgrade import drift


@dg.asset_check(asset=schema)
def schema_has_no_drift(postgres: PostgresResource) -> dg.AssetCheckResult:
    """Tables, constraints, indexes, functions and grants are what this version's migrations make.

    A difference is a warning, because a change that was made by hand may be intended.
    """
    with postgres.connect("check drift") as connection:
        differences = drift(connection)
    return result(
        Finding(
            subject="objects that differ from what the migrations make",
            count=len(differences),
            sample=[{"difference": str(each)} for each in differences[:SAMPLE]],
            cause="somebody changed the schema by hand, or the database was upgraded by another version.",
            remedy="write a migration that makes what is wanted, or undo it by hand. Materializing schema puts "
            "functions right.",
            severity=Severity.WARN,
        )
    )


SCHEMA_CHECKS = [schema_has_no_drift]
