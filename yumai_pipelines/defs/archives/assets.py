"""The archived months of the conversations, as Dagster shows them. The job of `defs.archives.jobs` archives them."""

import dagster as dg

from yumai_pipelines.defs.metadata import ENGINEERING, asset_key, section
from yumai_pipelines.defs.months import ARCHIVED_MONTHS, accepting
from yumai_pipelines.model.registry import CONVERSATIONS

with accepting(dg.BetaWarning):
    archived_conversations = dg.AssetSpec(
        ["chatbot", "archived_conversations"],
        deps=[asset_key(CONVERSATIONS)],
        description="Past months of the conversations (see YUMAI_MONTHS_KEPT), as Parquet files instead of partitions. "
        "The job monthly_archive writes them, and `yumai restore-month` brings a month back. Rows whose session or "
        "user is deleted later stay in the file until the job erase_user removes that person's rows. Section 7.2 of "
        "the database document.",
        partitions_def=ARCHIVED_MONTHS,
        group_name="retention",
        kinds={"postgres", "parquet"},
        owners=[ENGINEERING],
        tags=section("7.2"),
    )
