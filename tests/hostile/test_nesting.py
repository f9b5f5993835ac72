"""A value that is nested as deeply as PostgreSQL stores it makes no month unbuildable."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.extracts.support import build
from tests.support import every, one
from yumai_pipelines.model.months import Month
from yumai_pipelines.postgres.connections import connect

if TYPE_CHECKING:
    from tests.support import Connection

INSERT = (
    "INSERT INTO recommendations_log (session_id, time_stamp, recommendations, recommendation_count, user_selection) "
    "SELECT session_id, '2024-08-10 12:00+09', %s::text::jsonb, 0, %s::text::json FROM session_master RETURNING id"
)


def nested(depth: int, opening: str = "[", closing: str = "]") -> str:
    return opening * depth + "1" + closing * depth


def deepest(connection: Connection, column: str) -> int:
    """Return how deeply a value may be nested and still be stored."""
    stored, refused = 1000, 100_000
    while refused - stored > 1:
        depth = (stored + refused) // 2
        try:
            with connection.transaction(force_rollback=True):
                values = {"recommendations": "[]", "user_selection": "{}"} | {column: nested(depth)}
                connection.execute(INSERT, tuple(values.values()))
        except psycopg.errors.StatementTooComplex:
            refused = depth
        else:
            stored = depth
    return stored


@pytest.mark.parametrize("column", ["recommendations", "user_selection"])
def test_a_month_with_a_row_that_is_nested_as_deeply_as_can_be_is_built(
    database: str, connection: Connection, column: str
) -> None:
    connection.execute("INSERT INTO session_master DEFAULT VALUES")
    values = {"recommendations": "[]", "user_selection": '{"shop_id": 7}'}
    shallow = one(connection, INSERT, *values.values())
    deep = one(connection, INSERT, *(values | {column: nested(deepest(connection, column))}).values())
    with connect(database, application_name="test: nesting") as owner:
        build(owner, [Month(2024, 8)])
    rows = every(
        connection,
        "SELECT recommendation_id, was_selected, selected_shop_id FROM extracts.recommendation_outcomes ORDER BY 1",
    )
    assert rows == [(shallow, True, 7), (deep, True, None if column == "user_selection" else 7)]


def test_a_selection_that_is_long_and_not_deep_is_read(database: str, connection: Connection) -> None:
    connection.execute("INSERT INTO session_master DEFAULT VALUES")
    connection.execute(INSERT, ("[]", f'{{"shop_id": 7, "note": "{"가" * 9000}"}}'))
    with connect(database, application_name="test: nesting") as owner:
        build(owner, [Month(2024, 8)])
    assert one(connection, "SELECT selected_shop_id FROM extracts.recommendation_outcomes") == 7
