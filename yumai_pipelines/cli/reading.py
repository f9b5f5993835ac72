"""The commands for people who read: the extracts as files, and the monthly report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from yumai_pipelines.cli.common import Months, fail, out, url_of
from yumai_pipelines.model.registry import EXTRACTS
from yumai_pipelines.settings import Settings

EXTRACT_NAMES = [each.relation.name for each in EXTRACTS]


def _extract(text: str) -> str:
    if text not in EXTRACT_NAMES:
        raise typer.BadParameter(f"{text!r} is none of {', '.join(EXTRACT_NAMES)}")
    return text


def export(
    extract: Annotated[
        str, typer.Argument(parser=_extract, metavar="EXTRACT", help=f"One of {', '.join(EXTRACT_NAMES)}.")
    ],
    path: Annotated[Path, typer.Argument(path_type=Path, help="The file, which ends in .parquet, .csv or .csv.gz.")],
    months: Months = None,
    excel: Annotated[
        bool, typer.Option("--excel", help="A CSV file that Excel reads as it is: Korean, and no text as a formula.")
    ] = False,
) -> None:
    """Write an extract, which is a monthly table for analysts, to a file.

    Examples: `yumai export shop_performance shops.parquet --month 2024-08 --month 2024-09`, or
    `yumai export shop_performance shops.csv --excel`
    """
    from yumai_pipelines.extracts.as_of import in_words
    from yumai_pipelines.extracts.reading import built_months
    from yumai_pipelines.extracts.reading import export as write

    url = url_of(Settings())
    try:
        built = built_months(extract, months=months, url=url)
        rows = write(extract, path, months=months, url=url, for_excel=excel)
    except (ValueError, OSError) as error:
        fail(str(error))
    out.print(f"{rows:,} rows of {extract} are in {path}. {in_words(built)}", markup=False)


def report(
    months: Months = None,
    show: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    korean: Annotated[bool, typer.Option("--korean", help="The page in Korean.")] = False,
) -> None:
    """Print where the report of the last month, or of each `--month`, is, and open it with `--open`.

    Example: `yumai report --open`
    """
    directory = (Settings().home / "reports").resolve()
    ending = ".ko.html" if korean else ".html"
    pages = sorted(directory.glob(f"????-??{ending}"))
    wanted = [directory / f"{month}{ending}" for month in months] if months else pages[-1:]
    missing = [page.name for page in wanted if not page.exists()]
    if missing or not wanted:
        there = f"There are {', '.join(each.name for each in pages)}." if pages else "There is none yet."
        fail(f"{directory} has no {', '.join(missing) or 'report'}. {there} `yumai build` makes them.")
    for page in wanted:
        typer.echo(page)
        if show:
            typer.launch(page.as_uri())
