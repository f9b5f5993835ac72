"""The monthly report, drawn from the extracts. `yumai_pipelines.report` defines its content and its layout."""

from base64 import b64encode
from pathlib import Path

import dagster as dg

from yumai_pipelines.defs.extracts.assets import extracts
from yumai_pipelines.defs.metadata import ANALYTICS, section
from yumai_pipelines.defs.months import CLOSED_MONTHS, MONTHLY, accepting, months_of
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
        freshness_policy=MONTHLY,
    )


@_monthly
def monthly_report(
    context: dg.AssetExecutionContext, postgres: PostgresResource, settings: dg.ResourceParam[Settings]
) -> dg.MaterializeResult[None]:
    """One HTML page with charts for each month and language, in YUMAI_REPORT_URL, or in `reports` below YUMAI_HOME.

    It says what changed and why it matters, and shows the months, the methods, the confidence score, the shops and the
    feedback. The page needs no other file, so it can be sent to others, or printed. `yumai report --open` opens it, and
    so does the link in the metadata: at YUMAI_REPORT_LINK, or at `/report` of `yumai dev`. A month without
    recommendations has no page.
    """
    # Imported here because matplotlib takes a second to load, and the code location does not need it.
    from yumai_pipelines.report import page, plots
    from yumai_pipelines.report.numbers import read_numbers
    from yumai_pipelines.report.storage import ReportStore, name_of
    from yumai_pipelines.report.words import ENGLISH, LANGUAGES

    reports = ReportStore.of(settings)
    with postgres.connect("report") as connection:
        for month in months_of(context) or []:
            numbers = read_numbers(connection, month)
            summary = " ".join(page.lead(numbers, ENGLISH))
            metadata: dict[str, dg.MetadataValue] = {"summary": dg.MetadataValue.text(summary)}
            for words in LANGUAGES:
                name = name_of(month, words)
                if numbers.this["rows"]:
                    reports.write(name, page.render(numbers, words))
                    metadata[f"report ({words.language})"] = dg.MetadataValue.path(reports.place(name))
                    metadata[f"open ({words.language})"] = _link(reports.link(name), name, settings, context)
                else:
                    reports.remove(name)
            if numbers.this["rows"]:
                picture = b64encode(plots.preview(numbers)).decode()
                metadata["preview"] = dg.MetadataValue.md(f"![{summary}](data:image/png;base64,{picture})")
            context.add_asset_metadata(metadata, partition_key=month.partition_key)
    return dg.MaterializeResult()


def _link(address: str | None, name: str, settings: Settings, context: dg.AssetExecutionContext) -> dg.MetadataValue:
    """What opens a page: a link, but only where something answers it, or what to do to have one."""
    if address is not None:
        return dg.MetadataValue.url(address)
    root = Path(context.instance.root_directory)
    if root.resolve() == (settings.home / "dagster").resolve():
        # This instance is the one of `yumai dev`, whose webserver has the pages.
        return dg.MetadataValue.url(f"/report/{name}")
    return dg.MetadataValue.text("Set YUMAI_REPORT_LINK to where people open these files: then this is a link.")
