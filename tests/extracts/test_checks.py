"""Each check of the extracts: a planted defect is found in its month, and following the advice repairs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest
from psycopg import sql

from tests.extracts.dirt import plant
from tests.extracts.support import MONTHS, ZONE, build
from tests.graph import Graph, months
from tests.support import Connection, every, one, present_month
from yumai_pipelines.defs.extracts.checks import PROOFS, freshness, reconciliation, unbuilt
from yumai_pipelines.defs.metadata import asset_key
from yumai_pipelines.extracts.ledger import entries
from yumai_pipelines.extracts.proof import unlike, unlike_before
from yumai_pipelines.model.months import Month
from yumai_pipelines.model.registry import EXTRACTS, extract_of
from yumai_pipelines.schema.snapshot import columns

if TYPE_CHECKING:
    from yumai_pipelines.model.entries import Extract

RANGE = months("2024-11", "2025-02")


@pytest.fixture
def dirty(connection: Connection) -> Connection:
    """The login's connection to a database with dirty logs."""
    plant(connection, MONTHS, ZONE, rows=150, seed=11)
    return connection


@pytest.fixture
def built(graph: Graph, dirty: Connection) -> Graph:
    """The graph on a database with dirty logs, whose extracts are built."""
    assert dirty
    run = graph.run("monthly_extracts", RANGE)
    assert run.success
    assert not {name for name in run.failed_checks() if name.startswith("extracts")}
    return graph


def unconstrain(connection: Connection, extract: Extract) -> None:
    """Drop the constraints that keep the rows of an extract valid."""
    for name, kind in every(
        connection,
        "SELECT conname, contype FROM pg_constraint WHERE conrelid = %s::regclass ORDER BY contype <> 'c'",
        str(extract.relation),
    ):
        if kind != "n":
            drop = sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}")
            connection.execute(drop.format(extract.relation.identifier, sql.Identifier(name)))
    for column in extract.key:
        drop = sql.SQL("ALTER TABLE {} ALTER {} DROP NOT NULL")
        connection.execute(drop.format(extract.relation.identifier, sql.Identifier(column)))


OUTCOMES, FUNNEL = "recommendation_outcomes", "recommendation_funnel"
DEFECTS = [
    (
        "recommendation_outcomes",
        "UPDATE {e} SET was_selected = NOT was_selected {one}",
        "reconciled",
        "name selections",
    ),
    (OUTCOMES, "DELETE FROM {e} {one}", "reconciled", "name recommendations"),
    (OUTCOMES, "UPDATE {e} SET listed_shops = 77 {one}", "reconciled", "name places in lists"),
    (OUTCOMES, "UPDATE {e} SET rating_mean = 7 {one}", "valid_rows", "rating_mean is not in 1 to 5"),
    (
        "recommendation_outcomes",
        "UPDATE {e} SET selected_rank = 0 {one}",
        "valid_rows",
        "selected_rank is not in 1 to ∞",
    ),
    (OUTCOMES, "UPDATE {e} SET recommendation_id = NULL {one}", "valid_rows", "NULL in the key"),
    (FUNNEL, "UPDATE {e} SET recommendations = 77 {one}", "reconciled", "name recommendations"),
    (FUNNEL, "UPDATE {e} SET feedback_count = 77 {one}", "reconciled", "name feedbacks"),
    (FUNNEL, "UPDATE {e} SET selection_rate = 0.77 {one}", "valid_rows", "selection_rate is not"),
    (FUNNEL, "UPDATE {e} SET feedback_rate = 2 {one}", "valid_rows", "feedback_rate is not in 0 to 1"),
    (
        "recommendation_funnel",
        "UPDATE {e} SET feedback_rate = NULL {one}",
        "valid_rows",
        "feedback_rate is not in 0 to 1",
    ),
    (FUNNEL, "UPDATE {e} SET median_seconds_to_selection = -1 {one}", "valid_rows", "median_seconds"),
    ("shop_performance", "UPDATE {e} SET listed = 77 {one}", "reconciled", "name listed"),
    ("shop_performance", "UPDATE {e} SET selections = 77 {one}", "reconciled", "name selections"),
    ("shop_performance", "UPDATE {e} SET feedback_count = 77 {one}", "reconciled", "name feedbacks on shops"),
    ("shop_performance", "UPDATE {e} SET mean_rank = 0.5 {one}", "valid_rows", "mean_rank is not in 1 to ∞"),
    ("feedback_summary", "UPDATE {e} SET linked = 77 {one}", "reconciled", "name feedbacks on a recommendation"),
    ("feedback_summary", "UPDATE {e} SET rating_count = 77 {one}", "reconciled", "name valid ratings"),
    ("feedback_summary", "INSERT INTO {e} SELECT * FROM {e} {one}", "valid_rows", "the key is there twice"),
    ("score_calibration", "UPDATE {e} SET recommendations = 77 {one}", "reconciled", "scores"),
    ("score_calibration", "UPDATE {e} SET selection_rate = NULL {one}", "valid_rows", "selection_rate is not"),
    ("score_calibration", "UPDATE {e} SET mean_score = 2 {one}", "valid_rows", "mean_score is not in 0 to 1"),
]


def test_every_defect_is_found_in_its_month(dirty: Connection) -> None:
    """Each defect is planted in a transaction of its own, since a database for each would take minutes."""
    build(dirty)
    measures = {proof.name: proof.measure for proof in PROOFS}
    for name, defect, check, said in DEFECTS:
        extract = extract_of(name)
        first = sql.SQL(
            "WHERE (tableoid, ctid) = (SELECT tableoid, ctid FROM {} WHERE month = '2024-12-01' ORDER BY ctid LIMIT 1)"
        ).format(extract.relation.identifier)
        with dirty.transaction(force_rollback=True):
            unconstrain(dirty, extract)
            dirty.execute(sql.SQL(defect).format(e=extract.relation.identifier, one=first))
            found = measures[check](dirty, extract, MONTHS, ZONE, entries(dirty, MONTHS))
            assert [month for month, each in found.items() if not each.passed] == [MONTHS[1]], defect
            assert said in found[MONTHS[1]].description, defect
            assert f"materialize the partition 2024-12-01 of extracts/{name}" in found[MONTHS[1]].description
        found = measures[check](dirty, extract, MONTHS, ZONE, entries(dirty, MONTHS))
        assert all(each.passed for each in found.values())


def test_a_tampered_extract_fails_its_check_and_is_built_anew_as_advised(built: Graph, connection: Connection) -> None:
    key = asset_key(extract_of("shop_performance").relation)
    connection.execute("UPDATE extracts.shop_performance SET listed = listed + 1 WHERE month = '2024-12-01'")
    failing = built.check(*key.path, "reconciled").evaluations(*key.path, "reconciled")
    assert {month: each.severity for month, each in failing.items() if not each.passed} == {
        "2024-12-01": dg.AssetCheckSeverity.ERROR
    }
    again = built.materialize(key, tags=months("2024-12"))
    assert again.success
    assert again.failed_checks() == set()


def test_late_feedback_is_found_until_its_month_is_built_again(dirty: Connection) -> None:
    build(dirty)
    dirty.execute(
        "INSERT INTO user_feedback (session_id, related_recommendation_id, time_stamp, feedback_target_type) "
        "SELECT session_id, id, '2025-02-20', 'shop' FROM recommendations_log WHERE id = ("
        "SELECT max(recommendation_id) FROM extracts.recommendation_outcomes WHERE month = '2024-12-01')"
    )

    def stale() -> dict[str, list[Month | None]]:
        ledger = entries(dirty, MONTHS)
        found = {each.relation.name: reconciliation(dirty, each, MONTHS, ZONE, ledger) for each in EXTRACTS}
        return {name: [month for month, each in by.items() if not each.passed] for name, by in found.items()}

    affected = {each.relation.name for each in EXTRACTS} - {"score_calibration"}
    assert {name for name, found in stale().items() if found == [MONTHS[1]]} == affected
    build(dirty, [MONTHS[1]])
    assert not any(stale().values())


def test_a_month_whose_logs_have_changed_is_a_warning_until_it_is_built_again(
    built: Graph, connection: Connection
) -> None:
    check = ("extracts", "shop_performance", "of_the_logs_as_they_are")

    def found() -> dict[str | None, bool]:
        return {month: each.passed for month, each in built.check(*check).evaluations(*check).items()}

    assert set(found().values()) == {True}
    connection.execute(
        "INSERT INTO user_feedback (session_id, related_recommendation_id, time_stamp) SELECT session_id, id, "
        "'2025-02-20' FROM recommendations_log WHERE time_stamp >= '2024-12-03' AND time_stamp < '2024-12-29' LIMIT 3"
    )
    assert [month for month, passed in found().items() if not passed] == ["2024-12-01"]
    evaluation = built.check(*check).evaluations(*check)["2024-12-01"]
    assert evaluation.severity == dg.AssetCheckSeverity.WARN
    assert evaluation.metadata["feedback"].value == 3
    assert "materialize the partition 2024-12-01 of extracts/shop_performance" in (evaluation.description or "")
    again = built.materialize(dg.AssetKey(check[:2]), tags=months("2024-12"))
    # One extract alone does not settle the month for the others.
    assert not again.evaluations(*check)["2024-12-01"].passed
    built.run("monthly_extracts", months("2024-12"))
    assert set(found().values()) == {True}


def test_the_changes_of_a_purged_month_are_shown_and_fail_nothing(built: Graph, connection: Connection) -> None:
    connection.execute(
        "UPDATE extracts.ledger SET purged_at = now(), late_feedback = 4, late_at = now() WHERE month = '2024-12-01'"
    )
    check = ("extracts", "feedback_summary", "of_the_logs_as_they_are")
    evaluation = built.check(*check).evaluations(*check)["2024-12-01"]
    assert evaluation.passed
    assert evaluation.metadata["late_feedback"].value == 4
    assert "0 recommendations and 4 feedbacks" in (evaluation.description or "")


def test_the_ledger_keeps_whether_a_month_passed(built: Graph, connection: Connection) -> None:
    assert {entry.checks_passed for entry in entries(connection, MONTHS).values()} == {True}
    build(connection, MONTHS[:1])
    after = entries(connection, MONTHS)
    assert {entry.checks_passed for (_, month), entry in after.items() if month == MONTHS[0]} == {None}
    connection.execute("UPDATE extracts.shop_performance SET listed = listed + 1 WHERE month = '2024-12-01'")
    built.materialize(dg.AssetKey(["extracts", "feedback_summary"]), tags=months("2024-11"))
    built.check("extracts", "shop_performance", "reconciled")
    ledger = entries(connection, MONTHS)
    # One of two blocking checks changes nothing in the ledger, neither for good nor for bad.
    assert ledger["shop_performance", MONTHS[1]].checks_passed is True
    assert ledger["feedback_summary", MONTHS[0]].checks_passed is True
    built.check_asset("extracts", "shop_performance")
    ledger = entries(connection, MONTHS)
    assert ledger["shop_performance", MONTHS[1]].checks_passed is False
    assert ledger["shop_performance", MONTHS[2]].checks_passed is True


def test_a_purged_month_is_not_counted_again(graph: Graph, dirty: Connection) -> None:
    build(dirty)
    dirty.execute("UPDATE extracts.ledger SET purged_at = '2025-04-01' WHERE month = '2024-12-01'")
    dirty.execute("DELETE FROM recommendations_log")
    check = ("extracts", "recommendation_funnel", "reconciled")
    found = graph.check(*check).evaluations(*check)
    assert [month for month, each in found.items() if each.passed] == ["2024-12-01"]
    assert "retention deleted some of them" in (found["2024-12-01"].description or "")


def test_a_month_unlike_those_before_it_is_a_warning(connection: Connection) -> None:
    connection.execute("SELECT start_session(NULL)")
    fill = (
        "INSERT INTO recommendations_log (session_id, time_stamp, recommendations, recommendation_count, "
        "recommendation_method, user_selection, confidence_score) SELECT session_id, %s + n * interval '1 minute', "
        "'[{\"shop_id\": 1}]', 1, 'method ' || n %% 40, CASE WHEN n %% 4 = 0 THEN '{\"shop_id\": 1}'::json END, 0.25 "
        "FROM session_master CROSS JOIN generate_series(1, %s) AS n"
    )
    span = [*Month(2024, 8).through(Month(2025, 1))]
    for month, count in zip(span, (400, 420, 380, 410, 400, 1000), strict=True):
        connection.execute(fill.encode(), (month.start(ZONE), count))
    build(connection, span)
    funnel = extract_of("recommendation_funnel")
    found = unlike_before(connection, funnel, span, ZONE)
    assert {month.key: {row["name"] for row in rows} for month, rows in found.items() if rows} == {
        "2025-01": {"recommendations", "selections"}
    }
    assert found[span[-1]][0] == {
        "name": "recommendations",
        "value": 1000,
        "usual": 400,
        "limit": "2 times more or less",
    }


@pytest.mark.parametrize(
    ("volume", "before", "value", "limit"),
    [
        (30_000, (10.0, 11.0, 10.5), 13.2, "1.25 times more or less"),
        (30_000, (10.0, 11.0, 10.5), 8.3, "1.25 times more or less"),
        (30_000, (10.0, 11.0, 10.5), 0.0, "1.25 times more or less"),
        (30_000, (10.0, 11.0, 10.5), 13.1, None),
        (29_999, (10.0, 11.0, 10.5), 20.9, None),
        (29_999, (10.0, 11.0, 10.5), 21.1, "2 times more or less"),
        (30_000, (400, 420, 380), 799, None),
        (30_000, (400, 420, 380), 801, "2 times more or less"),
        (30_000, (400, 420, 380), 199, "2 times more or less"),
        (30_000, (40, 42, 38), 81, None),
        (99, (10.0, 11.0, 10.5), 100.0, None),
    ],
)
def test_how_far_a_measure_may_be_from_the_months_before(
    volume: int, before: tuple[float, ...], value: float, limit: str | None
) -> None:
    span = [*Month(2024, 8).through(Month(2025, 2))]
    summaries: dict[Month, dict[str, Any]] = {month: {"rows": 0} for month in span}
    for month, measure in zip(span[3:], (*before, value), strict=True):
        summaries[month] = {"rows": volume, "measure": measure}
    found = [(row["name"], row["limit"]) for row in unlike(span[-1], summaries)]
    assert found == ([("measure", limit)] if limit else [])


def test_the_check_of_likeness_warns_and_blocks_nothing(graph: Graph) -> None:
    everything = graph.definitions.resolve_asset_graph()
    for extract in EXTRACTS:
        spec = everything.get_check_spec(dg.AssetCheckKey(asset_key(extract.relation), "like_the_months_before"))
        assert not spec.blocking


def test_an_extract_that_lacks_the_last_month_is_named(graph: Graph, dirty: Connection) -> None:
    build(dirty)
    assert unbuilt(dirty, MONTHS[1], ZONE) == []
    dirty.execute("DELETE FROM extracts.ledger WHERE month = '2024-12-01' AND extract = 'shop_performance'")
    assert unbuilt(dirty, MONTHS[1], ZONE) == ["shop_performance"]
    # There are no recommendations in months after the end of the logs.
    assert unbuilt(dirty, Month(2026, 1), ZONE) == []
    finding = freshness(extract_of("shop_performance"), MONTHS[1], ["shop_performance"])
    assert not finding.passed
    assert "materialize the partition 2024-12-01 of extracts/shop_performance" in finding.description
    last = present_month() - 1
    session = one(dirty, "SELECT start_session(NULL)")
    dirty.execute(
        "INSERT INTO recommendations_log (session_id, time_stamp, recommendations, recommendation_count) "
        "VALUES (%s, %s, '[]', 0)",
        (session, last.start(ZONE)),
    )
    run = graph.check("extracts", "feedback_summary", "has_the_last_month")
    evaluation = run.evaluation("extracts", "feedback_summary", "has_the_last_month")
    assert (evaluation.passed, evaluation.severity) == (False, dg.AssetCheckSeverity.WARN)


@pytest.mark.parametrize("extract", EXTRACTS, ids=lambda each: each.relation.name)
def test_every_column_is_described_and_has_its_lineage(extract: Extract) -> None:
    described = columns(extract.relation)
    assert [column.name for column in described if not column.description] == []
    lineage = extract.lineage
    assert list(lineage) == [column.name for column in described]
    for source in (source for sources in lineage.values() for source in sources):
        assert set(source.columns) <= {column.name for column in columns(source.relation)}
