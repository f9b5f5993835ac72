"""What analysts read: frames and files, with the right types."""

from __future__ import annotations

import codecs
import os
import sys
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from openpyxl import load_workbook

from tests.extracts.dirt import plant
from tests.extracts.oracle import extracted, same
from tests.extracts.support import MONTHS, ZONE, build
from tests.processes import Finished, finished
from tests.support import Connection, login, one
from tests.test_cli import YUMAI
from yumai_pipelines import read_extract
from yumai_pipelines.extracts import files, reading
from yumai_pipelines.extracts.as_of import in_words
from yumai_pipelines.extracts.reading import NeverBuiltError, built_months, export
from yumai_pipelines.model.months import Month
from yumai_pipelines.model.registry import EXTRACTS, extract_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from yumai_pipelines.model.entries import Extract


@pytest.fixture
def analyst(database: str, connection: Connection, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of an analyst. Extracts are read in several chunks."""
    plant(connection, MONTHS, ZONE, rows=120, seed=5)
    build(connection)
    monkeypatch.setattr(reading, "CHUNK", 25)
    with login(connection, database, "IN ROLE yumai_analyst") as url:
        yield url


@pytest.mark.parametrize("extract", EXTRACTS, ids=lambda each: each.relation.name)
def test_a_frame_holds_every_cell_by_the_key(connection: Connection, analyst: str, extract: Extract) -> None:
    frame = read_extract(extract.relation.name, url=analyst)
    rows = extracted(connection, extract).to_dict("records")
    assert len(frame) == len(rows) > 0
    for number, row in enumerate(rows):
        for column, wanted in row.items():
            found = frame[column].iloc[number]
            if pd.isna(found):
                # A score of NaN and NULL are the same in pandas.
                assert wanted is None or wanted != wanted
            else:
                assert same(found, wanted) or float(found) == float(wanted), (column, found, wanted)


def test_types_are_those_of_the_columns(analyst: str) -> None:
    frame = read_extract("recommendation_outcomes", months=["2024-12", Month(2025, 1)], url=analyst)
    assert {str(month) for month in frame["month"].unique()} == {"2024-12-01", "2025-01-01"}
    types = {column: str(kind) for column, kind in frame.dtypes.items()}
    assert types["month"] == "date32[day][pyarrow]"
    assert types["recommended_at"] == types["last_feedback_at"] == "timestamp[us, tz=Asia/Seoul][pyarrow]"
    assert types["recommendation_id"] == "int64[pyarrow]"
    assert (types["selected_rank"], types["request_budget"]) == ("int32[pyarrow]", "int64[pyarrow]")
    assert types["was_selected"] == "bool[pyarrow]"
    assert types["rag_score"] == types["rating_mean"] == types["seconds_to_selection"] == "double[pyarrow]"
    assert types["user_key"] == "string[pyarrow]"
    assert {column for column, kind in types.items() if kind == "category"} == set(
        extract_of("recommendation_outcomes").categories
    )


def test_an_empty_month_has_the_same_types(analyst: str, connection: Connection) -> None:
    connection.execute("DELETE FROM extracts.shop_performance WHERE month = '2025-01-01'")
    empty = read_extract("shop_performance", months=["2025-01"], url=analyst)
    assert len(empty) == 0
    whole = read_extract("shop_performance", url=analyst)
    assert {column: kind for column, kind in empty.dtypes.items() if str(kind) != "category"} == {
        column: kind for column, kind in whole.dtypes.items() if str(kind) != "category"
    }


def test_a_month_that_was_never_built_is_no_empty_month(analyst: str, connection: Connection, tmp_path: Path) -> None:
    path = tmp_path / "shops.csv"
    said = r"of 2030-01 to 2030-02, 2031-05 was never built.* Its months are 2024-11 to 2025-02\."
    for read in (partial(read_extract, url=analyst), partial(export, path=path, url=analyst)):
        with pytest.raises(NeverBuiltError, match=said):
            read("shop_performance", months=["2025-01", "2030-02", "2030-01", "2031-05"])
    command = [str(YUMAI), "export", "shop_performance", str(path), "--month", "2030-01"]
    done = finished(command, env=os.environ | {"YUMAI_DATABASE_URL": analyst})
    assert (done.returncode, "was never built" in done.stderr, path.exists()) == (1, True, False)
    connection.execute("DELETE FROM extracts.ledger WHERE extract = 'shop_performance'")
    with pytest.raises(NeverBuiltError, match=r"of every month was never built.* It has no month yet"):
        read_extract("shop_performance", url=analyst)


def test_one_month_needs_no_list(analyst: str) -> None:
    for month in ("2025-01", Month(2025, 1)):
        assert set(read_extract("shop_performance", months=month, url=analyst)["month"]) == {date(2025, 1, 1)}


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".csv.gz"])
def test_a_file_holds_what_the_frame_holds(analyst: str, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"outcomes{suffix}"
    frame = read_extract("recommendation_outcomes", months=["2024-12"], url=analyst)
    assert export("recommendation_outcomes", path, months=["2024-12"], url=analyst) == len(frame)
    table = pa.parquet.read_table(path) if suffix == ".parquet" else pa.csv.read_csv(path)
    assert table.column_names == list(frame.columns)
    assert table["recommendation_id"].to_pylist() == frame["recommendation_id"].tolist()
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    if suffix == ".parquet":
        assert str(table.schema.field("recommended_at").type) == "timestamp[us, tz=Asia/Seoul]"


def test_a_file_for_excel_is_read_as_it_is(analyst: str, connection: Connection, tmp_path: Path) -> None:
    names = ["=1+1", "+82", "-", "@SUM(A1)", "밥집", "a=b", "＝1+1", "＠SUM(A1)", "\n=1+1"]
    connection.execute(
        "UPDATE extracts.shop_performance AS e SET shop_name = named.shop_name FROM ("
        "SELECT month, shop_id, (%s::text[])[row_number() OVER (ORDER BY month, shop_id) %% 9 + 1] AS shop_name "
        "FROM extracts.shop_performance) AS named WHERE (e.month, e.shop_id) = (named.month, named.shop_id)",
        (names,),
    )
    path = tmp_path / "shops.csv"
    export("shop_performance", path, url=analyst, for_excel=True)
    assert path.read_bytes().startswith(codecs.BOM_UTF8)
    options = pa.csv.ParseOptions(newlines_in_values=True)
    shown = set(pa.csv.read_csv(path, parse_options=options)["shop_name"].to_pylist())
    assert shown == {"'=1+1", "'+82", "'-", "'@SUM(A1)", "밥집", "a=b", "'＝1+1", "'＠SUM(A1)", "'\n=1+1"}
    with pytest.raises(ValueError, match="Excel reads no Parquet"):
        export("shop_performance", tmp_path / "shops.parquet", url=analyst, for_excel=True)


def test_a_workbook_holds_what_the_frame_holds(analyst: str, connection: Connection, tmp_path: Path) -> None:
    connection.execute(
        "UPDATE extracts.recommendation_outcomes SET recommendation_id = 9007199254740993, rag_score = 'NaN', "
        "recommendation_method = '=1+1' WHERE (month, recommendation_id) IN ("
        "SELECT month, recommendation_id FROM extracts.recommendation_outcomes ORDER BY 1, 2 LIMIT 1)"
    )
    path = tmp_path / "outcomes.xlsx"
    frame = read_extract("recommendation_outcomes", url=analyst)
    assert export("recommendation_outcomes", path, url=analyst) == len(frame)
    names, *rows = load_workbook(path).active.values
    assert list(names) == list(frame.columns)
    table = pd.DataFrame(rows, columns=names)
    assert [*map(int, table["recommendation_id"])] == frame["recommendation_id"].tolist()
    (odd,) = (row for row in rows if row[names.index("recommendation_id")] == "9007199254740993")
    assert (odd[names.index("rag_score")], odd[names.index("recommendation_method")]) == ("nan", "=1+1")
    assert [each.date() for each in table["month"]] == frame["month"].tolist()
    # Excel has no time zone, and keeps milliseconds.
    for shown, exact in zip(table["recommended_at"], frame["recommended_at"], strict=True):
        assert abs(shown - exact.replace(tzinfo=None)) <= timedelta(milliseconds=1)


def test_a_workbook_that_cannot_hold_the_rows_is_not_written(
    analyst: str, connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "shops.xlsx"
    connection.execute(
        "UPDATE extracts.shop_performance SET shop_name = repeat('밥', 32768) WHERE month = '2025-01-01'"
    )
    with pytest.raises(
        ValueError, match=r"shop_name has a text of 32,768 characters, and a cell of Excel holds 32,767"
    ):
        export("shop_performance", path, months="2025-01", url=analyst)
    monkeypatch.setattr(files, "ROWS_OF_EXCEL", 3)
    with pytest.raises(ValueError, match="A sheet of Excel has 3 rows, and there are more"):
        export("shop_performance", path, months="2024-12", url=analyst)
    assert list(tmp_path.iterdir()) == []


def test_the_ledger_is_read_like_an_extract(analyst: str, connection: Connection, tmp_path: Path) -> None:
    frame = read_extract("ledger", months="2025-01", url=analyst)
    assert set(frame["extract"]) == {each.relation.name for each in EXTRACTS}
    assert set(frame.attrs["as_of"]) == {"2025-01"}
    rows = one(connection, "SELECT count(*) FROM extracts.ledger")
    assert export("ledger", tmp_path / "ledger.xlsx", url=analyst) == rows == len(EXTRACTS) * len(MONTHS)
    with pytest.raises(NeverBuiltError, match=r"extracts\.ledger of 2030-01 was never built"):
        read_extract("ledger", months="2030-01", url=analyst)


def test_an_export_that_fails_leaves_the_old_file(analyst: str, tmp_path: Path) -> None:
    path = tmp_path / "shops.csv"
    path.write_text("old")
    with pytest.raises(ValueError, match="2024-13"):
        export("shop_performance", path, months=["2024-13"], url=analyst)
    assert [each.read_text() for each in tmp_path.iterdir()] == ["old"]


def test_what_there_is_not_is_said(analyst: str, tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="there is no extract 'shops'; there are recommendation_outcomes, "):
        read_extract("shops", url=analyst)
    with pytest.raises(
        ValueError, match=r"shops.ods says no format that can be written; end it in .parquet, .csv, .csv.gz, .xlsx"
    ):
        export("shop_performance", tmp_path / "shops.ods", url=analyst)


def test_a_frame_says_as_of_when_its_months_are(analyst: str, connection: Connection) -> None:
    connection.execute(
        "UPDATE recommendations_log SET wide_score = 0.25 "
        "WHERE time_stamp >= '2025-01-03' AND time_stamp < '2025-01-30'"
    )
    frame = read_extract("score_calibration", months=["2024-12", "2025-01"], url=analyst)
    assert set(frame.attrs["as_of"]) == {"2024-12", "2025-01"}
    assert frame.attrs["as_of"]["2024-12"]["changed_since"] is None
    january = frame.attrs["as_of"]["2025-01"]
    assert datetime.fromisoformat(january["as_of"]) < datetime.fromisoformat(january["changed_since"])
    said = in_words(built_months("score_calibration", months=["2024-12", "2025-01"], url=analyst))
    assert "The logs of 2025-01 have changed since" in said


def test_importing_the_package_does_not_import_pandas() -> None:
    code = "import sys, yumai_pipelines; sys.exit(bool({'pandas', 'pyarrow', 'sqlalchemy'} & set(sys.modules)))"
    assert finished([sys.executable, "-c", code]).returncode == 0


def test_the_command_writes_a_file(analyst: str, tmp_path: Path) -> None:
    def export_shops(name: str) -> Finished:
        command = [str(YUMAI), "export", "shop_performance", name, "--month", "2024-12", "--month", "2025-01"]
        environment = os.environ | {"YUMAI_DATABASE_URL": analyst}
        return finished(command, cwd=tmp_path, env=environment)

    done = export_shops("shops.parquet")
    rows = pa.parquet.read_table(tmp_path / "shops.parquet").num_rows
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(
        f"{rows} rows of shop_performance are in shops.parquet. They are of the logs as of 20"
    )
    done = export_shops("shops.ods")
    assert done.returncode == 1
    assert "end it in .parquet, .csv, .csv.gz" in done.stderr
