"""Rows with every kind of dirt that the logs may hold, and at every edge of the definitions, repeatable by a seed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
from psycopg.types.json import Jsonb

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from tests.support import Connection, Value
    from yumai_pipelines.model.months import Month

MICROSECOND = timedelta(microseconds=1)
SELECTIONS = (
    None,
    "null",
    " \n null\t",
    '{"shop_id": %d, "rank": 1, "source": "tap"}',
    '{"shop_id": %d}',
    '{"shop_id": "%d"}',
    '{"shop_id": 900000001}',
    '{"shop_id": 0}',
    '{"shop_id": -3}',
    '{"shop_id": 1.5}',
    '{"shop_id": true}',
    '{"shop_id": null}',
    '{"shop_id": {"id": 3}}',
    '{"shop_id": 1e400}',
    '{"shop_id": 12345678901234567890}',
    '{"rank": 1}',
    '{"shop_id": 1, "note": "\\u0000"}',
    '{"shop_id": 2, "note": "\\ud83d"}',
    "[]",
    "[%d]",
    "%d",
    '"text"',
    "false",
    "{}",
)
CONTENTS: tuple[Value, ...] = (
    None,
    {"rating": 4},
    {"rating": 5},
    {"rating": 2},
    {"rating": 1},
    {"rating": 3.5},
    {"rating": 4.5},
    {"rating": 2.5},
    {"rating": 3.333333333},
    {"rating": "3"},
    {"rating": " 4.25 "},
    {"rating": "\u30003"},
    {"rating": "3\u00a0"},
    {"rating": "five"},
    {"rating": "5.5"},
    {"rating": "0"},
    {"rating": ""},
    {"rating": 0},
    {"rating": 9},
    {"rating": -1},
    {"rating": 1e300},
    {"rating": None},
    {"rating": True},
    {"rating": [4]},
    {"rating": {"value": 4}},
    {"rating": 3, "sentiment": "positive"},
    {"rating": "five", "sentiment": "negative"},
    {"score": 4},
    {"text": "맛있어요", "sentiment": "positive"},
    {"text": "별로", "sentiment": "negative"},
    {"sentiment": ["positive"]},
    {"sentiment": None},
    {"signal": "dwell", "dwell_seconds": 37},
    {},
    [],
    ["rating"],
    [{"rating": 4}],
    4,
    "4",
    "rating",
    True,
    # JSON's null is not SQL's NULL.
    Jsonb(None),
)
SCORES = (None, 0, 1, "0.1", "0.099", "0.5", "0.999", "0.3", "0.7", "-0.001", "1.001", "9.999", "NaN")
FOODS = (None, "한식", "치킨", "떡볶이", "", "서울시 마포구 와우산로 1")


class Dice:
    """Random choices that a seed repeats."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def choice(self, values: Sequence[Value]) -> Value:
        return values[int(self._rng.integers(len(values)))]

    def some(self, values: Sequence[Value], count: int) -> list[Value]:
        """Choose different ones."""
        return [values[int(index)] for index in self._rng.choice(len(values), count, replace=False)]

    def uniform(self, low: float, high: float) -> float:
        return float(self._rng.uniform(low, high))


def lists(rng: Dice, shops: Sequence[int]) -> Value:
    """Return a list of recommendations, or something else."""

    def item() -> Value:
        shop: Value = rng.choice([*shops, 900_000_001, 2**40])
        return rng.choice(
            [
                {"shop_id": shop, "score": 0.5, "reason": "가까워요"},
                {"shop_id": shop, "score": 0.5},
                {"shop_id": shop},
                {"shop_id": str(shop)},
                {"shop_id": rng.choice([0, -1, 2.5, None, True, "", "7 ", "x", [1], {"id": 1}, 10**30])},
                {"score": 0.5},
                shop,
                [shop],
                [{"shop_id": shop}],
                "text",
                None,
                {},
            ]
        )

    if rng.uniform(0, 1) < 0.15:
        return rng.choice([{"shop_id": shops[0]}, {}, 3, "list", None, True, [[]], [{}], []])
    clean = rng.uniform(0, 1) < 0.6
    count = rng.choice([0, 1, 2, 3, 5, 8])
    return [{"shop_id": rng.choice(shops), "score": 0.5} if clean else item() for _ in range(count)]


def plant(connection: Connection, months: Sequence[Month], zone: ZoneInfo, *, rows: int, seed: int) -> None:
    """Plant users, shops, sessions, recommendations and feedback around the months, some exactly at their edges."""
    rng = Dice(seed)
    edges: list[datetime] = [
        edge + shift
        for month in months
        for edge in (month.start(zone), month.end(zone))
        for shift in (-MICROSECOND, timedelta(0), MICROSECOND)
    ]
    first, last = months[0].start(zone), months[-1].end(zone)

    def instant() -> datetime:
        if rng.uniform(0, 1) < 0.3:
            edge: datetime = rng.choice(edges)
            return edge
        return first + (last - first) * rng.uniform(-0.1, 1.1)

    with connection.transaction(), connection.cursor() as cursor:
        users = [
            _id(cursor, "INSERT INTO users (external_user_id) VALUES (%s) RETURNING id", f"dirt {number}")
            for number in range(12)
        ]
        shops = [
            _id(
                cursor,
                "INSERT INTO shops (shop_name, category, is_food_card_shop, is_good_influence_shop) "
                "VALUES (%s, %s, %s, %s) RETURNING id",
                f"가게 {number}",
                rng.choice(["한식", "치킨", None]),
                rng.choice(["Y", "N", "U"]),
                rng.choice([True, False, None]),
            )
            for number in range(8)
        ]
        sessions = [
            _id(
                cursor,
                "INSERT INTO session_master (user_id, session_start, session_end, is_active, session_type) "
                "VALUES (%s, %s, %s, %s, %s) RETURNING session_id",
                rng.choice([*users, None]),
                start := rng.choice([instant(), instant(), None, "infinity", "-infinity"]),
                start,
                False,
                rng.choice(["chat", "voice", None]),
            )
            for _ in range(rows // 3)
        ]
        recommendations = []
        for _ in range(rows):
            made = instant()
            selection = rng.choice(SELECTIONS) if rng.uniform(0, 1) < 0.6 else None
            if selection and "%d" in selection:
                selection %= rng.choice(shops)
            recommendations.append(
                _id(
                    cursor,
                    "INSERT INTO recommendations_log (user_id, shop_id, session_id, time_stamp, request_food_type, "
                    "request_budget, request_location, recommendations, recommendation_count, user_selection, "
                    "selection_timestamp, recommendation_method, confidence_score, wide_score, deep_score, rag_score) "
                    "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
                    rng.choice([*users, None]),
                    rng.choice([*shops, None]),
                    rng.choice(sessions),
                    made,
                    rng.choice(FOODS),
                    rng.choice([None, 0, 12000]),
                    rng.choice([None, "", "홍대"]),
                    Jsonb(lists(rng, shops)),
                    3,
                    selection,
                    rng.choice(
                        [None, made, made + timedelta(seconds=rng.uniform(0, 90)), made - MICROSECOND, "infinity"]
                    ),
                    rng.choice(["wide_deep", "rag", "hybrid", None, ""]),
                    *(rng.choice(SCORES) for _ in range(4)),
                )
            )
        for _ in range(rows):
            content = rng.choice(CONTENTS)
            cursor.execute(
                "INSERT INTO user_feedback (session_id, related_recommendation_id, user_id, time_stamp, feedback_type, "
                "feedback_target_type, feedback_target_id, feedback_content) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
                (
                    rng.choice(sessions),
                    # A few recommendations get much feedback, and many get none.
                    rng.choice([None, rng.choice(recommendations[: rows // 20]), rng.choice(recommendations)]),
                    rng.choice([*users, None]),
                    rng.choice([instant(), instant(), instant(), "infinity"]),
                    rng.choice(["rating", "text", "implicit", None, ""]),
                    rng.choice(["shop", "shop", "recommendation", "service", None]),
                    rng.choice([*map(str, shops), "900000001", "0", "-1", "x", "", None, "9" * 30]),
                    content if content is None or isinstance(content, Jsonb) else Jsonb(content),
                ),
            )
        # Some shops are deleted after they were recommended.
        cursor.execute("DELETE FROM shops WHERE id = ANY(%s)", (shops[:2],))


def _id(cursor: Value, statement: str, *values: object) -> Value:
    return cursor.execute(statement, values).fetchone()[0]
