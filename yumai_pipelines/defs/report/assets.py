"""The monthly report, drawn from the extracts. `yumai_pipelines.report` defines its content and its layout."""

from base64 import b64encode
from pathlib import Path
from typing import Any

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
    so does the link in the metadata, at `/report` of the UI. A month without recommendations has no page.
    """
    # Imported here because matplotlib takes a second to load, and the code location does not need it.
    from yumai_pipelines.report import page, plots
    from yumai_pipelines.report.numbers import read_numbers
    from yumai_pipelines.report.storage import ReportStore, name_of
    from yumai_pipelines.report.words import ENGLISH, LANGUAGES

    reports = ReportStore.of(settings)
    months = months_of(context) or []
    read = postgres.read("report", lambda reader: [read_numbers(reader.connection, month) for month in months])
    for month, numbers in zip(months, read.value, strict=True):
        summary = " ".join(page.lead(numbers, ENGLISH))
        metadata: dict[str, Any] = {"summary": dg.MetadataValue.text(summary), **read.source.metadata}
        for words in LANGUAGES:
            name = name_of(month, words)
            if numbers.this["rows"]:
                reports.write(name, page.render(numbers, words))
                metadata[f"report ({words.language})"] = dg.MetadataValue.path(reports.place(name))
                metadata[f"open ({words.language})"] = _link(name, settings, context.instance)
            else:
                reports.remove(name)
        if numbers.this["rows"]:
            picture = b64encode(plots.preview(numbers)).decode()
            metadata["preview"] = dg.MetadataValue.md(f"![{summary}](data:image/png;base64,{picture})")
        context.add_asset_metadata(metadata, partition_key=month.partition_key)
    return dg.MaterializeResult()


def _link(name: str, settings: Settings, instance: dg.DagsterInstance) -> dg.MetadataValue:
    """What opens a page: a link, but only where a webserver answers it; elsewhere, how to have one."""
    of_yumai_dev = Path(instance.root_directory).resolve() == (settings.home / "dagster").resolve()
    if of_yumai_dev or settings.ui_url:
        return dg.MetadataValue.url(f"/report/{name}")
    return dg.MetadataValue.text(
        "Dagster's own webserver serves no reports. Serve the UI by `python -m yumai_pipelines.webserver`, and set "
        "YUMAI_UI_URL to its address: then this is a link."
    )
