"""The monthly report, drawn from the extracts. `yumai_pipelines.report` defines its content and its layout."""

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
    """One HTML page with charts for each month and language, in the directory `reports` below YUMAI_HOME.

    It says what changed and why it matters, and shows the months, the methods, the confidence score, the shops and the
    feedback. `yumai dev` serves it at `/report`, as the metadata links it. The page needs no other file, so it can be
    sent to others, or printed. A month without recommendations has no page.
    """
    # Imported here because matplotlib takes a second to load, and the code location does not need it.
    from yumai_pipelines.report import page, plots
    from yumai_pipelines.report.numbers import read_numbers
    from yumai_pipelines.report.words import ENGLISH, LANGUAGES

    with postgres.connect("report") as connection:
        for month in months_of(context) or []:
            numbers = read_numbers(connection, month)
            summary = " ".join(page.lead(numbers, ENGLISH))
            metadata: dict[str, dg.MetadataValue] = {"summary": dg.MetadataValue.text(summary)}
            for words in LANGUAGES:
                path = page.path_of((settings.home / "reports").resolve(), month, words)
                if numbers.this["rows"]:
                    page.write(page.render(numbers, words), path)
                    metadata[f"report ({words.language})"] = dg.MetadataValue.path(path)
                    metadata[f"open ({words.language})"] = dg.MetadataValue.url(f"/report/{path.stem}")
                else:
                    path.unlink(missing_ok=True)
            if numbers.this["rows"]:
                picture = b64encode(plots.preview(numbers)).decode()
                metadata["preview"] = dg.MetadataValue.md(f"![{summary}](data:image/png;base64,{picture})")
            context.add_asset_metadata(metadata, partition_key=month.partition_key)
    return dg.MaterializeResult()
