"""An older database, looked at and taken over. How stands in `yumai_pipelines.adoption`.

Nothing else depends on these assets, and no schedule runs them: a person does, once.
"""

from collections.abc import Iterable

import dagster as dg

from yumai_pipelines.adoption import Case, adopt, inspect
from yumai_pipelines.defs.metadata import ENGINEERING, section
from yumai_pipelines.defs.resources import PostgresResource
from yumai_pipelines.settings import Settings

GROUP = "adoption"


@dg.asset(group_name=GROUP, kinds={"postgres"}, owners=[ENGINEERING], tags=section("8.2"))
def adoption_inventory(postgres: PostgresResource, settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult[None]:
    """What the database is, and what adopting it would do, with counts and samples. Changes nothing.

    One READ ONLY transaction. A database that is adopted, or was installed by these migrations, says so.
    """
    inventory = inspect(postgres.login_url, settings)
    return dg.MaterializeResult(
        metadata={
            "shape": inventory.shape or "no YUMAI database",
            "refusals": dg.MetadataValue.md(_bullets(inventory.refusals)),
            "owners": ", ".join(inventory.owners) or "yumai_pipeline",
            "cases": dg.MetadataValue.table(
                [
                    dg.TableRecord(
                        {
                            "table": case.relation,
                            "case": case.what,
                            "found": case.found,
                            "sample": ", ".join(case.sample),
                            "handling": case.handling,
                        }
                    )
                    for case in inventory.cases
                ],
                schema=dg.TableSchema.from_name_type_dict(
                    {"table": "string", "case": "string", "found": "int", "sample": "string", "handling": "string"}
                ),
            ),
            "missing_months": ", ".join(month.key for month in inventory.missing_months) or "none",
            "to_add_or_alter": len(inventory.differences),
            "differences": dg.MetadataValue.md(_bullets(inventory.differences)),
            "left_alone": dg.MetadataValue.md(_bullets(inventory.unknown)),
        }
    )


@dg.asset(
    group_name=GROUP, deps=[adoption_inventory], kinds={"postgres", "sql"}, owners=[ENGINEERING], tags=section("8.2")
)
def adoption(
    context: dg.AssetExecutionContext, postgres: PostgresResource, settings: dg.ResourceParam[Settings]
) -> dg.MaterializeResult[None]:
    """An older YUMAI database made what a fresh install is, in place, while its application goes on writing.

    Idempotent; it may be stopped anywhere and run again. The older application may write on afterwards too, until
    `yumai adopt --finish`. The report stands in `yumai_pipelines.adoption_report` under the run's id.
    """
    report = adopt(
        postgres.login_url,
        settings,
        run_id=context.run.run_id,
        tell=lambda step: context.log.info(str(step)),
    )
    return dg.MaterializeResult(
        metadata={
            "outcome": "nothing to do: adopted, or installed by these migrations" if not report.steps else "adopted",
            "shape": report.shape,
            "steps": len(report.steps),
            "longest_stop_of_writers_ms": max(
                (step.stopped_writers.total_seconds() * 1000 for step in report.steps), default=0.0
            ),
            "report": _report(report.cases, report.after),
            "left_alone": dg.MetadataValue.md(_bullets(report.unknown)),
        }
    )


ADOPTION_ASSETS = [adoption_inventory, adoption]


def _report(before: Iterable[Case], after: Iterable[Case]) -> dg.TableMetadataValue:
    left = {(case.what, case.relation): case.found for case in after}
    return dg.MetadataValue.table(
        [
            dg.TableRecord(
                {
                    "table": case.relation,
                    "case": case.what,
                    "before": case.found,
                    "after": left.get((case.what, case.relation), 0),
                    "handling": case.handling,
                }
            )
            for case in before
        ],
        schema=dg.TableSchema.from_name_type_dict(
            {"table": "string", "case": "string", "before": "int", "after": "int", "handling": "string"}
        ),
    )


def _bullets(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items) or "none"
