"""The job that repairs broken references. It is started by hand, with its own configuration.

The jobs that materialize assets are in `defs.schedules`.
"""

import dagster as dg
from pydantic import Field

from yumai_pipelines.defs.evaluations import table
from yumai_pipelines.defs.extracts.builder import build_changed
from yumai_pipelines.defs.limits import limit
from yumai_pipelines.defs.metadata import asset_key
from yumai_pipelines.defs.resources import PostgresResource
from yumai_pipelines.integrity.repair import Broken, Orphans, Repair, repair_orphans
from yumai_pipelines.settings import Settings


class RepairConfig(dg.Config):
    """The options of a repair."""

    dry_run: bool = Field(default=True, description="Only look: say what would be repaired, and change nothing.")
    orphans: Orphans = Field(
        default=Orphans.RECOVER,
        description="Rows whose session is gone: recover gives them one again, marked as recovered; quarantine moves "
        "them to yumai_pipelines.quarantine.",
    )
    broken: Broken = Field(
        default=Broken.AS_THE_KEY_SAYS,
        description="Rows that violate another foreign key: as_the_key_says empties a reference that is ON DELETE SET "
        "NULL, keeping the row as it was, and moves other rows to the quarantine; quarantine moves all of them.",
    )
    batch_rows: int = Field(default=1000, ge=1, description="Rows that one transaction repairs.")


@dg.op(name="repair_broken_references", tags={"document_section": "7.3"})
def _repair(
    context: dg.OpExecutionContext,
    config: RepairConfig,
    postgres: PostgresResource,
    settings: dg.ResourceParam[Settings],
) -> list[str] | None:
    """Give rows a session again, empty their broken references, or move them into the quarantine.

    Returns no month, since the changes of the logs say which extracts must be built again; after a dry run, None.
    """
    with postgres.connect("repair") as connection:
        repairs = repair_orphans(
            connection,
            run_id=context.run_id,
            dry_run=config.dry_run,
            orphans=config.orphans,
            broken=config.broken,
            batch_rows=config.batch_rows,
            policy=settings.lock_policy,
        )
    for each in repairs:
        context.log.info(_told(each))
        context.log_event(
            dg.AssetObservation(
                asset_key(each.key.table),
                description=_told(each),
                metadata={
                    "foreign_key": each.key.name,
                    "found": each.found,
                    "sample": table(each.sample),
                    "more_than_shown": each.found > len(each.sample),
                    **each.done,
                },
            )
        )
    context.add_output_metadata(
        {
            "dry_run": config.dry_run,
            "found": sum(each.found for each in repairs),
            "repairs": table(
                [
                    {
                        "table": str(each.key.table),
                        "foreign_key": each.key.name,
                        "found": each.found,
                        "action": str(each.action),
                        "done": _done(each),
                    }
                    for each in repairs
                ]
            ),
        }
    )
    return None if config.dry_run else []


def _told(repair: Repair) -> str:
    first = "; ".join(", ".join(f"{key} {value}" for key, value in row.items()) for row in repair.sample)
    return (
        f"{repair.key.name}: rows of {repair.key.table} that name no row of {repair.key.referenced}: {repair.found:,} "
        f"({first}{'; …' if repair.found > len(repair.sample) else ''}). {repair.action.capitalize()}: {_done(repair)}."
    )


def _done(repair: Repair) -> str:
    return ", ".join(f"{count:,} {what}" for what, count in repair.done.items()) or "not done, this is a dry run"


@dg.job(name="repair_orphans", tags=limit("repair_orphans"))
def repair_job() -> None:
    """Repairs rows that refer to something that is gone. It is a dry run unless `dry_run` is switched off.

    The rows get a session again, or are kept in yumai_pipelines.quarantine: nothing is deleted without being kept. The
    extracts whose logs it has changed are built again.
    """
    build_changed(_repair())
