"""The monthly report, drawn from the extracts. What it says and how it looks stands in `yumai_pipelines.report`."""

from base64 import b64encode

import dagster as dg

from yumai_pipelines.defs.extracts.assets import extracts
from yumai_pipelines.defs.metadata import ANALYTICS, section
from yumai_pipelines.defs.months import CLOSED_MONTHS, accepting, months_of
from yumai_pipelines.defs.resources import PostgresResource
from yumai_pipelines.settings import Settings

with accepting(dg.BetaWarning):
    _monthly = dg.asset(
        key_prefix="extracts",
        deps=[*extracts.keys],
        partitions_def=CLOSED_MONTHS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name="extracts",
        kinds={"postgres", "html"},
        owners=[ANALYTICS],
        tags=section("3.3"),
    )


@_monthly
def monthly_report(
    context: dg.AssetExecutionContext, postgres: PostgresResource, settings: dg.ResourceParam[Settings]
) -> dg.MaterializeResult[None]:
    """One page a month for people who would rather look than read, in `reports` below YUMAI_HOME.

    Funnel by method, calibration of the confidence score, top and sinking shops, feedback, and the trend over months.
    It needs nothing else, so it can be sent on. A month in which nothing was recommended has none.
    """
    # Imported here: matplotlib takes a second to load, which the code location need not wait for.
    from yumai_pipelines.report import page, plots
    from yumai_pipelines.report.numbers import read_numbers

    with postgres.connect("report") as connection:
        for month in months_of(context) or []:
            numbers = read_numbers(connection, month)
            path = (settings.home / "reports" / f"{month}.html").resolve()
            metadata: dict[str, dg.MetadataValue] = {"summary": dg.MetadataValue.text(page.lead(numbers))}
            if numbers.this["rows"]:
                page.write(page.render(numbers), path)
                picture = b64encode(plots.preview(numbers)).decode()
                metadata["report"] = dg.MetadataValue.path(path)
                metadata["preview"] = dg.MetadataValue.md(f"![{page.lead(numbers)}](data:image/png;base64,{picture})")
            else:
                path.unlink(missing_ok=True)
            context.add_asset_metadata(metadata, partition_key=month.partition_key)
    return dg.MaterializeResult()
