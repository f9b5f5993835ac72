"""The materialized views of the registry, as assets. The time of each refresh is recorded."""

import time

import dagster as dg

from yumai_pipelines.defs.metadata import ENGINEERING, asset_key, relation_metadata, section
from yumai_pipelines.defs.months import DAILY
from yumai_pipelines.defs.resources import PostgresResource
from yumai_pipelines.model.entries import View
from yumai_pipelines.model.registry import VIEWS
from yumai_pipelines.schema.snapshot import comment
from yumai_pipelines.views.refresh import refresh


def view_asset(view: View) -> dg.AssetsDefinition:
    """Make the asset of a view. Materializing the asset refreshes the view."""

    @dg.asset(
        key=asset_key(view.relation),
        description=f"{comment(view.relation)} Refreshed concurrently, so that nobody who reads it waits; the cost "
        "follows what it selects, not the history. The first filling of a view that holds no data locks it.",
        deps=[asset_key(source) for source in view.sources],
        group_name="chatbot",
        kinds={"postgres", "view"},
        owners=[ENGINEERING],
        tags=section(view.section),
        metadata=relation_metadata(view.relation),
        freshness_policy=DAILY,
    )
    def refreshed(postgres: PostgresResource) -> dg.MaterializeResult[None]:
        started = time.monotonic()
        with postgres.connect(f"refresh {view.relation.name}") as connection:
            report = refresh(connection, view.relation)
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": report.rows,
                "as_of": str(report.as_of),
                "seconds": round(time.monotonic() - started, 3),
                "concurrently": report.concurrently,
            }
        )

    return refreshed


VIEW_ASSETS = [view_asset(view) for view in VIEWS]
