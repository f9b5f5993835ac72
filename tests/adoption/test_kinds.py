"""Kinds of differences one by one: what is refused before anything is changed, and what becomes of the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql

from tests.adoption.test_adoption import SETTINGS, adopted, catalogue, older
from tests.hostile.operations import POLICY, SECRET, SEOUL, extracts
from tests.support import every, one
from yumai_pipelines.adoption import NotToBeAdoptedError, inspect
from yumai_pipelines.adoption.types import becomes, comparable, readable, widens
from yumai_pipelines.archives.store import Store
from yumai_pipelines.erasure.erase import erase_user
from yumai_pipelines.postgres.connections import connect
from yumai_pipelines.schema.differences import drift

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Databases
    from tests.support import Connection


@pytest.fixture
def other(databases: Databases) -> Iterator[tuple[str, str]]:
    """An older database whose order side has another design, with every defect of the rows."""
    with older(databases, "other_orders") as urls:
        yield urls


def test_users_of_a_plain_sequence_and_sessions_in_wall_time_are_adopted(databases: Databases) -> None:
    with older(databases, "interim_sessions") as (url, owner), psycopg.connect(owner, autocommit=True) as application:
        for statement in (
            b"CREATE SEQUENCE chatbot.numbers START 30000",
            b"ALTER TABLE chatbot.users ALTER id DROP IDENTITY",
            b"ALTER TABLE chatbot.users ALTER id SET DEFAULT nextval('chatbot.numbers')",
            b"SET TimeZone = 'Asia/Seoul'",
            b"ALTER TABLE chatbot.session_master ALTER session_start TYPE timestamp",
        ):
            application.execute(statement)
        times = "SELECT session_id, session_start::text FROM chatbot.session_master"
        before = dict(every(application, times))
        inventory = inspect(url, SETTINGS)
        assert [case.found for case in inventory.cases if case.relation.endswith("session_start")] == [len(before)]
        adopted(url)
        now = dict(every(application, times))
        assert {key: f"{value}+09" for key, value in before.items()}.items() <= now.items()
        assert one(application, "INSERT INTO chatbot.users (nickname) VALUES ('new') RETURNING id") >= 30000
        assert one(application, "SELECT count(*) FROM chatbot.users WHERE external_user_id LIKE 'recovered:%'") > 0


BIGGER = """
    SELECT attrelid::regclass::text, attname, CASE atttypid WHEN 'integer'::regtype THEN 'bigint' ELSE 'bigint[]' END
    FROM pg_attribute INNER JOIN pg_class ON pg_class.oid = attrelid AND NOT relispartition AND relkind IN ('r', 'p')
    WHERE relnamespace IN ('chatbot'::regnamespace, 'analytics'::regnamespace, 'ml_features'::regnamespace)
    AND attnum > 0 AND atttypid IN ('integer'::regtype, 'integer[]'::regtype)
"""
BIG_ROWS = """
    INSERT INTO chatbot.users (id) OVERRIDING SYSTEM VALUE VALUES (3000000001);
    INSERT INTO chatbot.shops (id, shop_name, business_hours) OVERRIDING SYSTEM VALUE
    VALUES (3000000002, 'far', '{"mon": "9-18"}');
    INSERT INTO analytics.recommendations_log
    (user_id, shop_id, time_stamp, request_budget, recommendations, recommendation_count, top_recommendation_shop_id)
    VALUES (3000000001, 3000000002, '2024-09-02 12:00', 3000000003, '[{"shop_id": 3000000002}]', 1, 3000000002);
    INSERT INTO chatbot.conversations (user_id, conversation_time, recommended_shop_ids)
    VALUES (3000000001, '2024-09-02 12:00+09', '{3000000002, 3000000009}');
"""


def test_numbers_beyond_an_integer_are_read_as_they_are(databases: Databases, tmp_path: Path) -> None:
    with older(databases) as (url, owner), psycopg.connect(owner, autocommit=True) as application:
        application.execute("DROP MATERIALIZED VIEW chatbot.recent_conversations")
        for table, column, kind in every(application, BIGGER):
            application.execute(
                sql.SQL("ALTER TABLE {} ALTER {} TYPE {}").format(sql.SQL(table), sql.Identifier(column), sql.SQL(kind))
            )
        application.execute(BIG_ROWS.encode())
        adopted(url)
        extracts(url, tmp_path)
        with connect(url, application_name="test: big numbers") as pipeline:
            assert every(
                pipeline,
                "SELECT request_budget, shop_id, listed_shops FROM extracts.recommendation_outcomes "
                "WHERE request_budget > 2147483647",
            ) == [(3000000003, 3000000002, 1)]
            assert every(pipeline, "SELECT shop_name FROM extracts.shop_performance WHERE shop_id = 3000000002")
            assert one(pipeline, "SELECT chatbot.start_session(id) FROM chatbot.users WHERE id = 3000000001")
            assert one(pipeline, "SELECT chatbot.get_shop_hours(3000000002, 'mon')") == "9-18"
            pipeline.execute("SELECT chatbot.clean_invalid_shop_references()")
            assert one(
                pipeline, "SELECT recommended_shop_ids FROM chatbot.conversations WHERE user_id = 3000000001"
            ) == [3000000002]
            erased = erase_user(
                pipeline,
                reason="asked for",
                run_id="test",
                zone=SEOUL,
                user_key_secrets=lambda: [SECRET],
                store=Store.at(str(tmp_path / "store")),
                policy=POLICY,
                user_id=3000000001,
            )
            assert erased.counts["chatbot.users"] == 1


HISTORY = b"""
    CREATE TABLE public.history (what text);
    CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO public.history VALUES (TG_TABLE_NAME || $$ $$ || TG_OP); RETURN NULL; END';
    CREATE FUNCTION public.mark() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.touched := now(); RETURN NEW; END';
"""
WITH_TRIGGERS = (
    "chatbot.conversations",
    "chatbot.orders_coupons",
    "ml_features.user_interactions",
    "analytics.recommendations_log",
    "analytics.user_feedback",
)


def add_triggers(connection: Connection) -> None:
    """Let triggers note each change of a row, and when a row was changed."""
    connection.execute(HISTORY)
    for name in WITH_TRIGGERS:
        for statement in (
            "ALTER TABLE {} ADD touched timestamptz DEFAULT '2024-01-01 00:00+09'",
            "CREATE TRIGGER zz_touch BEFORE UPDATE ON {} FOR EACH ROW EXECUTE FUNCTION public.mark()",
            "CREATE TRIGGER note AFTER UPDATE OR DELETE ON {} FOR EACH ROW EXECUTE FUNCTION public.note()",
        ):
            connection.execute(sql.SQL(statement).format(sql.Identifier(*name.split("."))))


def test_triggers_of_theirs_notice_nothing_and_go_on_afterwards(databases: Databases) -> None:
    with (
        older(databases, "other_orders", "lost_keys") as (url, owner),
        psycopg.connect(owner, autocommit=True) as application,
    ):
        add_triggers(application)
        rewritten = [name for name in WITH_TRIGGERS if name != "chatbot.conversations"]
        expected = {f"{name}: {trigger}" for name in rewritten for trigger in ("note", "zz_touch")}
        assert {*inspect(url, SETTINGS).silent} == expected
        adopted(url)
        assert every(application, "SELECT DISTINCT what FROM public.history") == []
        for name in WITH_TRIGGERS:
            count = sql.SQL("SELECT count(*) FROM {} WHERE touched <> '2024-01-01 00:00+09'")
            assert application.execute(count.format(sql.Identifier(*name.split(".")))).fetchone() == (0,), name
        application.execute("UPDATE ml_features.user_interactions SET conversation_turn = 7 WHERE id = 11")
        assert every(application, "SELECT what FROM public.history") == [("user_interactions UPDATE",)]


@pytest.mark.usefixtures("template")
def test_a_login_that_cannot_keep_triggers_from_firing_is_refused_and_told_how(databases: Databases) -> None:
    with (
        older(databases, "other_orders") as (url, owner),
        psycopg.connect(owner, autocommit=True) as application,
        psycopg.connect(url, autocommit=True) as admin,
    ):
        role = sql.Identifier(application.info.user)
        admin.execute(sql.SQL("GRANT yumai_pipeline TO {0} WITH INHERIT TRUE, SET TRUE").format(role))
        admin.execute(sql.SQL("GRANT yumai_app TO {}").format(role))
        add_triggers(application)
        with pytest.raises(NotToBeAdoptedError, match="GRANT SET ON PARAMETER session_replication_role TO"):
            adopted(owner)
        admin.execute(sql.SQL("GRANT SET ON PARAMETER session_replication_role TO {}").format(role))
        try:
            adopted(owner)
        finally:
            admin.execute(sql.SQL("REVOKE SET ON PARAMETER session_replication_role FROM {}").format(role))
        assert every(application, "SELECT what FROM public.history") == []


def test_foreign_keys_of_unknown_tables_to_persons_and_sessions_are_told_with_what_they_do(
    databases: Databases,
) -> None:
    with older(databases, "interim_sessions") as (url, owner), psycopg.connect(owner, autocommit=True) as application:
        application.execute(
            "CREATE TABLE chatbot.notes (user_id int NOT NULL REFERENCES chatbot.users (id), "
            'session_id uuid CONSTRAINT "of which" REFERENCES chatbot.session_master, '
            "log_id bigint REFERENCES analytics.user_feedback (id) ON DELETE CASCADE)"
        )
        inventory = inspect(url, SETTINGS)
        told = {line.partition(":")[0].partition(" (")[0]: line for line in inventory.referring}
        assert told.keys() == {
            "chatbot.notes.user_id → chatbot.users",
            "chatbot.notes.session_id → chatbot.session_master",
            "chatbot.notes.log_id → analytics.user_feedback",
        }
        assert "such rows are deleted" in told["chatbot.notes.log_id → analytics.user_feedback"]
        assert all(line in inventory.in_words() for line in told.values())
        for line in told.values():
            if "refuses" in line:
                application.execute(line.partition("for example: ")[2].encode())
        after = [line for line in inspect(url, SETTINGS).referring if "refuses" in line]
        assert after == []


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
        "relation chatbot.orders is missing, and clients would no longer find public.orders: ALTER TABLE",
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
    "a trigger that fires for a replica": (
        "CREATE FUNCTION public.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW;END'; "
        "CREATE TRIGGER t BEFORE UPDATE ON analytics.user_feedback FOR EACH ROW EXECUTE FUNCTION public.f(); "
        "ALTER TABLE analytics.user_feedback ENABLE ALWAYS TRIGGER t",
        "ALTER TABLE analytics.user_feedback DISABLE TRIGGER t until the adoption has ended",
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
