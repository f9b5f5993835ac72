"""The commands for people who read: the extracts as files, and the monthly report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from yumai_pipelines.cli.common import Months, fail, out, url_of
from yumai_pipelines.model.registry import READABLE
from yumai_pipelines.settings import Settings

NAMES = [each.relation.name for each in READABLE]


def _extract(text: str) -> str:
    if text not in NAMES:
        raise typer.BadParameter(f"{text!r} is none of {', '.join(NAMES)}")
    return text


def export(
    extract: Annotated[str, typer.Argument(parser=_extract, metavar="EXTRACT", help=f"One of {', '.join(NAMES)}.")],
    path: Annotated[
        Path, typer.Argument(path_type=Path, help="The file, which ends in .parquet, .csv, .csv.gz or .xlsx.")
    ],
    months: Months = None,
    excel: Annotated[
        bool, typer.Option("--excel", help="A CSV file that Excel reads as it is: Korean, and no text as a formula.")
    ] = False,
) -> str:
    """Write an extract, which is a monthly table for analysts, or the ledger of all extracts to a file.

    Examples: `yumai export shop_performance shops.parquet --month 2024-08 --month 2024-09`, or
    `yumai export ledger ledger.xlsx`
    """
    from yumai_pipelines.extracts.as_of import in_words
    from yumai_pipelines.extracts.reading import built_months
    from yumai_pipelines.extracts.reading import export as write

    settings = Settings()
    # The embedded server is named by its URL, so that reading it does not start it.
    url = url_of(settings) if settings.database_url is None else None
    try:
        built = built_months(extract, months=months, url=url)
        rows = write(extract, path, months=months, url=url, for_excel=excel)
    except (ValueError, OSError) as error:
        fail(str(error))
    out.print(f"{rows:,} rows of {extract} are in {path}. {in_words(built)}", markup=False)
    return "docs/extracts.md explains each column; docs/analysts.md connects other tools."


def report(
    months: Months = None,
    show: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    korean: Annotated[bool, typer.Option("--korean", help="The page in Korean.")] = False,
) -> str:
    """Print where the report of the last month, or of each `--month`, is, and open it with `--open`.

    Example: `yumai report --open`
    """
    from yumai_pipelines.report.storage import ReportStore, name_of
    from yumai_pipelines.report.words import ENGLISH, KOREAN

    settings = Settings()
    words = KOREAN if korean else ENGLISH
    reports = ReportStore.of(settings)
    names = reports.names(words.suffix)
    wanted = [name_of(month, words) for month in months] if months else names[-1:]
    missing = [name for name in wanted if name not in names]
    if missing or not wanted:
        there = f"There are {', '.join(names)}." if names else "There is none yet."
        fail(f"{settings.reports} has no {', '.join(missing) or 'report'}. {there} `yumai build` makes them.")
    for name in wanted:
        link = reports.link(name)
        typer.echo(link or reports.place(name))
        if not show:
            continue
        if link is None and not reports.store.local:
            fail("A browser cannot open it there. Set YUMAI_UI_URL to the address of the UI, which serves it.")
        typer.launch(link or Path(reports.place(name)).as_uri())
    return "`yumai export shop_performance shops.csv` writes the numbers behind it." if show else "`--open` shows it."
