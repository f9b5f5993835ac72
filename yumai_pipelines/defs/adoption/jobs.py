"""The job that inspects and adopts an older database. `yumai_pipelines.adoption` does the work.

No schedule runs it: somebody launches it once, by hand.
"""

from collections.abc import Iterable
from typing import Any

import dagster as dg
from pydantic import Field

from yumai_pipelines.adoption import Action, Case, adopt, inspect
from yumai_pipelines.defs.limits import limit
from yumai_pipelines.defs.resources import PostgresResource
from yumai_pipelines.settings import Settings


class AdoptionConfig(dg.Config):
    """The options of an adoption. Launched as it stands, it changes nothing."""

    dry_run: bool = Field(default=True, description="Only look: say what would be done, and change nothing.")


@dg.op(name="adopt_older_database", tags={"document_section": "8.2"})
def _adopt(
    context: dg.OpExecutionContext,
    config: AdoptionConfig,
    postgres: PostgresResource,
    settings: dg.ResourceParam[Settings],
) -> None:
    """Say what kind of database this is and what adopting it would do, or adopt it."""
    if config.dry_run:
        context.add_output_metadata(_inventory(postgres, settings))
        context.log.info("Dry run, nothing was changed. Launch it with dry_run: false to adopt the database.")
        return
    report = adopt(
        postgres.login_url,
        settings,
        run_id=context.run_id,
        tell=lambda step: context.log.info(str(step)),
    )
    context.add_output_metadata(
        {
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


@dg.job(name="adopt_database", tags=limit("adopt_database"))
def adoption_job() -> None:
    """Turns an older YUMAI database into what a fresh install is, in place, while its application keeps writing.

    It is a dry run unless `dry_run` is switched off: it then says what kind of database this is, and what adopting it
    would do, with counts and samples, from one READ ONLY transaction. What the pipeline does not need stays as it is,
    and is accepted.

    An adoption is idempotent: it can be stopped at any time and run again. The older application can keep writing
    afterwards too, until `yumai adopt --finish`. The report is in the table `yumai_pipelines.adoption_report`, under
    the run's id.
    """
    _adopt()


def _inventory(postgres: PostgresResource, settings: Settings) -> dict[str, Any]:
    """Return what is found. The shape is `adopted` if the database is adopted, or was installed by these migrations."""
    inventory = inspect(postgres.login_url, settings)
    return {
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
