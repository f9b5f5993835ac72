"""Migration 0014, which widens numbers, leaves what something of theirs depends on, and all that stands on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.support import every, one
from yumai_pipelines.postgres.sql_files import sql_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support import Connection

OLDER_FUNCTIONS = (
    "CREATE FUNCTION chatbot.start_session(p_user_id integer, p_type varchar, p_metadata jsonb, p_address inet, "
    "p_agent text) RETURNS uuid LANGUAGE sql AS 'SELECT gen_random_uuid()'",
    "CREATE FUNCTION chatbot.get_shop_hours(p_shop_id integer, p_day_name text DEFAULT NULL) RETURNS jsonb "
    """LANGUAGE sql AS $$SELECT '"of the older one"'::jsonb$$""",
)
THEIRS = (
    "CREATE VIEW public.hours AS SELECT chatbot.get_shop_hours(1, 'mon') AS hours",
    "CREATE VIEW public.outcomes AS SELECT shop_id, request_budget FROM extracts.recommendation_outcomes",
)


@pytest.fixture
def before(empty_database: str) -> Iterator[Connection]:
    """A connection to a database as of migration 0013, with the functions of that version."""
    with psycopg.connect(empty_database, autocommit=True) as connection:
        files = [*sorted(sql_path("bootstrap").glob("*.sql")), *sorted(sql_path("migrations").glob("*.sql"))]
        with connection.transaction():
            for path in files:
                if path.parent.name == "bootstrap" or path.name < "0014":
                    connection.execute(path.read_bytes())
        for statement in OLDER_FUNCTIONS:
            connection.execute(statement.encode())
        yield connection


def widen(connection: Connection) -> dict[str, str]:
    """Run the migration and make the functions of this version; return the types of the extract's numbers."""
    connection.execute(sql_path("migrations", "0014_wider_numbers.sql").read_bytes())
    for name in ("business_timezone", "get_shop_hours"):
        connection.execute(sql_path("functions", f"{name}.sql").read_bytes())
    return dict(
        every(
            connection,
            "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute "
            "WHERE attrelid = 'extracts.recommendation_outcomes'::regclass "
            "AND attname IN ('shop_id', 'request_budget')",
        )
    )


def functions(connection: Connection) -> set[str]:
    query = "SELECT proname FROM pg_proc WHERE proname LIKE 'get_shop_hours%' OR proname LIKE 'start_session%'"
    return {name for (name,) in every(connection, query)}


def test_what_nothing_of_theirs_depends_on_is_replaced(before: Connection) -> None:
    assert widen(before) == {"shop_id": "bigint", "request_budget": "bigint"}
    assert functions(before) == {"get_shop_hours"}
    assert one(before, "SELECT count(*) FROM yumai_pipelines.changes_by_month") == 0


def test_views_of_theirs_go_on_reading_what_they_read(before: Connection) -> None:
    view = one(before, "SELECT pg_get_viewdef('yumai_pipelines.changes_by_month'::regclass)")
    for statement in THEIRS:
        before.execute(statement.encode())
    assert widen(before) == {"shop_id": "integer", "request_budget": "integer"}
    assert functions(before) == {"get_shop_hours", "get_shop_hours_older"}
    assert one(before, "SELECT hours FROM public.hours") == "of the older one"
    assert every(before, "SELECT shop_id FROM public.outcomes") == []
    assert one(before, "SELECT chatbot.get_shop_hours(1)") is None
    assert one(before, "SELECT pg_get_viewdef('yumai_pipelines.changes_by_month'::regclass)") == view
