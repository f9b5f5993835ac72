"""The extracts are compared with pandas over the raw rows, cell by cell, on clean and on dirty data."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.extracts.dirt import plant
from tests.extracts.oracle import differences, expected, extracted
from tests.extracts.support import MONTHS, SECRET, ZONE, build
from yumai_pipelines.demo.generate import Size, generate
from yumai_pipelines.demo.load import fill
from yumai_pipelines.model.registry import EXTRACTS
from yumai_pipelines.postgres.connections import connect

if TYPE_CHECKING:
    from tests.support import Connection


def compare(connection: Connection, minimum: int = 1) -> None:
    wanted = expected(connection, MONTHS, ZONE, SECRET, minimum)
    for extract in EXTRACTS:
        found = extracted(connection, extract)
        told = differences(found, wanted[extract.relation.name], extract.key)
        assert not told, f"{extract.relation}: {len(told)} differences, such as\n" + "\n".join(told[:10])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("minimum", [1, 3, 1000])
def test_every_cell_on_dirt(connection: Connection, seed: int, minimum: int) -> None:
    plant(connection, MONTHS, ZONE, rows=600, seed=seed)
    build(connection, minimum=minimum)
    compare(connection, minimum)


def test_every_cell_where_values_are_left_out_that_ours_demand(connection: Connection) -> None:
    """As in an older database: where its rows have none, the adoption leaves our NOT NULL away."""
    plant(connection, MONTHS, ZONE, rows=600, seed=7)
    connection.execute(
        """
        ALTER TABLE recommendations_log
            ALTER recommendations DROP NOT NULL,
            ALTER recommendation_count DROP NOT NULL;
        ALTER TABLE shops ALTER shop_name DROP NOT NULL;
        UPDATE recommendations_log SET recommendations = NULL WHERE id % 5 < 2;
        UPDATE recommendations_log SET recommendation_count = NULL WHERE id % 3 = 0;
        UPDATE shops SET shop_name = NULL WHERE id % 3 = 0;
        """
    )
    build(connection)
    compare(connection)


def test_every_cell_on_the_demonstration(database: str, connection: Connection) -> None:
    with connect(database, application_name="test") as owner:
        fill(owner, generate(Size(1500, 4, seed=8), until=MONTHS[-1].end(ZONE), zone=ZONE))
    build(connection)
    compare(connection)


PLACES = (
    '{"shop_id": 7}',
    '{"shop_id": 0}',
    '{"shop_id": -7}',
    '{"shop_id": 7.0}',
    '{"shop_id": 7e1}',
    '{"shop_id": 999999999999999999}',
    '{"shop_id": 1000000000000000000}',
    '{"shop_id": "7"}',
    '{"shop_id": null}',
    '{"shop_id": [7]}',
    '{"shop_id": 8, "shop_id": 7}',
    '{"shop_id": {"shop_id": 7}}',
    '[{"shop_id": 7}]',
    "{}",
    "7",
)


@pytest.mark.parametrize("others", ["", '{"shop_id": 5}, ', '{"shop_id": 5}, {"shop_id": 7}, {"shop_id": 5}, '])
def test_every_cell_of_lists_at_the_edge_of_what_is_read_in_one_call(connection: Connection, others: str) -> None:
    session = connection.execute("SELECT start_session(NULL)").fetchone()
    assert session
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO recommendations_log (session_id, time_stamp, recommendations, recommendation_count, "
            """user_selection) VALUES (%s, '2024-12-24', %s, 1, '{"shop_id": 7}')""",
            [(session[0], each) for place in PLACES for each in (f"[{others}{place}]", place)] + [(session[0], "[]")],
        )
    build(connection)
    compare(connection)


# jsonb cannot hold NUL, half of a surrogate pair, or numbers out of its range.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)
NAMES = st.sampled_from(["shop_id", "rating", "sentiment", "rank", "x"])
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-3, 10)
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["1", "2", "3.5", " 4 ", "５", "\u30003", "1e0", "+1", "5.0", "positive", "negative", "null"])
    | TEXT
)
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=3))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(st.tuples(JSON, JSON, JSON), min_size=20, max_size=60))
def test_every_cell_whatever_the_shape_of_the_json(
    connection: Connection, values: list[tuple[object, object, object]]
) -> None:
    """All examples use the same database: each replaces the rows of the one before."""
    connection.execute("TRUNCATE shops, users, session_master CASCADE")
    connection.execute("INSERT INTO shops (shop_name, category) VALUES ('밥집', '한식')")
    session = connection.execute("SELECT start_session(NULL)").fetchone()
    assert session
    with connection.cursor() as cursor:
        cursor.executemany(
            "WITH made AS (INSERT INTO recommendations_log (session_id, time_stamp, recommendations, "
            "recommendation_count, user_selection) VALUES (%(session)s, '2024-12-24', %(list)s, 1, %(choice)s) "
            "RETURNING id) INSERT INTO user_feedback (session_id, time_stamp, related_recommendation_id, "
            "feedback_type, feedback_target_type, feedback_target_id, feedback_content) "
            "SELECT %(session)s, '2024-12-25', id, 'text', 'shop', '1', %(content)s FROM made",
            [
                dict(zip(("list", "choice", "content"), map(json.dumps, row), strict=True), session=session[0])
                for row in values
            ],
        )
    build(connection)
    compare(connection)
