"""What each role may do. Each right is tried out, not assumed."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.support import Connection, every, login, one
from yumai_pipelines.schema.differences import drift
from yumai_pipelines.schema.upgrade import upgrade
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def log_in(database: str, connection: Connection) -> Iterator[Callable[[str], Connection]]:
    """Yields a function that connects as a new login, a member of the given role."""
    with ExitStack() as logins:

        def log_in(role: str) -> Connection:
            url = logins.enter_context(login(connection, database, f"IN ROLE {role}"))
            return logins.enter_context(psycopg.connect(url, autocommit=True))

        yield log_in


WRITES = (
    "INSERT INTO users (external_user_id) VALUES ('a')",
    "UPDATE chatbot.users SET nickname = '배고픈 사람'",
    "SELECT start_session(1, 'chat')",
    "INSERT INTO conversations (session_id, conversation_time) SELECT session_id, now() FROM session_master",
    "INSERT INTO chatbot.conversations (session_id) SELECT session_id FROM chatbot.session_master",
    "INSERT INTO user_interactions (session_id, interaction_type) SELECT session_id, 'selection' FROM session_master",
    "INSERT INTO analytics.user_feedback (session_id) SELECT session_id FROM session_master",
    "SELECT clean_inactive_sessions()",
    "SELECT get_shop_hours(1)",
    "SELECT * FROM recent_conversations",
    "DELETE FROM session_master",
)


def test_the_chatbot_writes_rows_under_either_spelling(log_in: Callable[[str], Connection]) -> None:
    chatbot = log_in("yumai_app")
    for statement in WRITES:
        chatbot.execute(statement.encode())
    assert one(chatbot, "SELECT count(*) FROM conversations") == 0


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE chatbot.mine (id int)",
        "ALTER TABLE users ADD mine int",
        "DROP TABLE user_feedback",
        "TRUNCATE conversations",
        "ALTER TABLE conversations DISABLE TRIGGER ALL",
        "REFRESH MATERIALIZED VIEW recent_conversations",
        "SET session_replication_role = replica",
        "SELECT * FROM extracts.recommendation_funnel",
        "SELECT * FROM yumai_pipelines.alembic_version",
        "SET ROLE yumai_pipeline",
    ],
)
def test_the_chatbot_changes_no_table_and_sees_no_extract(log_in: Callable[[str], Connection], statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        log_in("yumai_app").execute(statement.encode())


def test_an_analyst_reads_the_extracts(log_in: Callable[[str], Connection]) -> None:
    assert one(log_in("yumai_analyst"), "SELECT count(*) FROM extracts.recommendation_funnel") == 0


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM chatbot.users",
        "SELECT * FROM session_master",
        "SELECT * FROM chatbot.recent_conversations",
        "SELECT * FROM analytics.recommendations_log",
        "SELECT * FROM ml_features.user_interactions",
        "SELECT * FROM yumai_pipelines.view_refreshes",
        "SELECT chatbot.clean_inactive_sessions()",
        "INSERT INTO extracts.recommendation_funnel (month) VALUES ('2024-08-01')",
        "DELETE FROM extracts.recommendation_funnel",
        "CREATE TABLE extracts.mine (id int)",
        "CREATE TABLE public.mine (id int)",
    ],
)
def test_an_analyst_sees_and_does_nothing_else(log_in: Callable[[str], Connection], statement: str) -> None:
    with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedTable)):
        log_in("yumai_analyst").execute(statement.encode())


def test_the_owner_works_under_either_spelling(log_in: Callable[[str], Connection]) -> None:
    owner = log_in("yumai_pipeline")
    for statement in WRITES:
        owner.execute(statement.encode())
    owner.execute("REFRESH MATERIALIZED VIEW CONCURRENTLY recent_conversations")
    owner.execute("CREATE TABLE extracts.mine (id int)")
    owner.execute("DROP TABLE extracts.mine")


MAY_EXECUTE = {
    "chatbot.auto_delete_old_conversations": {"yumai_app"},
    "chatbot.clean_inactive_sessions": {"yumai_app"},
    "chatbot.clean_invalid_shop_references": {"yumai_app"},
    "chatbot.delete_old_sessions": {"yumai_app"},
    "chatbot.end_session": {"yumai_app"},
    "chatbot.get_shop_hours": {"yumai_app"},
    "chatbot.start_session": {"yumai_app"},
    "chatbot.set_updated_at": set(),
    "extracts.is_readable": set(),
    "extracts.rating_of": set(),
    "yumai_pipelines.business_timezone": {"yumai_app"},
    "yumai_pipelines.configure_database": set(),
    "yumai_pipelines.counting_time": set(),
    "yumai_pipelines.make_month": set(),
    "yumai_pipelines.others_run": set(),
    "yumai_pipelines.month_start": set(),
    "yumai_pipelines.note_archive_change": set(),
    "yumai_pipelines.note_every_month": set(),
    "yumai_pipelines.note_feedback_changes": set(),
    "yumai_pipelines.note_recommendation_changes": set(),
    "yumai_pipelines.note_session_change": set(),
    "yumai_pipelines.note_shop_change": set(),
    "yumai_pipelines.note_truncation": set(),
    "yumai_pipelines.row_as_jsonb": set(),
    "yumai_pipelines.source_hash": set(),
    "yumai_pipelines.watch_sources": set(),
}
"""Who may execute each function, besides its owner."""


def executors(connection: Connection) -> dict[str, set[str]]:
    return dict(
        every(
            connection,
            "SELECT format('%%I.%%I', nspname, proname), "
            "array_agg(DISTINCT coalesce(rolname, 'PUBLIC')) FILTER (WHERE a.grantee IS DISTINCT FROM proowner) "
            "FROM pg_proc INNER JOIN pg_namespace AS n ON n.oid = pronamespace "
            "CROSS JOIN aclexplode(coalesce(proacl, acldefault('f', proowner))) AS a "
            "LEFT JOIN pg_roles AS r ON r.oid = a.grantee WHERE nspname = ANY(%s) GROUP BY 1 ORDER BY 1",
            ["chatbot", "ml_features", "analytics", "extracts", "yumai_pipelines"],
        )
    )


def test_a_function_is_executed_by_those_for_whom_it_is(connection: Connection) -> None:
    assert {name: set(roles or ()) for name, roles in executors(connection).items()} == MAY_EXECUTE


def test_an_upgrade_takes_back_what_everybody_may_execute_and_a_later_function_never_has_it(
    database: str, connection: Connection
) -> None:
    connection.execute("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA chatbot, extracts, yumai_pipelines TO PUBLIC")
    connection.execute("SET ROLE yumai_pipeline")
    connection.execute("CREATE FUNCTION chatbot.of_the_client() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    connection.execute("CREATE FUNCTION yumai_pipelines.later() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    connection.execute("RESET ROLE")
    assert not one(connection, "SELECT has_function_privilege('yumai_analyst', 'yumai_pipelines.later()', 'EXECUTE')")
    found = {str(each) for each in drift(connection)}
    assert "function grant yumai_pipelines.note_archive_change() to PUBLIC is not known to this version" in found

    upgrade(database, Settings())

    assert {name: set(roles or ()) for name, roles in executors(connection).items()} == {
        **MAY_EXECUTE,
        "chatbot.of_the_client": {"yumai_app"},
        "yumai_pipelines.later": set(),
    }


def test_the_chatbot_cannot_note_changes_of_archives_through_a_table_of_its_own(
    log_in: Callable[[str], Connection],
) -> None:
    chatbot = log_in("yumai_app")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        # One message, and so one transaction.
        chatbot.execute(
            "CREATE TEMPORARY TABLE mine (id int); CREATE TRIGGER note AFTER INSERT ON mine FOR EACH ROW "
            "EXECUTE FUNCTION yumai_pipelines.note_archive_change('2024-08-01')"
        )
