"""The asset that installs or upgrades the schema. `yumai_pipelines.schema` does the work."""

import dagster as dg

from yumai_pipelines.defs.metadata import ENGINEERING, section
from yumai_pipelines.defs.resources import PostgresResource
from yumai_pipelines.schema.upgrade import upgrade
from yumai_pipelines.settings import Settings


@dg.asset(
    group_name="schema",
    kinds={"postgres", "sql"},
    owners=[ENGINEERING],
    tags=section("2"),
)
def schema(postgres: PostgresResource, settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult[None]:
    """The YUMAI schema: tables, functions, roles and extensions, installed or brought up to date.

    Migrations run forward only, in one transaction, under an advisory lock: of two runs at once, the second waits for
    the first. If the server has no uuid-ossp, `uuid_generate_v4()` calls `gen_random_uuid()`. Section 2 of the database
    document.
    """
    report = upgrade(postgres.login_url, settings)
    return dg.MaterializeResult(
        metadata={
            "server_version": report.server_version,
            "revision": report.revision,
            "migrations": ", ".join(report.migrations) or "nothing to do",
            "functions_changed": ", ".join(report.functions) or "nothing to do",
            "extensions": ", ".join(f"{name} {version}" for name, version in report.extensions.items()),
            "uuid_generate_v4": "made by gen_random_uuid(): the server has no uuid-ossp"
            if report.uuid_stand_in
            else "uuid-ossp",
            "drift": len(report.drift),
            "may_create": dg.MetadataValue.md(
                "\n".join(f"- {each}" for each in report.creators) or "only the pipeline"
            ),
            "drifted": dg.MetadataValue.md("\n".join(f"- {each}" for each in report.drift) or "nothing"),
            "accepted": len(report.accepted),
            "accepted_differences": dg.MetadataValue.md("\n".join(f"- {each}" for each in report.accepted) or "none"),
        }
    )
