"""The jobs that people start by hand, with a configuration of their own. Those of assets stand in `schedules`."""

from collections.abc import Iterable
from datetime import date

import dagster as dg
from pydantic import Field

from yumai_pipelines.archives.store import Store
from yumai_pipelines.assets.tables import asset_key
from yumai_pipelines.checks.findings import table
from yumai_pipelines.erasure import Erasure, erase_user
from yumai_pipelines.repair import Broken, Orphans, Repair, repair_orphans
from yumai_pipelines.resources import PostgresResource


class RepairConfig(dg.Config):
    """How to repair."""

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


class ErasureConfig(dg.Config):
    """Whom to forget, by one of the two ids, and why."""

    user_id: int | None = Field(default=None, description="chatbot.users.id. Rather this one: it names nobody.")
    external_user_id: str | None = Field(
        default=None, description="chatbot.users.external_user_id; the run's own record keeps it."
    )
    reason: str = Field(description="Why, in words that name nobody; kept in yumai_pipelines.erasures.")


@dg.op(name="repair_broken_references", tags={"document_section": "7.3"})
def _repair(context: dg.OpExecutionContext, config: RepairConfig, postgres: PostgresResource) -> None:
    """Give rows without a session one again, or keep whole rows in quarantine."""
    with postgres.connect("repair") as connection:
        repairs = repair_orphans(
            connection,
            run_id=context.run_id,
            dry_run=config.dry_run,
            orphans=config.orphans,
            broken=config.broken,
            batch_rows=config.batch_rows,
            policy=postgres.settings.lock_policy,
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


def _told(repair: Repair) -> str:
    first = "; ".join(", ".join(f"{key} {value}" for key, value in row.items()) for row in repair.sample)
    return (
        f"{repair.key.name}: rows of {repair.key.table} that name no row of {repair.key.referenced}: {repair.found:,} "
        f"({first}{'; …' if repair.found > len(repair.sample) else ''}). {repair.action.capitalize()}: {_done(repair)}."
    )


def _done(repair: Repair) -> str:
    return ", ".join(f"{count:,} {what}" for what, count in repair.done.items()) or "not done, this is a dry run"


@dg.op(name="erase_data_of_user", tags={"document_section": "4.3"})
def _erase(context: dg.OpExecutionContext, config: ErasureConfig, postgres: PostgresResource) -> None:
    """Remove a person's data, wherever it stands, and note that it was done."""
    with postgres.connect("erase a user") as connection:
        erasure = erase_user(
            connection,
            reason=config.reason,
            run_id=context.run_id,
            zone=postgres.settings.zone,
            user_key_secrets=lambda: postgres.user_key_secrets,
            store=Store.at(postgres.settings.archive),
            policy=postgres.settings.lock_policy,
            user_id=config.user_id,
            external_user_id=config.external_user_id,
        )
    context.log.info(_advice(erasure))
    context.add_output_metadata({**erasure.counts, "build_anew": _advice(erasure)})


def _advice(erasure: Erasure) -> str:
    said = [
        f"Build the extracts of {_listed(erasure.months)} anew: they still count the person."
        if erasure.months
        else "No extract counts the person."
    ]
    if erasure.out_of_reach:
        said.append(
            f"recommendation_outcomes of {_listed(erasure.out_of_reach)} has pseudonyms under a secret that is not "
            "known, and cannot be built anew: run this again by user_id, with that secret in "
            "YUMAI_PREVIOUS_USER_KEY_SECRETS."
        )
    return " ".join(said)


def _listed(months: Iterable[date]) -> str:
    return ", ".join(f"{month:%Y-%m}" for month in months)


@dg.job(name="repair_orphans")
def repair_job() -> None:
    """Repairs rows that refer to something that is gone; a dry run, unless it is told otherwise.

    They get a session again, or are kept in yumai_pipelines.quarantine: nothing is deleted that is not kept.
    """
    _repair()


@dg.job(name="erase_user")
def erasure_job() -> None:
    """Removes a person's data from the archived months and the database; orders and reviews stay, without the person.

    Notes in yumai_pipelines.erasures that it was done, when and why, and not for whom.
    """
    _erase()


OPERATIONS = [repair_job, erasure_job]
