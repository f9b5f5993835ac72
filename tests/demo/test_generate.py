"""The rows of the demonstration, before they are loaded into a database."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from yumai_pipelines.demo import vocabulary
from yumai_pipelines.demo.generate import SESSIONS_AT_ONCE, Size, generate
from yumai_pipelines.demo.world import CATEGORIES
from yumai_pipelines.model import registry
from yumai_pipelines.model.months import Month
from yumai_pipelines.schema.tables import SESSION_CHILDREN, TABLES

if TYPE_CHECKING:
    from yumai_pipelines.model.relations import Relation

SEOUL = ZoneInfo("Asia/Seoul")
UNTIL = datetime(2025, 3, 20, 14, 30, tzinfo=SEOUL)
SIZE = Size(sessions=6000, months=4, seed=7)
FUTURE = {("chatbot.coupons", "valid_until")}
"""The only column with times after the present."""

Tables = dict["Relation", pd.DataFrame]


def make(size: Size, until: datetime = UNTIL) -> Tables:
    parts: dict[Relation, list[pd.DataFrame]] = {}
    for chunk in generate(size, until=until, zone=SEOUL):
        for batch in chunk.batches:
            parts.setdefault(batch.relation, []).append(batch.rows.to_pandas())
    return {relation: pd.concat(frames, ignore_index=True) for relation, frames in parts.items()}


@pytest.fixture(scope="module")
def tables() -> Tables:
    return make(SIZE)


@pytest.fixture(scope="module")
def recommendations(tables: Tables) -> pd.DataFrame:
    log = tables[registry.RECOMMENDATIONS]
    return log.assign(selected=log.user_selection.notna() & (log.user_selection != "null"))


def seoul(times: pd.Series[pd.Timestamp]) -> pd.Series[pd.Timestamp]:
    return times.dt.tz_convert("Asia/Seoul")


def test_same_seed_makes_the_same_rows() -> None:
    size = Size(sessions=300, months=2, seed=3)
    first, second = make(size), make(size)
    for relation, frame in first.items():
        pd.testing.assert_frame_equal(frame, second[relation])


def test_another_seed_makes_other_rows() -> None:
    first, second = (make(Size(sessions=300, months=2, seed=seed)) for seed in (3, 4))
    assert set(first[registry.SESSIONS].session_id).isdisjoint(second[registry.SESSIONS].session_id)


def test_every_table_gets_rows_and_ids_from_one_on(tables: Tables) -> None:
    assert set(tables) == {table.relation for table in TABLES}
    for table in TABLES:
        frame = tables[table.relation]
        assert len(frame) > 0, table.relation
        if "id" in table.key:
            assert (frame.id == np.arange(1, len(frame) + 1)).all(), table.relation


def test_size_is_what_was_asked_for(tables: Tables) -> None:
    assert len(tables[registry.SESSIONS]) == SIZE.sessions
    assert 3.8 < len(tables[registry.CONVERSATIONS]) / SIZE.sessions < 4.2


def test_every_month_has_conversations_and_none_is_outside(tables: Tables) -> None:
    months = {Month.of(each, SEOUL) for each in tables[registry.CONVERSATIONS].conversation_time}
    assert months == set(Month(2024, 12).through(Month(2025, 3)))


def test_nothing_is_later_than_until(tables: Tables) -> None:
    for relation, frame in tables.items():
        for column in frame.select_dtypes("datetimetz"):
            if (str(relation), column) not in FUTURE:
                assert frame[column].max() <= UNTIL.astimezone(UTC), f"{relation}.{column}"


def test_shops_of_all_categories_stand_in_all_districts(tables: Tables) -> None:
    shops = tables[registry.SHOPS]
    assert set(shops.category) == set(CATEGORIES)
    assert len(CATEGORIES) == 13
    district = shops.address_name.str.split().str[1]
    assert set(district) == {each.name for each in vocabulary.DISTRICTS}
    hubs = {each.name: each for each in vocabulary.DISTRICTS}
    assert (shops.latitude - district.map(lambda name: hubs[name].latitude)).abs().max() < 0.04
    assert (shops.longitude - district.map(lambda name: hubs[name].longitude)).abs().max() < 0.04


def test_conversations_have_all_intents_and_say_what_their_entities_are(tables: Tables) -> None:
    conversations = tables[registry.CONVERSATIONS]
    assert set(conversations.extracted_intent) == {intent.name for intent in vocabulary.INTENTS}
    for text, entities in zip(conversations.input_text, conversations.extracted_entities.map(json.loads), strict=True):
        assert all(str(value) in text for value in entities.values()), (text, entities)
    assert not conversations.input_text.str.contains("[<>]").any()
    assert not conversations.response_text.str.contains("[<>]").any()


def test_previous_intent_is_that_of_the_turn_before(tables: Tables) -> None:
    conversations = tables[registry.CONVERSATIONS]
    before = conversations.groupby("session_id").extracted_intent.shift()
    assert (before.fillna("") == conversations.previous_intent.fillna("")).all()
    assert (conversations.groupby("session_id").cumcount() + 1 == conversations.conversation_turn).all()


def test_sessions_follow_the_rhythm_of_day_and_week(tables: Tables) -> None:
    start = seoul(tables[registry.SESSIONS].session_start)
    hours = start.dt.hour.value_counts()
    assert hours[[12, 18]].min() > 10 * hours[[2, 3, 4]].max()
    assert hours[[12, 18]].min() > 1.5 * hours[[9, 15]].max()
    days = start.dt.day_of_week.value_counts()
    assert days[4] > 1.15 * days[1]
    weekend = start.dt.day_of_week >= 5
    assert start[weekend].dt.hour.median() > start[~weekend].dt.hour.quantile(0.4)


def test_users_come_back_and_some_sessions_are_anonymous(tables: Tables) -> None:
    sessions = tables[registry.SESSIONS]
    assert 0.08 < sessions.user_id.isna().mean() < 0.16
    assert sessions.user_id.value_counts().max() > 20
    joined = tables[registry.USERS].set_index("id").created_at
    known = sessions.dropna(subset="user_id")
    assert (known.user_id.map(joined) <= known.session_start).all()


@pytest.mark.parametrize("table", [each.relation for each in SESSION_CHILDREN], ids=str)
def test_rows_have_the_user_of_their_session(tables: Tables, table: Relation) -> None:
    users = tables[registry.SESSIONS].set_index("session_id").user_id
    rows = tables[table]
    assert (rows.session_id.map(users).fillna(0) == rows.user_id.fillna(0)).all()


def test_sessions_end_after_their_last_turn_but_for_a_few_that_nobody_closed(tables: Tables) -> None:
    sessions = tables[registry.SESSIONS].set_index("session_id")
    last = tables[registry.CONVERSATIONS].groupby("session_id").conversation_time.max()
    ended = sessions[~sessions.is_active]
    assert (ended.session_end >= last.reindex(ended.index).fillna(ended.session_start)).all()
    still_open = sessions[sessions.is_active]
    assert still_open.session_end.isna().all()
    age = UNTIL.astimezone(UTC) - still_open.session_start
    assert (age > pd.Timedelta(days=1)).sum() >= 3
    assert (age < pd.Timedelta(days=1)).sum() >= 3
    assert age.max() < pd.Timedelta(days=12)


def test_selected_shop_is_the_listed_one_of_that_rank(recommendations: pd.DataFrame) -> None:
    for row in recommendations[recommendations.selected].itertuples():
        selection, listed = json.loads(str(row.user_selection)), json.loads(str(row.recommendations))
        assert listed[selection["rank"] - 1]["shop_id"] == selection["shop_id"]
        assert len(listed) == row.recommendation_count
    chosen = recommendations.selection_timestamp.notna()
    assert (chosen == recommendations.selected).all()
    assert (recommendations.selection_timestamp >= recommendations.time_stamp)[chosen].all()


@pytest.mark.parametrize("score", ["confidence_score", "wide_score", "deep_score", "rag_score"])
def test_selections_rise_with_the_score(recommendations: pd.DataFrame, score: str) -> None:
    scored = recommendations.dropna(subset=score)
    assert np.corrcoef(scored[score], scored.selected)[0, 1] > 0.15
    rates = scored.groupby(pd.qcut(scored[score], 5, labels=False)).selected.mean()
    assert rates.is_monotonic_increasing
    assert rates.iloc[-1] > 1.5 * rates.iloc[0]


def test_methods_are_calibrated_differently(recommendations: pd.DataFrame) -> None:
    by_method = recommendations.groupby("recommendation_method")
    excess = by_method.confidence_score.mean() - by_method.selected.mean()
    assert excess["wide_deep"] > 0.05
    assert abs(excess["hybrid"]) < 0.05
    assert excess["rag"] < -0.05


def test_the_top_of_the_list_is_selected_most(recommendations: pd.DataFrame) -> None:
    ranks = recommendations[recommendations.selected].user_selection.map(lambda text: json.loads(text)["rank"])
    counts = ranks.value_counts().sort_index()
    assert counts.is_monotonic_decreasing
    assert list(counts.index) == [1, 2, 3, 4, 5]


def test_selections_take_seconds_to_minutes(recommendations: pd.DataFrame) -> None:
    seconds = (recommendations.selection_timestamp - recommendations.time_stamp).dt.total_seconds().dropna()
    assert 20 < seconds.median() < 30
    assert seconds.mean() > 1.2 * seconds.median()


def test_feedback_is_of_every_type_and_in_its_recommendations_session(tables: Tables) -> None:
    feedback = tables[registry.FEEDBACK]
    assert set(feedback.feedback_type) == {"selection", "rating", "text", "implicit", "complaint", "share"}
    assert set(feedback.feedback_target_type) == {"shop", "recommendation", "conversation", "service"}
    log = tables[registry.RECOMMENDATIONS].set_index("id")
    related = feedback.dropna(subset="related_recommendation_id")
    assert (related.related_recommendation_id.map(log.session_id) == related.session_id).all()
    assert (related.related_recommendation_id.map(log.time_stamp) <= related.time_stamp).all()
    assert feedback.related_recommendation_id.isna().any()


def test_every_closed_month_gets_late_feedback_in_the_next(tables: Tables) -> None:
    feedback = tables[registry.FEEDBACK].dropna(subset="related_recommendation_id")
    log = tables[registry.RECOMMENDATIONS].set_index("id")
    given = [Month.of(each, SEOUL) for each in feedback.time_stamp]
    made = [Month.of(each, SEOUL) for each in feedback.related_recommendation_id.map(log.time_stamp)]
    late = {month for month, after in zip(made, given, strict=True) if after == month + 1}
    assert late == set(Month(2024, 12).through(Month(2025, 2)))


def test_a_little_is_dirty(tables: Tables, recommendations: pd.DataFrame) -> None:
    feedback = tables[registry.FEEDBACK]
    contents = feedback[feedback.feedback_type == "rating"].feedback_content
    ratings = contents.map(lambda text: json.loads(text).get("rating") if isinstance(text, str) else None)
    valid = ratings.map(lambda rating: str(rating) in "12345")
    assert 0.003 < 1 - valid.mean() < 0.03
    assert {"five", 9} <= {rating for rating in ratings if isinstance(rating, str | int)}

    lists = recommendations.recommendations.map(json.loads)
    assert 0.002 < lists.map(lambda shops: isinstance(shops, dict) or not shops).mean() < 0.02
    known = set(tables[registry.SHOPS].id)
    unknown = lists.map(lambda shops: isinstance(shops, list) and any(item["shop_id"] not in known for item in shops))
    assert 0.002 < unknown.mean() < 0.02
    assert (recommendations.user_selection == "null").any()
    for column in ("confidence_score", "recommendation_method", "shop_id"):
        assert 0.002 < recommendations[column].isna().mean() < 0.03, column


def test_better_recommendations_get_better_ratings(tables: Tables, recommendations: pd.DataFrame) -> None:
    feedback = tables[registry.FEEDBACK].dropna(subset=["related_recommendation_id", "feedback_content"])
    stars = pd.to_numeric(feedback.feedback_content.str.extract(r'"rating": ([1-5])\b')[0])
    confidence = feedback.related_recommendation_id.map(recommendations.set_index("id").confidence_score)
    there = stars.notna() & confidence.notna()
    assert np.corrcoef(stars[there], confidence[there])[0, 1] > 0.1


def test_nobody_real_can_be_reached(tables: Tables) -> None:
    users = tables[registry.USERS]
    assert users.email.dropna().str.fullmatch(r"[^@]+@example\.(com|org)").all()
    assert users.phone_number.str.startswith("010-0000-").all()
    networks = ("192.0.2.", "198.51.100.", "203.0.113.", "2001:db8:")
    assert tables[registry.SESSIONS].ip_address.str.startswith(networks).all()


def test_a_chunk_holds_a_stretch_of_time_whatever_the_size() -> None:
    chunks = [chunk.sessions for chunk in generate(Size(sessions=30_000, months=2), until=UNTIL, zone=SEOUL)]
    assert sum(chunks) == 30_000
    assert max(chunks) < 1.1 * SESSIONS_AT_ONCE


def test_months_begin_at_seoul_midnights() -> None:
    size = Size(sessions=400, months=1)
    start = make(size, datetime(2025, 1, 1, 1, 0, tzinfo=SEOUL))[registry.SESSIONS].session_start
    assert start.min() >= pd.Timestamp("2025-01-01 00:00", tz="Asia/Seoul")
    assert start.max() <= pd.Timestamp("2025-01-01 01:00", tz="Asia/Seoul")


@pytest.mark.parametrize("minutes", [0, 1, 60])
def test_a_month_that_has_just_begun_has_its_sessions(minutes: int) -> None:
    until = datetime(2025, 1, 1, tzinfo=SEOUL) + timedelta(minutes=minutes)
    assert len(make(Size(sessions=3, months=1), until)[registry.SESSIONS]) == 3


@pytest.mark.parametrize(("sessions", "months"), [(0, 8), (10, 0)])
def test_no_data_is_refused(sessions: int, months: int) -> None:
    with pytest.raises(ValueError, match="give 1 or more of each"):
        Size(sessions=sessions, months=months)


def test_an_end_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="has no time zone"):
        next(generate(Size(), until=UNTIL.replace(tzinfo=None), zone=SEOUL))
