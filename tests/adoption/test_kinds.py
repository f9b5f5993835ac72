"""Kinds of differences one by one: what is refused before anything is changed, and what becomes of the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.adoption.test_adoption import SETTINGS, adopted, catalogue, older
from tests.support import every, one
from yumai_pipelines.adoption import NotToBeAdoptedError, inspect
from yumai_pipelines.adoption.types import becomes, comparable, readable, widens
from yumai_pipelines.schema.differences import drift

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Databases


@pytest.fixture
def other(databases: Databases) -> Iterator[tuple[str, str]]:
    """An older database whose order side has another design, with every defect of the rows."""
    with older(databases, "other_orders") as urls:
        yield urls


REFUSED = {
    "a key of another type": (
        "ALTER TABLE chatbot.shops ALTER id DROP IDENTITY; ALTER TABLE chatbot.shops ALTER id TYPE text",
        "column chatbot.shops.id is .*: it is a key of another type",
    ),
    "the same key twice": (
        "ALTER TABLE chatbot.shops DROP CONSTRAINT shops_pkey CASCADE; "
        "INSERT INTO chatbot.shops (id, shop_name) OVERRIDING SYSTEM VALUE VALUES (1, 'again')",
        r"chatbot\.shops\.id is a key, and 1 values stand in several rows: \(1\)",
    ),
    "a table of ours elsewhere": (
        "CREATE TABLE public.orders (id int)",
        "relation chatbot.orders is missing: it is missing, and public has a table of its name",
    ),
    "a view in the place of a table": (
        "CREATE VIEW chatbot.orders AS SELECT 1 AS id",
        "relation chatbot.orders is .*: it is no plain table",
    ),
    "a table in the place of the view": (
        "DROP MATERIALIZED VIEW chatbot.recent_conversations; CREATE TABLE chatbot.recent_conversations (id int)",
        "relation chatbot.recent_conversations is .*: it is no view",
    ),
    "a column that every new user has to have": (
        "ALTER TABLE chatbot.users ADD tenant int; UPDATE chatbot.users SET tenant = 1; "
        "ALTER TABLE chatbot.users ALTER tenant SET NOT NULL",
        r"ALTER TABLE chatbot\.users ALTER tenant SET DEFAULT …",
    ),
    "a user whose number is too large": (
        "ALTER TABLE analytics.recommendations_log ALTER user_id TYPE bigint; "
        "UPDATE analytics.recommendations_log SET user_id = 3000000000 WHERE id = 1",
        r"analytics\.recommendations_log\.user_id has 3000000000, which chatbot\.users\.id cannot hold: it is integer",
    ),
}


@pytest.mark.parametrize(("statements", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_has_to_be_decided_first_is_refused_before_anything_is_changed(
    databases: Databases, statements: str, reason: str
) -> None:
    with older(databases, "lost_keys") as (url, owner):
        with psycopg.connect(owner, autocommit=True) as application:
            for statement in ("ALTER TABLE chatbot.menus DROP CONSTRAINT menus_shop_id_fkey", *statements.split("; ")):
                application.execute(statement.encode())
        before = catalogue(url)
        assert inspect(url, SETTINGS).refusals
        with pytest.raises(NotToBeAdoptedError, match=reason):
            adopted(url)
        assert catalogue(url) == before


def test_every_value_of_another_design_is_there(other: tuple[str, str]) -> None:
    url, _ = other
    questions = {
        "SELECT id, coupon_name, coupon_code, coupon_type, valid_from::text FROM chatbot.coupons": "",
        "SELECT user_id, coupon_status, acquisition_chance::text FROM chatbot.user_wallet": "",
        "SELECT id, order_status::text, order_time::text, quantity, price FROM chatbot.orders": "",
        "SELECT shop_id FROM chatbot.orders": "SELECT shop_id_older FROM chatbot.orders",
        "SELECT order_id, user_wallet_id, discount FROM chatbot.orders_coupons": "",
        "SELECT review_comment::text FROM chatbot.reviews": "",
        "SELECT is_food_card_shop FROM chatbot.shops": "SELECT is_food_card_shop_older FROM chatbot.shops",
        "SELECT favorite_shops FROM chatbot.user_profiles": "SELECT favorite_shops_older FROM chatbot.user_profiles",
        "SELECT id, request_budget, confidence_score, recommendations::text FROM analytics.recommendations_log": (
            "SELECT id, request_budget_older, confidence_score_older, recommendations_older::text "
            "FROM analytics.recommendations_log"
        ),
        "SELECT id, feedback_content FROM analytics.user_feedback": (
            "SELECT id, feedback_content_older FROM analytics.user_feedback"
        ),
        "SELECT id, feedback_target_id::text, feedback_type::text FROM analytics.user_feedback": "",
    }
    with psycopg.connect(url, autocommit=True) as connection:
        before = {question: sorted(map(str, every(connection, question))) for question in questions}
        adopted(url)
        for question, now in questions.items():
            assert sorted(map(str, every(connection, now or question))) == before[question], question
        assert (
            every(
                connection,
                "SELECT request_budget, confidence_score, recommendations FROM analytics.recommendations_log "
                "WHERE id IN (1, 2) ORDER BY id",
            )[1][0]
            == 10000
        )
        assert one(connection, "SELECT feedback_content FROM analytics.user_feedback WHERE id = 1") == "not at all JSON"
        assert one(connection, "SELECT favorite_shops FROM chatbot.user_profiles WHERE user_id = 1") == [1, 2]
        assert one(connection, "SELECT count(DISTINCT id) FROM chatbot.orders_coupons") == 3


def test_the_older_application_goes_on_writing_in_its_own_types(other: tuple[str, str]) -> None:
    url, owner = other
    adopted(url)
    with psycopg.connect(owner, autocommit=True) as application:
        application.execute(
            "INSERT INTO analytics.recommendations_log (user_id, time_stamp, request_budget, confidence_score, "
            "recommendations, recommendation_count) VALUES (1, '2025-03-01 12:00', '12000', 0.98765, '[1]', 1)"
        )
        application.execute("INSERT INTO chatbot.orders (user_id, shop_id, order_status) VALUES (1, '3', 'ready')")
        application.execute(
            "INSERT INTO chatbot.orders_coupons (order_id, user_wallet_id) SELECT 701, id FROM chatbot.user_wallet"
        )
        row = (
            "SELECT request_budget, request_budget_older, confidence_score FROM analytics.recommendations_log "
            "ORDER BY id DESC"
        )
        budget, older_budget, score = every(application, row)[0]
        assert (budget, older_budget, str(score)) == (12000, "12000", "0.988")
        assert every(application, "SELECT shop_id, shop_id_older FROM chatbot.orders ORDER BY id DESC")[0] == (3, "3")
        application.execute("UPDATE chatbot.orders SET shop_id = NULL")
        assert every(application, "SELECT DISTINCT shop_id_older FROM chatbot.orders") == [(None,)]


def test_a_change_of_what_was_accepted_is_drift_again(other: tuple[str, str]) -> None:
    url, _ = other
    adopted(url)
    with psycopg.connect(url, autocommit=True) as connection:
        assert drift(connection) == []
        connection.execute("ALTER TABLE chatbot.coupons ALTER coupon_name TYPE varchar(81)")
        assert [each.object for each in drift(connection)] == ["column chatbot.coupons.coupon_name"]


@pytest.mark.parametrize(
    ("ours", "theirs", "is_readable", "is_wider"),
    [
        ("character varying(30)", "text", True, False),
        ("character varying(30)", "character varying(20)", True, True),
        ("text", "character varying(20)", True, True),
        ("character varying(30)", "character(20)", False, False),
        ("numeric(4,3)", "numeric", True, False),
        ("numeric(4,3)", "numeric(3,3)", True, True),
        ("numeric(4,3)", "numeric(3,2)", True, False),
        ("integer", "bigint", True, False),
        ("integer", "text", False, False),
        ("integer[]", "bigint[]", True, False),
        ("text[]", "character varying(9)[]", True, True),
        ("jsonb", "json", False, False),
    ],
)
def test_types_that_are_read_alike_and_types_that_are_widened(
    ours: str, theirs: str, is_readable: bool, is_wider: bool
) -> None:
    assert (readable(ours, theirs), widens(ours, theirs)) == (is_readable, is_wider)


def test_a_text_is_as_long_as_theirs_may_be() -> None:
    assert becomes("character varying(30)", "bigint") == "character varying(30)"
    assert becomes("character varying(30)", "uuid") == "character varying"
    assert becomes("character varying(30)", "public.mood") == "character varying"
    assert becomes("character varying(50)", "character(40)") == "character varying(50)"
    assert comparable("timestamp with time zone", "date")
    assert not comparable("character varying(20)", "chatbot.order_status")
