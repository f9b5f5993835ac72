"""A person is erased: nothing that could identify them stays anywhere, and the remaining rows are consistent."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from tests.archives.interrupted import Interrupted
from tests.support import Connection, every, one
from yumai_pipelines.archives.archive import archive_months
from yumai_pipelines.archives.store import Store
from yumai_pipelines.erasure.erase import Erasure, TellingReasonError, UnknownUserError, erase_user
from yumai_pipelines.extracts.build import Privacy, build_months
from yumai_pipelines.extracts.user_key import UserKeySecretError
from yumai_pipelines.integrity.repair import Broken, repair_orphans
from yumai_pipelines.model.lock_policy import LockPolicy
from yumai_pipelines.model.months import Month
from yumai_pipelines.model.registry import EXTRACTS
from yumai_pipelines.postgres.connections import connect
from yumai_pipelines.postgres.references import StillReferredToError
from yumai_pipelines.schema.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SEOUL = ZoneInfo("Asia/Seoul")
REASON = "asked for by their guardian"
NO_ARCHIVES = Store.at("memory://no-archives")
KEY = "what the pseudonyms were made with"

WORLD = """
    INSERT INTO users (external_user_id, user_name, email, phone_number, current_address)
        VALUES ('kakao:secret', '김비밀', 'secret@example.org', '010-1234-5678', '비밀로 1');
    INSERT INTO users (external_user_id) VALUES ('other');
    INSERT INTO shops (shop_name) VALUES ('밥집');
    INSERT INTO foodcard_users (user_id, card_number) SELECT id, 'secret card' FROM users;
    INSERT INTO user_profiles (user_id, location_preferences) SELECT id, ARRAY['secret place'] FROM users;
    INSERT INTO orders (user_id, shop_id, price) SELECT id, 1, 4000 FROM users;
    INSERT INTO reviews (user_id, shop_id, order_id, rating, review_comment)
        SELECT u.id, 1, o.id, 5, 'secret of ' || u.id FROM users AS u INNER JOIN orders AS o ON o.user_id = u.id;
    INSERT INTO nlu_features (user_id, location_mentioned) SELECT id, 'secret place' FROM users;
    INSERT INTO session_master (session_id, user_id, session_start, ip_address) VALUES
        ('00000000-0000-0000-0000-000000000001', 1, now() - interval '1 hour', '203.0.113.7'),
        ('00000000-0000-0000-0000-000000000002', 2, now() - interval '1 hour', '203.0.113.8');
    INSERT INTO conversations (session_id, user_id, input_text)
        SELECT session_id, user_id, 'secret of ' || user_id FROM session_master;
    INSERT INTO user_interactions (session_id, user_id) SELECT session_id, NULL FROM session_master;
    INSERT INTO recommendations_log (session_id, user_id, time_stamp, recommendations, recommendation_count)
        SELECT session_id, user_id, '2024-08-31 23:30+09', '[]', 0 FROM session_master;
    INSERT INTO user_feedback (session_id, user_id, related_recommendation_id, time_stamp, feedback_content)
        SELECT s.session_id, s.user_id, r.id, '2024-09-01 00:30+09', to_jsonb('secret of ' || s.user_id)
        FROM session_master AS s CROSS JOIN recommendations_log AS r;
    INSERT INTO user_feedback (session_id, user_id, time_stamp, feedback_content)
        VALUES ('00000000-0000-0000-0000-000000000002', 1, '2024-09-02 00:30+09', '"secret of 1"');
    REFRESH MATERIALIZED VIEW recent_conversations;
"""


@pytest.fixture
def world(connection: Connection) -> Connection:
    """Two people who have left rows in every place."""
    connection.execute(WORLD.encode())
    return connection


@pytest.fixture
def owner(database: str) -> Iterator[Connection]:
    with connect(database, application_name="test: erasure") as connection:
        yield connection


def erase(
    owner: Connection,
    user_id: int | None = None,
    external_user_id: str | None = None,
    reason: str = REASON,
    made_with: tuple[str, ...] = (KEY,),
    store: Store = NO_ARCHIVES,
) -> Erasure:
    return erase_user(
        owner,
        reason=reason,
        run_id="run 1",
        zone=SEOUL,
        user_key_secrets=lambda: [SecretStr(each) for each in made_with],
        store=store,
        policy=LockPolicy(),
        user_id=user_id,
        external_user_id=external_user_id,
    )


def traces(connection: Connection) -> dict[str, int]:
    """Count the rows, in all tables and views of YUMAI, that hold something of the first person."""
    relations = every(
        connection,
        "SELECT nspname, relname FROM pg_class INNER JOIN pg_namespace ON pg_namespace.oid = relnamespace "
        "WHERE relkind IN ('r', 'm') AND nspname = ANY(%s)",
        ["chatbot", "ml_features", "analytics", "extracts", "yumai_pipelines"],
    )
    pattern = '(kakao:secret|김비밀|secret@|010-1234|비밀로|203.0.113.7|000000000001|secret of 1)|"user_id": "?1\\M'
    found = {
        f"{schema}.{name}": one(
            connection,
            sql.SQL("SELECT count(*) FROM {} AS t WHERE to_jsonb(t)::text ~ {}")
            .format(sql.Identifier(schema, name), sql.Literal(pattern))
            .as_string(),
        )
        for schema, name in relations
    }
    return {name: rows for name, rows in found.items() if rows}


@pytest.mark.parametrize(("user_id", "external_user_id"), [(1, None), (None, "kakao:secret")])
def test_nothing_of_the_person_stays_and_all_of_others_does(
    world: Connection, owner: Connection, user_id: int | None, external_user_id: str | None
) -> None:
    assert len(traces(world)) == 12
    others = "SELECT count(*) FROM {} WHERE user_id = 2"
    before = {table: one(world, others.format(table)) for table in ("conversations", "user_feedback", "reviews")}

    erasure = erase(owner, user_id, external_user_id)

    assert traces(world) == {}
    assert before == {table: one(world, others.format(table)) for table in before}
    assert every(world, "SELECT user_id, price FROM orders ORDER BY id") == [(None, 4000), (2, 4000)]
    assert every(world, "SELECT user_id, rating, review_comment FROM reviews ORDER BY id") == [
        (None, 5, None),
        (2, 5, "secret of 2"),
    ]
    assert one(world, "SELECT count(*) FROM user_feedback WHERE related_recommendation_id IS NULL") == 1
    assert erasure.months == (date(2024, 8, 1), date(2024, 9, 1))
    assert erasure.counts == {
        "chatbot.orders, which stay": 1,
        "chatbot.reviews, which stay": 1,
        "analytics.user_feedback": 3,
        "analytics.recommendations_log": 1,
        "ml_features.user_interactions": 1,
        "ml_features.nlu_features": 1,
        "chatbot.conversations": 1,
        "chatbot.session_master": 1,
        "chatbot.user_profiles": 1,
        "chatbot.foodcard_users": 1,
        "chatbot.users": 1,
    }
    assert every(world, "SELECT reason, counts, run_id FROM yumai_pipelines.erasures") == [
        (REASON, erasure.counts, "run 1")
    ]
    assert repair_orphans(owner, run_id="look") == []


def test_what_is_in_quarantine_is_erased_too_and_by_id_when_the_user_is_gone(
    world: Connection, owner: Connection
) -> None:
    world.execute("SET session_replication_role = replica")
    world.execute("DELETE FROM users WHERE id = 1")
    world.execute("DELETE FROM orders")
    world.execute("RESET session_replication_role")
    repair_orphans(owner, run_id="repair", dry_run=False, broken=Broken.QUARANTINE)
    assert traces(world)["yumai_pipelines.quarantine"] >= 10

    assert erase(owner, 1).counts == {"yumai_pipelines.quarantine": 10}

    assert traces(world) == {}
    assert every(
        world,
        "SELECT source_row -> 'rating', source_row -> 'user_id', source_row -> 'review_comment' "
        "FROM yumai_pipelines.quarantine WHERE source_table = 'chatbot.reviews' ORDER BY source_row -> 'id'",
    ) == [(5, None, None), (5, 2, "secret of 2")], "a rating is a record of the business, in quarantine as well"
    with pytest.raises(UnknownUserError, match="Nothing is known of user 1"):
        erase(owner, 1)


def test_triggers_that_are_disabled_change_nothing(world: Connection, owner: Connection) -> None:
    for table in TABLES:
        world.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER ALL").format(table.relation.identifier))
    erase(owner, 1)
    assert traces(world) == {}


def test_a_month_that_waits_to_become_a_file_is_reached_even_where_triggers_are_disabled(
    world: Connection, owner: Connection, tmp_path: Path
) -> None:
    world.execute(
        "INSERT INTO conversations (session_id, conversation_time, input_text) "
        "SELECT session_id, '2024-08-10 12:00+09', 'secret of ' || user_id FROM session_master"
    )
    interrupted, as_of = Interrupted.at(str(tmp_path)), datetime(2025, 6, 15, tzinfo=SEOUL)
    archiving = archive_months(
        owner, [Month(2024, 8)], store=interrupted, zone=SEOUL, policy=LockPolicy(), kept=6, as_of=as_of
    )
    with pytest.raises(KeyboardInterrupt):
        next(archiving)
    detached = "yumai_pipelines.conversations_2024_08_detached"
    assert traces(world)[detached] == 1
    world.execute("ALTER TABLE yumai_pipelines.conversations_2024_08_detached DISABLE TRIGGER ALL")

    assert erase(owner, 1).counts[detached] == 1

    assert traces(world) == {}
    assert one(world, "SELECT input_text FROM yumai_pipelines.conversations_2024_08_detached") == "secret of 2"


def test_all_or_nothing(world: Connection, owner: Connection) -> None:
    before = traces(world)
    world.execute("ALTER TABLE yumai_pipelines.erasures RENAME TO away")
    with pytest.raises(psycopg.errors.UndefinedTable):
        erase(owner, 1)
    assert traces(world) == before


def test_who_is_still_referred_to_by_a_table_of_others_is_kept_and_that_table_is_named(
    world: Connection, owner: Connection
) -> None:
    world.execute("CREATE TABLE public.notes (user_id int CONSTRAINT of_whom REFERENCES chatbot.users (id))")
    world.execute("INSERT INTO public.notes VALUES (1)")
    before = traces(world)
    with pytest.raises(
        StillReferredToError, match=r"Rows of public\.notes .* foreign key of_whom .* Nothing was changed"
    ):
        erase(owner, 1)
    assert traces(world) == before
    world.execute("DELETE FROM public.notes")
    erase(owner, 1)
    assert traces(world) == {}


def test_somebody_unknown_is_refused(world: Connection, owner: Connection) -> None:
    for user_id, external_user_id in ((4711, None), (None, "nobody")):
        with pytest.raises(UnknownUserError, match=r"Nothing (was changed|is known)"):
            erase(owner, user_id, external_user_id)
    for user_id, external_user_id in ((None, None), (1, "kakao:secret")):
        with pytest.raises(ValueError, match="either user_id or external_user_id"):
            erase(owner, user_id, external_user_id)
    with pytest.raises(ValueError, match="takes a reason"):
        erase(owner, 1, reason=" ")
    assert one(world, "SELECT count(*) FROM yumai_pipelines.erasures") == 0


@pytest.mark.parametrize("reason", ["KAKAO:SECRET asked", "by 김비밀.", "mail of secret@example.org", "user 1 asked"])
def test_a_reason_that_tells_who_is_refused(world: Connection, owner: Connection, reason: str) -> None:
    before = traces(world)
    with pytest.raises(TellingReasonError, match="Say why, not who"):
        erase(owner, 1, reason=reason)
    assert traces(world) == before


def test_a_reason_may_hold_a_number_that_is_nobodys(world: Connection, owner: Connection) -> None:
    erase(owner, 1, reason="inactive for 10 years, see 2024-01-11")
    assert one(world, "SELECT reason FROM yumai_pipelines.erasures") == "inactive for 10 years, see 2024-01-11"


def outcomes(connection: Connection) -> list[int]:
    return [
        key for (key,) in every(connection, "SELECT recommendation_id FROM extracts.recommendation_outcomes ORDER BY 1")
    ]


def build(owner: Connection, month: Month, secret: str) -> None:
    build_months([owner], EXTRACTS, [month], SEOUL, Privacy(SecretStr(secret), 1), LockPolicy())


def test_rows_of_extracts_go_even_when_retention_has_deleted_where_they_came_from(
    world: Connection, owner: Connection
) -> None:
    build(owner, Month(2024, 8), KEY)
    assert outcomes(world) == [1, 2]
    world.execute("DELETE FROM session_master")
    world.execute("UPDATE extracts.ledger SET purged_at = now()")

    another = erase(owner, 1, made_with=("another, of later",))

    assert outcomes(world) == [1, 2]
    assert another.out_of_reach == (date(2024, 8, 1),), "it says so"
    erasure = erase(owner, 1, made_with=("another, of later", KEY))
    assert outcomes(world) == [2]
    assert erasure == Erasure({"extracts.recommendation_outcomes": 1}, (), ())


def test_rows_under_every_secret_that_is_known_go_and_the_others_are_named(
    world: Connection, owner: Connection
) -> None:
    world.execute(
        "INSERT INTO recommendations_log (session_id, user_id, time_stamp, recommendations, recommendation_count) "
        "SELECT session_id, user_id, '2024-09-10 12:00+09'::timestamptz + n * interval '1 month', '[]', 0 "
        "FROM session_master, generate_series(0, 2) AS n"
    )
    made_with = {8: "lost", 9: "of September", 10: "of October", 11: "lost"}
    for month, secret in made_with.items():
        build(owner, Month(2024, month), secret)
    world.execute("DELETE FROM session_master")
    world.execute("UPDATE extracts.ledger SET purged_at = now() WHERE month <> '2024-11-01'")
    rows = "SELECT month::text, count(*)::int FROM extracts.recommendation_outcomes GROUP BY 1 ORDER BY 1"
    assert [count for _, count in every(world, rows)] == [2, 2, 2, 2]

    erasure = erase(owner, 1, made_with=("of October", "of September"))

    assert every(world, rows) == [("2024-08-01", 2), ("2024-09-01", 1), ("2024-10-01", 1), ("2024-11-01", 2)]
    assert erasure.counts["extracts.recommendation_outcomes"] == 2
    assert erasure.out_of_reach == (date(2024, 8, 1),)
    assert erasure.months == (date(2024, 11, 1),), "November can be built anew, and is then without them"


def test_a_secret_that_is_missing_is_an_error_before_anything_is_deleted(world: Connection, owner: Connection) -> None:
    build(owner, Month(2024, 8), KEY)
    before = traces(world)

    def missing() -> list[SecretStr]:
        raise UserKeySecretError("YUMAI_USER_KEY_SECRET is not set")

    with pytest.raises(UserKeySecretError):
        erase_user(
            owner,
            reason=REASON,
            run_id="run 1",
            zone=SEOUL,
            user_key_secrets=missing,
            store=NO_ARCHIVES,
            policy=LockPolicy(),
            user_id=1,
        )
    assert traces(world) == before
