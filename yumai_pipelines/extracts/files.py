"""Writes Arrow tables into a file, whose suffix says the format. Memory does not grow with the file.

PyArrow and XlsxWriter are imported when they are needed, since the pipeline does not need them.
"""

from __future__ import annotations

import codecs
from contextlib import contextmanager
from datetime import date, datetime
from math import isfinite
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pyarrow as pa

FORMATS = (".parquet", ".csv", ".csv.gz", ".xlsx")
"""What the name of a file may end in."""

EXACT_IN_EXCEL = 2**53
"""Excel's numbers are floats. Whole numbers beyond this one would be rounded, so they are written as text."""

_FORMULA = r"^[=+\-@\t\r\n＝＋－＠]"
"""How texts begin that spreadsheets take for formulas; those for Korean and Japanese do so at full width, too."""

ROWS_OF_EXCEL = 1_048_576
"""The number of rows of a sheet, with the row of the names of the columns."""


def check_format(path: Path, *, for_excel: bool) -> None:
    """Refuse a file whose format cannot be written.

    Raises:
        ValueError: its name ends in none of `FORMATS`, or Excel is to read a format that it does not know.
    """
    if not path.name.endswith(FORMATS):
        raise ValueError(f"{path.name} says no format that can be written; end it in {', '.join(FORMATS)}")
    if for_excel and path.suffix == ".parquet":
        raise ValueError(f"Excel reads no Parquet; end {path.name} in .xlsx or .csv")


@contextmanager
def writing(path: Path, schema: pa.Schema, *, for_excel: bool) -> Iterator[Callable[[pa.Table], object]]:
    """Yield what appends a table to a file. It appears when the block is complete; until then, the old one stays.

    Args:
        path: the file, whose format `check_format` has accepted.
        schema: the columns of every table.
        for_excel: begin a CSV file with a byte order mark, without which Excel takes Korean for another encoding, and
            put an apostrophe before texts that it would take for formulas. A workbook (.xlsx) needs neither.

    Raises:
        ValueError: the rows are too many for a sheet of Excel, or a text is too long for one of its cells.
    """
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    draft = path.with_name(f".{path.name}.part")
    try:
        if path.suffix == ".parquet":
            with pyarrow.parquet.ParquetWriter(draft, schema) as parquet:
                yield parquet.write_table
        elif path.suffix == ".xlsx":
            with _workbook(draft, schema) as write:
                yield write
        else:
            with pa.output_stream(draft, compression="gzip" if path.suffix == ".gz" else None) as sink:
                if for_excel:
                    sink.write(codecs.BOM_UTF8)
                with pyarrow.csv.CSVWriter(sink, schema) as csv:
                    yield lambda table: csv.write_table(_without_formulas(table) if for_excel else table)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def _workbook(path: Path, schema: pa.Schema) -> Iterator[Callable[[pa.Table], object]]:
    """Yield what appends a table to the sheet of a new workbook, below a row with the names of the columns.

    Excel knows no time zone: times are those of the clocks in the zone of their column.
    """
    from xlsxwriter import Workbook

    texts_stay_texts = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with Workbook(path, {"constant_memory": True, "remove_timezone": True, **texts_stay_texts}) as workbook:
        sheet = workbook.add_worksheet()
        sheet.freeze_panes(1, 0)
        sheet.write_row(0, 0, schema.names, workbook.add_format({"bold": True}))
        formats = {
            datetime: workbook.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"}),
            date: workbook.add_format({"num_format": "yyyy-mm-dd"}),
        }
        rows = 0

        def write(table: pa.Table) -> None:
            nonlocal rows
            for row in zip(*(column.to_pylist() for column in table.columns), strict=True):
                rows += 1
                if rows == ROWS_OF_EXCEL:
                    raise ValueError(
                        f"A sheet of Excel has {ROWS_OF_EXCEL:,} rows, and there are more. Export fewer months, or to "
                        ".csv.gz or .parquet."
                    )
                for place, value in enumerate(row):
                    if value is None:
                        continue
                    if sheet.write(rows, place, _cell(value), formats.get(type(value))) == _TEXT_CUT_OFF:
                        raise ValueError(
                            f"{schema.names[place]} has a text of {len(str(value)):,} characters, and a cell of Excel "
                            "holds 32,767. Export to .csv.gz or .parquet."
                        )

        yield write


_TEXT_CUT_OFF = -2
"""What XlsxWriter returns for a text that is too long, instead of raising."""


def _cell(value: object) -> Any:  # noqa: ANN401
    """Return a value as Excel can hold it without a change: numbers that it cannot hold become texts."""
    if isinstance(value, int) and abs(value) > EXACT_IN_EXCEL:
        return str(value)
    return str(value) if isinstance(value, float) and not isfinite(value) else value


def _without_formulas(table: pa.Table) -> pa.Table:
    """Return the table with an apostrophe before each text that a spreadsheet would take for a formula."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for place, field in enumerate(table.schema):
        if pa.types.is_string(field.type):
            texts = table.column(place)
            formulas = pc.match_substring_regex(texts, pattern=_FORMULA)
            safe = pc.if_else(formulas, pc.binary_join_element_wise("'", texts, ""), texts)
            table = table.set_column(place, field, safe)
    return table
