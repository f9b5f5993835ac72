"""Materialized views: refreshed while they are read, with a record of when."""

import time

import dagster as dg

from yumai_pipelines.defs.metadata import ENGINEERING, asset_key, relation_metadata, section
from yumai_pipelines.defs.partitions.assets import conversations
from yumai_pipelines.defs.resources import PostgresResource
from yumai_pipelines.model.registry import RECENT_CONVERSATIONS
from yumai_pipelines.views.refresh import refresh


@dg.asset(
    key=asset_key(RECENT_CONVERSATIONS),
    deps=[conversations],
    group_name="chatbot",
    kinds={"postgres", "view"},
    owners=[ENGINEERING],
    tags=section("7.1"),
    metadata=relation_metadata(RECENT_CONVERSATIONS),
)
def recent_conversations(postgres: PostgresResource) -> dg.MaterializeResult[None]:
    """The conversations of the last seven days, as of the last refresh.

    Refreshed concurrently, so that nobody who reads it waits; the cost follows the seven days, not the history. The
    first filling of a view that holds no data locks it. Section 7.1 of the database document.
    """
    started = time.monotonic()
    with postgres.connect("refresh recent_conversations") as connection:
        refreshed = refresh(connection, RECENT_CONVERSATIONS)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": refreshed.rows,
            "as_of": str(refreshed.as_of),
            "seconds": round(time.monotonic() - started, 3),
            "concurrently": refreshed.concurrently,
        }
    )
