"""The job that removes a person's data. It is started by hand, with its own configuration."""

from collections.abc import Iterable
from datetime import date

import dagster as dg
from pydantic import Field

from yumai_pipelines.archives.store import Store
from yumai_pipelines.defs.extracts.builder import build_changed
from yumai_pipelines.defs.limits import limit
from yumai_pipelines.defs.resources import PostgresResource, UserKeys
from yumai_pipelines.erasure.erase import Erasure, beyond_reach, erase_user, preview_erasure
from yumai_pipelines.settings import Settings


class ErasureConfig(dg.Config):
    """The person to erase, by one of the two ids, and the reason."""

    dry_run: bool = Field(default=True, description="Only look: say what would go, and change nothing.")

    user_id: int | None = Field(default=None, description="chatbot.users.id. Rather this one: it names nobody.")
    external_user_id: str | None = Field(
        default=None, description="chatbot.users.external_user_id; the run's own record keeps it."
    )
    reason: str = Field(description="Why, in words that name nobody; kept in yumai_pipelines.erasures.")


@dg.op(name="erase_data_of_user", tags={"document_section": "4.3"})
def _erase(
    context: dg.OpExecutionContext,
    config: ErasureConfig,
    postgres: PostgresResource,
    settings: dg.ResourceParam[Settings],
    archive: dg.ResourceParam[Store],
    user_keys: dg.ResourceParam[UserKeys],
) -> list[str] | None:
    """Remove a person's data from the archived months and the database, and record that this was done.

    Returns the months of the extracts that must be built again; after a dry run, None.
    """
    with postgres.working("erase a user") as connection:
        if config.dry_run:
            erasure = preview_erasure(
                connection,
                reason=config.reason,
                zone=settings.zone,
                user_key_secrets=lambda: user_keys.all_secrets,
                user_id=config.user_id,
                external_user_id=config.external_user_id,
            )
            context.log.info(
                "Dry run, nothing was changed. The files of archived months were not searched. Launch it with dry_run: "
                "false to erase the person, which cannot be undone."
            )
            context.add_output_metadata(
                {"dry_run": True, **erasure.counts, "extracts": _listed(erasure.months) or "none counts the person"}
            )
            return None
        erasure = erase_user(
            connection,
            reason=config.reason,
            run_id=context.run_id,
            zone=settings.zone,
            user_key_secrets=lambda: user_keys.all_secrets,
            store=archive,
            policy=settings.lock_policy,
            user_id=config.user_id,
            external_user_id=config.external_user_id,
        )
    context.log.info(_advice(erasure))
    context.add_output_metadata({**erasure.counts, "extracts": _advice(erasure)})
    return [f"{month:%Y-%m}" for month in erasure.months]


def _advice(erasure: Erasure) -> str:
    said = [
        f"The extracts of {_listed(erasure.months)} still count the person: those that are not purged are built again."
        if erasure.months
        else "No extract counts the person."
    ]
    if erasure.out_of_reach:
        said.append(beyond_reach(erasure))
    return " ".join(said)


def _listed(months: Iterable[date]) -> str:
    return ", ".join(f"{month:%Y-%m}" for month in months)


@dg.job(name="erase_user", tags=limit("erase_user"))
def erasure_job() -> None:
    """Removes a person's data from the archived months and the database. Orders and reviews stay, without the person.

    It is a dry run unless `dry_run` is switched off: it then counts the rows that would go, and changes nothing.

    The table yumai_pipelines.erasures records that this was done, when and why, but not for whom. The extracts that
    counted the person are built again, except those of purged months, which keep their sums.
    """
    build_changed(_erase())
