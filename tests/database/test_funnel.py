"""`extracts.recommendation_funnel` against an oracle: pandas over the raw rows, with every dirt that a log can hold."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from psycopg.rows import dict_row

from tests.graph import FUNNEL, Graph, months
from tests.support import Connection, one
from yumai_pipelines.assets.extracts import replace_months
from yumai_pipelines.catalog import EXTRACTS
from yumai_pipelines.months import Month
from yumai_pipelines.resources import PostgresResource

SEOUL = ZoneInfo("Asia/Seoul")
EXTRACT = next(extract for extract in EXTRACTS if extract.relation.name == "recommendation_funnel")
KEY = list(EXTRACT.key)

# (time, method, shop, user, session, selection as JSON text, seconds until it)
RECOMMENDATIONS: list[tuple[str, str | None, str | None, int | None, int, str | None, str | None]] = [
    ("2024-07-31 23:59:59.999999+09", "rag", "한식", 1, 1, None, None),  # the month before
    ("2024-08-01 00:00:00+09", "rag", "한식", 1, 1, '{"shop_id": 1, "rank": 1}', "30 s"),
    ("2024-08-15 12:00:00+09", "rag", "한식", 1, 1, '{"shop_id": 2, "rank": 2}', "90 s"),
    ("2024-08-20 12:00:00+09", "rag", "한식", 2, 2, "null", None),  # JSON null: nothing was selected
    ("2024-08-20 12:01:00+09", "rag", "한식", None, 2, " \n null ", None),
    ("2024-08-31 23:59:59.999999+09", "rag", "한식", 2, 2, None, None),
    ("2024-09-01 00:00:00+09", "rag", "한식", 2, 3, "{}", "1 s"),
    ("2024-09-02 00:00:00+09", None, "한식", 2, 3, "[]", None),  # an array, and no time of selection
    (
        "2024-09-03 00:00:00+09",
        "hybrid",
        None,
        2,
        3,
        '"five"',
        "-5 s",
    ),  # a shop that is gone; selected before it was shown
    ("2024-09-04 00:00:00+09", "hybrid", "분식", 3, 3, "0", "infinity"),
    ("2024-09-05 00:00:00+09", "hybrid", "분식", 3, 3, "false", "10 s"),
    ("2024-09-06 00:00:00+09", "hybrid", "분식", 3, 4, '{"note": "\\u0000"}', "20 s"),  # no jsonb can hold that
    (
        "2024-09-07 00:00:00+09",
        "hybrid",
        "",
        3,
        4,
        None,
        "40 s",
    ),  # a shop without a category; a time without a selection
    ("2024-09-30 23:59:59+09", "unknown", "분식", 3, 4, "true", "0 s"),
    ("2024-10-01 00:00:00+09", "wide_deep", "분식", 3, 4, None, None),
]

# (time, the recommendation's place above or None, content as JSON text)
FEEDBACK: list[tuple[str, int | None, str | None]] = [
    ("2024-08-01 00:01:00+09", 1, '{"rating": 4}'),
    ("2024-08-01 00:02:00+09", 1, '{"rating": "2"}'),
    ("2024-08-01 00:03:00+09", 1, '{"rating": "five"}'),
    ("2024-08-01 00:04:00+09", 1, '{"rating": 6}'),
    ("2024-09-15 00:00:00+09", 2, '{"rating": 5}'),  # a month late
    ("2024-12-31 00:00:00+09", 2, '{"text": "맛있어요", "sentiment": "positive"}'),
    ("2024-07-01 00:00:00+09", 6, '{"rating": 1}'),  # before its recommendation
    ("2024-09-10 00:00:00+09", 7, "[1, 2, 3]"),
    ("2024-09-10 00:00:00+09", 8, '"rating"'),
    ("2024-09-10 00:00:00+09", 8, '{"rating": {"rating": 3}}'),
    ("2024-09-10 00:00:00+09", 9, '{"rating": null}'),
    ("2024-09-10 00:00:00+09", 10, '{"rating": [4]}'),
    ("2024-09-10 00:00:00+09", 11, '{"rating": 3.5}'),
    ("2024-09-10 00:00:00+09", 11, '{"rating": 1e400}'),
    ("2024-09-10 00:00:00+09", 13, "null"),
    ("2024-09-10 00:00:00+09", 13, None),
    ("2024-08-31 23:59:59+09", None, '{"rating": 3}'),  # of no recommendation: in its own month
    ("2024-09-01 00:00:00+09", None, '{"rating": 2}'),
    ("2024-11-05 00:00:00+09", None, '{"rating": 5}'),  # a month in which nothing was recommended
    ("2024-11-06 00:00:00+09", None, '{"signal": "dwell"}'),
]


@pytest.fixture
def logs(connection: Connection) -> Connection:
    """The login's connection to a database with the rows above."""
    connection.execute("INSERT INTO chatbot.users SELECT FROM generate_series(1, 3)")
    connection.execute(
        "INSERT INTO chatbot.shops (shop_name, category) VALUES ('가', '한식'), ('나', '분식'), ('다', NULL)"
    )
    connection.execute(
        "INSERT INTO chatbot.session_master (session_id) SELECT ('00000000-0000-0000-0000-00000000000' || n)::uuid "
        "FROM generate_series(1, 4) AS n"
    )
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO analytics.recommendations_log (time_stamp, recommendation_method, shop_id, user_id, session_id,
                   user_selection, selection_timestamp, recommendations, recommendation_count)
            VALUES (%(time)s, %(method)s,
                    CASE %(shop)s WHEN '' THEN 3 ELSE (SELECT id FROM chatbot.shops WHERE category = %(shop)s) END,
                    %(user)s, ('00000000-0000-0000-0000-00000000000' || %(session)s)::uuid, %(selection)s::json,
                    CASE %(seconds)s WHEN 'infinity' THEN 'infinity'
                                     ELSE %(time)s::timestamptz + %(seconds)s::interval END,
                    '"no list"', -1)
            """,
            [
                dict(zip(("time", "method", "shop", "user", "session", "selection", "seconds"), row, strict=True))
                for row in RECOMMENDATIONS
            ],
        )
        cursor.executemany(
            """
            INSERT INTO analytics.user_feedback (time_stamp, related_recommendation_id, feedback_content, session_id)
            VALUES (%s, %s, %s::jsonb, '00000000-0000-0000-0000-000000000001')
            """,
            [(time, None if place is None else place + 1, content) for time, place, content in FEEDBACK],
        )
    return connection


def rating(content: str | None) -> float | None:
    """The rating in a feedback's content, read without PostgreSQL."""
    value = json.loads(content) if content else None
    value = value.get("rating") if isinstance(value, dict) else None
    if isinstance(value, str):
        value = float(value) if value.strip().replace(".", "", 1).isdigit() else None
    return float(value) if isinstance(value, (int, float)) and 1 <= value <= 5 else None


def month_of(times: pd.Series[Any]) -> pd.Series[str]:
    instants = pd.to_datetime(times, utc=True, format="ISO8601")
    return instants.dt.tz_convert("Asia/Seoul").dt.strftime("%Y-%m-01")


def oracle() -> pd.DataFrame:
    """The funnel of all months, by pandas."""
    shown = pd.DataFrame(
        RECOMMENDATIONS, columns=["time", "method", "shop", "user", "session", "selection", "seconds"], dtype=object
    )
    shown["month"] = month_of(shown["time"])
    shown["recommendation_method"] = shown["method"].fillna("unknown")
    shown["shop_category"] = shown["shop"].fillna("unknown").replace("", "unknown")
    shown["selected"] = shown["selection"].map(lambda text: text is not None and text.strip() != "null").astype(bool)
    seconds = shown["seconds"].map(lambda text: float(text.split()[0]) if text and text != "infinity" else None)
    shown["seconds"] = pd.to_numeric(seconds).where(shown["selected"] & (pd.to_numeric(seconds) >= 0))
    given = pd.DataFrame(FEEDBACK, columns=["time", "place", "content"], dtype=object)
    given["rating"] = pd.to_numeric(given["content"].map(rating))
    about = given.dropna(subset=["place"]).astype({"place": int}).join(shown[["month", *KEY[1:]]], on="place")
    alone = given[given["place"].isna()].assign(recommendation_method="unknown", shop_category="unknown")
    alone["month"] = month_of(alone["time"])
    answered = shown.index.isin(about["place"])

    by_shown = shown.assign(answered=answered).groupby(KEY)
    by_given = pd.concat([about, alone]).groupby(KEY)
    funnel = pd.DataFrame(
        {
            "recommendations": by_shown.size(),
            "sessions": by_shown["session"].nunique(),
            "users": by_shown["user"].nunique(),
            "selections": by_shown["selected"].sum(),
            "answered": by_shown["answered"].sum(),
            "median_seconds_to_selection": by_shown["seconds"].median(),
        }
    ).join(
        pd.DataFrame(
            {
                "feedback_count": by_given.size(),
                "rating_count": by_given["rating"].count(),
                "rating_mean": by_given["rating"].mean().round(3),
            }
        ),
        how="outer",
    )
    counts = ["recommendations", "sessions", "users", "selections", "answered", "feedback_count", "rating_count"]
    funnel[counts] = funnel[counts].fillna(0).astype(int)
    some = funnel["recommendations"].where(funnel["recommendations"] > 0)
    funnel["selection_rate"] = (funnel["selections"] / some).round(5)
    funnel["feedback_rate"] = (funnel["answered"] / some).round(5)
    return funnel.drop(columns="answered").astype(float).sort_index()


def built(connection: Connection) -> pd.DataFrame:
    """The funnel as it stands in the database."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute("SELECT * FROM extracts.recommendation_funnel").fetchall()
    frame = pd.DataFrame(rows)
    frame["month"] = frame["month"].astype(str)
    return frame.set_index(KEY).astype(float).sort_index()


def assert_same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(found[list(expected)], expected, check_dtype=False)


def expected_for(*keys: str) -> pd.DataFrame:
    funnel = oracle()
    return funnel[funnel.index.get_level_values("month").isin(keys)]


def test_the_oracle_knows_the_cases() -> None:
    funnel = oracle()
    assert list(funnel.loc[("2024-08-01", "rag", "한식"), ["recommendations", "selections", "feedback_count"]]) == [
        5,
        2,
        6,
    ]
    assert funnel.loc[("2024-08-01", "rag", "한식"), "rating_mean"] == round((4 + 2 + 5) / 3, 3)
    assert funnel.loc[("2024-11-01", "unknown", "unknown"), "recommendations"] == 0
    assert funnel.loc[("2024-11-01", "unknown", "unknown"), ["selection_rate", "feedback_rate"]].isna().all()


def test_a_range_of_months_is_what_pandas_makes_of_the_raw_rows(graph: Graph, logs: Connection) -> None:
    run = graph.run("monthly_extracts", months("2024-08", "2024-11"))
    assert run.success
    assert_same(built(logs), expected_for("2024-08-01", "2024-09-01", "2024-10-01", "2024-11-01"))
    metadata = run.materialized(*FUNNEL.path)
    assert {
        month: (each["recommendations"], each["selections"], each["feedbacks"]) for month, each in metadata.items()
    } == {
        "2024-08-01": (5, 2, 7),
        "2024-09-01": (8, 7, 11),
        "2024-10-01": (1, 0, 0),
        "2024-11-01": (0, 0, 2),
    }
    assert metadata["2024-09-01"]["dagster/partition_row_count"] == metadata["2024-09-01"]["rows"] == 6
    assert metadata["2024-08-01"]["selection_rate"] == 0.4
    assert metadata["2024-11-01"]["selection_rate"] is None
    assert metadata["2024-11-01"]["rating_mean"] == 5


def test_months_one_by_one_are_the_same_as_a_range(graph: Graph, logs: Connection) -> None:
    for month in ("2024-10", "2024-08", "2024-11", "2024-09"):
        assert graph.run("monthly_extracts", months(month)).success
    assert_same(built(logs), expected_for("2024-08-01", "2024-09-01", "2024-10-01", "2024-11-01"))


def test_a_month_built_again_is_the_same_and_leaves_others_alone(graph: Graph, logs: Connection) -> None:
    assert graph.run("monthly_extracts", months("2024-08", "2024-11")).success
    logs.execute("UPDATE extracts.recommendation_funnel SET users = 77 WHERE month = '2024-08-01'")
    logs.execute("UPDATE extracts.recommendation_funnel SET users = 77 WHERE month = '2024-09-01'")
    assert graph.run("monthly_extracts", months("2024-09")).success
    found = built(logs)
    assert_same(found.loc[["2024-09-01"]], expected_for("2024-09-01"))
    assert found.xs("2024-08-01")["users"].eq(77).all()


@pytest.mark.parametrize("zone", ["UTC", "Asia/Seoul", "America/New_York"])
def test_bounds_are_seouls_midnights_whatever_the_sessions_time_zone(
    database: str, logs: Connection, zone: str
) -> None:
    with PostgresResource(url=database).connect("test") as owner:
        owner.execute("SELECT set_config('TimeZone', %s, false)", (zone,))
        replace_months(owner, EXTRACT, [Month(2024, 8), Month(2024, 9)], SEOUL)
    assert_same(built(logs), expected_for("2024-08-01", "2024-09-01"))


def test_late_feedback_comes_in_when_its_month_is_built_again(graph: Graph, logs: Connection) -> None:
    assert graph.run("monthly_extracts", months("2024-10")).success
    before = built(logs)
    logs.execute(
        "INSERT INTO analytics.user_feedback (time_stamp, related_recommendation_id, feedback_content, session_id) "
        "SELECT '2025-03-01', id, '{\"rating\": 3}', session_id FROM analytics.recommendations_log "
        "WHERE recommendation_method = 'wide_deep'"
    )
    assert graph.run("monthly_extracts", months("2024-10")).success
    after = built(logs)
    assert (before["feedback_count"].sum(), after["feedback_count"].sum()) == (0, 1)
    assert list(after["feedback_rate"]) == [1]
    assert list(after["rating_mean"]) == [3]


def test_feedback_whose_recommendation_is_gone_counts_in_its_own_month(graph: Graph, logs: Connection) -> None:
    logs.execute("DELETE FROM analytics.recommendations_log WHERE recommendation_method = 'rag'")
    assert graph.run("monthly_extracts", months("2024-08", "2024-11")).success
    lonely = built(logs).xs(("2024-08-01", "unknown", "unknown"))
    assert (lonely["recommendations"], lonely["feedback_count"]) == (0, 5)


def test_a_run_that_fails_leaves_the_old_month_whole(graph: Graph, logs: Connection) -> None:
    assert graph.run("monthly_extracts", months("2024-08", "2024-09")).success
    before = built(logs)
    logs.execute("ALTER TABLE extracts.recommendation_funnel ADD CHECK (recommendation_method <> 'hybrid') NOT VALID")
    run = graph.run("monthly_extracts", months("2024-08", "2024-09"))
    assert not run.success
    assert run.materialized(*FUNNEL.path) == {}
    assert_same(built(logs), before)


def test_two_runs_at_once_replace_one_after_the_other(database: str, logs: Connection) -> None:
    def build(_: int) -> None:
        with PostgresResource(url=database).connect("test") as owner:
            replace_months(owner, EXTRACT, [Month(2024, 8), Month(2024, 9)], SEOUL)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(build, range(4)))
    assert_same(built(logs), expected_for("2024-08-01", "2024-09-01"))


def test_an_extract_holds_nothing_of_the_months_around(graph: Graph, logs: Connection) -> None:
    assert graph.run("monthly_extracts", months("2024-09")).success
    assert {month for month, *_ in built(logs).index} == {"2024-09-01"}
    assert one(logs, "SELECT sum(recommendations) FROM extracts.recommendation_funnel") == 8
