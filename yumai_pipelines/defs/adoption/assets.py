"""The assets that inspect and adopt an older database. `yumai_pipelines.adoption` does the work.

No other asset depends on these, and no schedule runs them: somebody materializes them once, by hand.
"""

from collections.abc import Iterable

import dagster as dg

from yumai_pipelines.adoption import Action, Case, adopt, inspect
from yumai_pipelines.defs.metadata import ENGINEERING, section
from yumai_pipelines.defs.resources import PostgresResource
from yumai_pipelines.settings import Settings

GROUP = "adoption"


@dg.asset(group_name=GROUP, kinds={"postgres"}, owners=[ENGINEERING], tags=section("8.2"))
def adoption_inventory(postgres: PostgresResource, settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult[None]:
    """What kind of database this is, and what adopting it would do, with counts and samples. Nothing is changed.

    The inventory is taken in one READ ONLY transaction. Its shape is `adopted` if the database is already adopted, or
    was installed by these migrations.
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
            "made_or_changed": dg.MetadataValue.md(_bullets(inventory.of_action(Action.MAKE, Action.CHANGE))),
            "converted": dg.MetadataValue.md(_bullets(inventory.of_action(Action.CONVERT))),
            "stays_unlike_ours": dg.MetadataValue.md(_bullets(inventory.of_action(Action.KEEP))),
            "silent_triggers": dg.MetadataValue.md(_bullets(inventory.silent)),
            "unknown_foreign_keys": dg.MetadataValue.md(_bullets(inventory.referring)),
            "left_alone": dg.MetadataValue.md(_bullets(inventory.unknown)),
        }
    )


@dg.asset(
    group_name=GROUP, deps=[adoption_inventory], kinds={"postgres", "sql"}, owners=[ENGINEERING], tags=section("8.2")
)
def adoption(
    context: dg.AssetExecutionContext, postgres: PostgresResource, settings: dg.ResourceParam[Settings]
) -> dg.MaterializeResult[None]:
    """Turns an older YUMAI database into what a fresh install is, in place, while its application keeps writing.

    What the pipeline does not need stays as it is, and is accepted.

    This is idempotent: it can be stopped at any time and run again. The older application can keep writing afterwards
    too, until `yumai adopt --finish`. The report is in the table `yumai_pipelines.adoption_report`, under the run's id.
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
            "accepted": dg.MetadataValue.md(_bullets(map(str, report.accepted))),
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
