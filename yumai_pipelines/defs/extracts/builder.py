"""Builds months of the extracts in a run: of the extracts themselves, or of a job that has changed the logs."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import dagster as dg

from yumai_pipelines.defs.metadata import asset_key
from yumai_pipelines.defs.resources import PostgresResource, UserKeys
from yumai_pipelines.extracts.build import Privacy, Summaries, build_months
from yumai_pipelines.extracts.changes import changed_months
from yumai_pipelines.extracts.proof import prove
from yumai_pipelines.extracts.publication import publish
from yumai_pipelines.model.calendar import spans
from yumai_pipelines.model.entries import Extract
from yumai_pipelines.model.months import Month
from yumai_pipelines.model.registry import EXTRACTS
from yumai_pipelines.settings import Settings


@dataclass(frozen=True)
class Builder:
    """Builds months of the extracts with what a run has been given.

    Attributes:
        context: the context of the run's asset or op.
        postgres: the database.
        settings: the settings.
        user_keys: the secrets of the pseudonyms.
    """

    context: dg.AssetExecutionContext | dg.OpExecutionContext
    postgres: PostgresResource
    settings: Settings
    user_keys: UserKeys

    def build(self, months: Sequence[Month], extracts: Sequence[Extract] = EXTRACTS) -> Summaries:
        """Build adjoining months, on as many connections as the settings allow.

        Raises:
            DatabaseError: a month is purged; another build goes on for too long; there is no secret.
        """
        privacy = Privacy(self.user_keys.secret, self.settings.min_group_users)
        with ExitStack() as stack:
            connections = [
                stack.enter_context(self.postgres.connect("build extracts"))
                for _ in range(min(self.settings.build_connections, len(months)))
            ]
            return build_months(
                connections,
                extracts,
                months,
                self.settings.zone,
                privacy,
                self.settings.lock_policy,
                run_id=self.context.run.run_id,
            )

    def build_and_prove(self, first: Month, last: Month) -> None:
        """Build the months from the first to the last, prove them as their checks do, and report them to Dagster.

        Raises:
            DatabaseError: as `build`.
        """
        months = list(first.through(last))
        summaries = self.build(months)
        with self.postgres.connect("prove extracts") as connection:
            prove(connection, EXTRACTS, months, self.settings.zone)
        for extract in EXTRACTS:
            for month, summary in zip(months, summaries[extract.relation.name], strict=True):
                self.context.log_event(
                    dg.AssetMaterialization(
                        asset_key(extract.relation), partition=month.partition_key, metadata=metadata_of(summary)
                    )
                )

    def build_changed(self, also: Sequence[Month] = ()) -> list[Month]:
        """Build the months whose logs have changed since they were built, and others; return all of them.

        Raises:
            DatabaseError: as `build`.
        """
        with self.postgres.connect("find changed months") as connection:
            months = changed_months(connection, also)
        for first, last in spans(months):
            self.build_and_prove(first, last)
        return months


def metadata_of(summary: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata of a month of an extract, as it was built."""
    return {
        "dagster/partition_row_count" if name == "rows" else name: value
        for name, value in summary.items()
        if name != "month"
    }


@dg.op(
    name="build_changed_extracts",
    ins={
        "months": dg.In(
            description="Months to build whether or not they have changed, as in 2024-08; None after a dry run, which "
            "is to change nothing."
        )
    },
    tags={"document_section": "3.3"},
)
def build_changed(
    context: dg.OpExecutionContext,
    months: list[str] | None,
    postgres: PostgresResource,
    settings: dg.ResourceParam[Settings],
    user_keys: dg.ResourceParam[UserKeys],
) -> None:
    """Build the months of the extracts whose logs have changed since they were built, except purged months.

    What is published of the extracts is replaced at once, so that a person who was erased is gone from the files too.
    """
    if months is None:
        context.add_output_metadata({"built": "none: this is a dry run"})
        return
    built = Builder(context, postgres, settings, user_keys).build_changed([Month.parse(month) for month in months])
    if settings.extracts_url is not None:
        with postgres.connect("publish extracts") as connection:
            publish(connection, settings.extracts_url, settings.lock_policy)
    context.add_output_metadata({"built": ", ".join(map(str, built)) or "none: every month is of the logs as they are"})
