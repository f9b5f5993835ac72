"""The monthly report: what it says, that it needs no other file, and that it can show whatever the extracts hold."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from tests.extracts.dirt import plant
from tests.extracts.support import MONTHS, ZONE, build
from tests.graph import Graph, months
from tests.support import Connection, one
from yumai_pipelines.archives.store import ArchiveError
from yumai_pipelines.defs.report.assets import monthly_report
from yumai_pipelines.demo.generate import Size, generate
from yumai_pipelines.demo.load import fill
from yumai_pipelines.model.months import Month
from yumai_pipelines.postgres.connections import OWNER_ROLE, connect
from yumai_pipelines.report import page, plots
from yumai_pipelines.report.numbers import read_numbers
from yumai_pipelines.report.storage import ReportStore
from yumai_pipelines.report.words import ENGLISH, KOREAN, LANGUAGES
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

JULY = Month(2025, 7)


@pytest.fixture
def demo(database: str, connection: Connection) -> Connection:
    """The login's connection to a database with five months of the demonstration, and their extracts."""
    with connect(database, application_name="test", role=OWNER_ROLE) as owner:
        fill(owner, generate(Size(1500, 5, seed=3), until=datetime(2025, 8, 2, 12, tzinfo=ZONE), zone=ZONE))
    build(connection, [*(JULY - 3).through(JULY)])
    return connection


def test_the_figures_are_those_of_the_extracts(demo: Connection) -> None:
    numbers = read_numbers(demo, JULY)
    assert [month for month, _ in numbers.trend] == [*(JULY - 3).through(JULY)]
    made = one(demo, "SELECT count(*) FROM extracts.recommendation_outcomes WHERE month = '2025-07-01'")
    assert numbers.this["rows"] == made == sum(row["recommendations"] for row in numbers.methods)
    assert sum(row["selections"] for row in numbers.methods) == numbers.this["selections"]
    assert [row["selections"] for row in numbers.top] == sorted(
        (row["selections"] for row in numbers.top), reverse=True
    )
    text = page.render(numbers, ENGLISH)
    assert "Recommendations in July 2025" in text
    assert f"<b>{made:,}</b>" in text
    assert f"{numbers.this['selection_rate']:.1%} of the recommendations led to a choice" in text
    assert "2025년 7월 추천 보고서" in page.render(numbers, KOREAN)
    assert all(row["shop_name"] in text for row in numbers.top)


def test_it_says_first_what_changed_and_what_that_means(demo: Connection) -> None:
    real = read_numbers(demo, JULY)
    *earlier, (july, row) = real.trend
    numbers = replace(
        real,
        trend=[*earlier, (july, row | {"selection_rate": 0.0})],
        methods=[method | {"selections": 0} for method in real.methods],
    )
    changed, cause, *_ = page.lead(numbers, ENGLISH)
    before = numbers.before or {}
    fewer = round(before["selection_rate"] * numbers.this["rows"])
    assert changed.startswith("Users chose less often than in June 2025: after 0.0% of the recommendations, down ")
    assert changed.endswith(f"That is about {fewer:,} choices fewer.")
    assert re.fullmatch(r"Most of it is \w+, which went from [\d.]+% to 0.0%\.", cause)
    text = page.render(numbers, ENGLISH)
    assert text.index(changed) < text.index("<svg")


def test_both_languages_say_the_same() -> None:
    fields = [{name: sorted(re.findall(r"\{(\w+)", text)) for name, text in each.texts.items()} for each in LANGUAGES]
    assert fields[0] == fields[1]
    assert all(len(each.months) == len(each.short_months) == 12 for each in LANGUAGES)


def test_a_shop_that_sinks_is_named(connection: Connection) -> None:
    connection.execute("INSERT INTO shops (shop_name, category) VALUES ('가라앉는 집', '한식'), ('그대로 집', '한식')")
    connection.execute("SELECT start_session(NULL)")
    for month, chosen in ((JULY - 2, 20), (JULY - 1, 20), (JULY, 2)):
        connection.execute(
            "INSERT INTO recommendations_log (session_id, time_stamp, recommendations, recommendation_count, "
            "user_selection) "
            'SELECT session_id, %(start)s, \'[{"shop_id": 1}, {"shop_id": 2}]\', 2, CASE WHEN n <= %(chosen)s '
            "THEN '{\"shop_id\": 1}' WHEN n > 25 THEN '{\"shop_id\": 2}' END::json "
            "FROM session_master CROSS JOIN generate_series(1, 40) AS n",
            {"start": month.start(ZONE), "chosen": chosen},
        )
    build(connection, [*(JULY - 2).through(JULY)])
    (shop,) = read_numbers(connection, JULY).sinking
    assert (shop["shop_name"], shop["listed"], shop["lost"]) == ("가라앉는 집", 40, 18)
    assert (shop["selection_rate"], shop["usual_rate"]) == (0.05, 0.5)


def test_the_page_needs_nothing_from_elsewhere_and_runs_nothing(demo: Connection) -> None:
    demo.execute("UPDATE extracts.shop_performance SET shop_name = '<script>alert(1)</script>'")
    text = page.render(read_numbers(demo, JULY), ENGLISH)
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert set(re.findall(r'(?:href|src)="([^"#][^"]*)', text)) == set()
    assert "url(" not in re.sub(r"url\(#[\w-]+\)", "", text)
    assert text.count("<svg") == 7


def test_the_same_numbers_make_the_same_page_and_picture(demo: Connection) -> None:
    numbers = read_numbers(demo, JULY)
    assert page.render(numbers, ENGLISH) == page.render(numbers, ENGLISH)
    picture = plots.preview(numbers)
    assert picture == plots.preview(numbers)
    assert picture.startswith(b"\x89PNG")
    # The picture is stored with every event, so it must be small.
    assert len(picture) < 150_000


def test_a_month_without_anything_is_a_page_too(connection: Connection) -> None:
    numbers = read_numbers(connection, JULY)
    assert "Nothing was recommended in this month." in page.render(numbers, ENGLISH)
    assert plots.preview(numbers)


@pytest.mark.parametrize("seed", [1, 2])
def test_dirt_is_a_page_too(connection: Connection, seed: int) -> None:
    plant(connection, MONTHS, ZONE, rows=150, seed=seed)
    connection.execute("UPDATE recommendations_log SET recommendation_method = '새 방법 $^{' WHERE id % 3 = 0")
    build(connection, minimum=3)
    for month in MONTHS:
        numbers = read_numbers(connection, month)
        text = page.render(numbers, ENGLISH)
        assert "새 방법" in text
        assert "Groups of fewer than 3 users are merged." in text
        assert plots.preview(numbers)


def test_the_asset_writes_the_page_and_shows_a_picture(
    graph: Graph, demo: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert demo
    monkeypatch.setenv("YUMAI_HOME", str(tmp_path))
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "2025-02.html").write_text("of rows that are gone")
    run = graph.materialize(monthly_report.key, tags=months("2025-02", "2025-07"))
    assert run.success
    metadata = run.materialized("extracts", "monthly_report")
    assert [month for month, each in metadata.items() if "report (en)" in each] == [
        f"2025-{number:02}-01" for number in range(4, 8)
    ]
    assert metadata["2025-02-01"] == {"summary": "Nothing was recommended in this month."}
    july = metadata["2025-07-01"]
    assert july["report (ko)"] == str(tmp_path / "reports" / "2025-07.ko.html")
    assert july["open (en)"].endswith("then this is a link."), "this instance is not the one of `yumai dev`"
    assert july["preview"].startswith("![")
    assert "](data:image/png;base64,iVBOR" in july["preview"]
    assert july["summary"].split(". ")[0] in (tmp_path / "reports" / "2025-07.html").read_text()
    assert sorted(each.name for each in (tmp_path / "reports").iterdir()) == [
        f"2025-{number:02}{language}.html" for number in range(4, 8) for language in ("", ".ko")
    ]


def test_the_page_is_kept_and_linked_where_people_are(
    graph: Graph, demo: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In any store that fsspec knows: this one is in the memory of the process."""
    assert demo
    monkeypatch.setenv("YUMAI_REPORT_URL", "memory://yumai/reports")
    monkeypatch.setenv("YUMAI_UI_URL", "https://yumai.example.com")
    reports = ReportStore.of(Settings())
    reports.write("2025-02.html", "of rows that are gone")
    run = graph.materialize(monthly_report.key, tags=months("2025-02", "2025-07"))
    assert run.success
    july = run.materialized("extracts", "monthly_report")["2025-07-01"]
    assert july["report (ko)"] == "memory:///yumai/reports/2025-07.ko.html"
    assert july["open (ko)"] == "/report/2025-07.ko.html"
    assert reports.names("") == [f"2025-{number:02}.html" for number in range(4, 8)]
    assert "2025년 7월 추천 보고서".encode() in reports.read("2025-07.ko.html")


def test_a_store_that_cannot_be_used_names_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YUMAI_REPORT_URL", "no-such-store://reports")
    with pytest.raises(ArchiveError, match="YUMAI_REPORT_URL"):
        ReportStore.of(Settings())
