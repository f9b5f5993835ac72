"""The months from which sessions were deleted, as Dagster shows them. The job of `defs.retention.jobs` deletes them."""

import dagster as dg

from yumai_pipelines.defs.extracts.assets import extracts
from yumai_pipelines.defs.metadata import ENGINEERING, section
from yumai_pipelines.defs.months import PURGED_MONTHS, accepting

with accepting(dg.BetaWarning):
    expired_sessions = dg.AssetSpec(
        ["chatbot", "expired_sessions"],
        deps=[*extracts.keys],
        description="The months whose sessions are deleted, with all rows that belong to them: the extracts stand for "
        "them. The job monthly_retention deletes them. Section 7.2 of the database document.",
        partitions_def=PURGED_MONTHS,
        group_name="retention",
        kinds={"postgres", "sql"},
        owners=[ENGINEERING],
        tags=section("7.2"),
    )
