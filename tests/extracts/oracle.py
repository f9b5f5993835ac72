"""What the extracts should hold, computed by pandas from the raw rows.

It is written from the comments of the columns, not from the SQL.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from zoneinfo import ZoneInfo

    from tests.support import Connection
    from yumai_pipelines.model.entries import Extract
    from yumai_pipelines.model.months import Month

Cell = Any
"""A value as psycopg or JSON returns it."""

SHOP_ID = re.compile(r"[1-9][0-9]{0,17}")
RATING = re.compile(r"[ \t\n\r]*([0-9](?:\.[0-9]{1,6})?)[ \t\n\r]*")
SCORES = ("confidence", "wide", "deep", "rag")


def frame(connection: Connection, query: str | sql.Composable) -> pd.DataFrame:
    """Return the rows of a query with Python's objects, unconverted."""
    with connection.cursor() as cursor:
        cursor.execute(query.encode() if isinstance(query, str) else sql.Composed([query]))
        names = [column.name for column in cursor.description or ()]
        return pd.DataFrame(cursor.fetchall(), columns=names, dtype=object)


def rows_of(table: pd.DataFrame) -> Iterator[Cell]:
    """Yield the rows of a table, with their columns as attributes."""
    yield from table.itertuples(index=False)


def column(values: Iterable[Any]) -> pd.Series[Any]:
    """Make a column that keeps None as it is."""
    return pd.Series(list(values), dtype=object)


def extracted(connection: Connection, extract: Extract) -> pd.DataFrame:
    """Return the rows of an extract, in the order of its key."""
    order = sql.SQL(", ").join(map(sql.Identifier, extract.key))
    return frame(connection, sql.SQL("SELECT * FROM {} ORDER BY {}").format(extract.relation.identifier, order))


def load(text: str | None) -> Cell:
    """Parse a JSON text, with exact decimals. None for SQL's NULL."""
    return None if text is None else json.loads(text, parse_int=Decimal, parse_float=Decimal)


def shop_of(value: Cell) -> int | None:
    """Return the shop that a JSON value names: a whole number from 1 on, or a text of one."""
    if isinstance(value, bool) or not isinstance(value, (Decimal, str)):
        return None
    digits = f"{value:f}" if isinstance(value, Decimal) else value  # 1e1 is 10, as jsonb prints it
    return int(digits) if SHOP_ID.fullmatch(digits) else None


def listed_shops(text: str) -> list[int | None] | None:
    """Return the shops of a list, None for an item that names none. Return None if the value is not a list."""
    value = load(text)
    if not isinstance(value, list):
        return None
    return [shop_of(each.get("shop_id")) if isinstance(each, dict) else None for each in value]


def selected_shop(text: str) -> int | None:
    """Return the shop that was chosen."""
    if not held_by_jsonb(text):
        return None
    value = load(text)
    return shop_of(value.get("shop_id")) if isinstance(value, dict) else None


def held_by_jsonb(text: str) -> bool:
    """Return whether jsonb can hold the text: `json` also accepts NUL and half of a surrogate pair in texts."""
    plain = json.dumps(json.loads(text), ensure_ascii=False)
    return "\\u0000" not in plain and not re.search("[\ud800-\udfff]", plain)


def rating_in(value: Cell) -> Decimal | None:
    """Return the valid rating in a feedback's content, if it has one."""
    rating = value.get("rating") if isinstance(value, dict) else None
    if isinstance(rating, str) and (match := RATING.fullmatch(rating)):
        rating = Decimal(match[1])
    valid = isinstance(rating, Decimal) and 1 <= rating <= 5
    return rating if valid else None


def verdict_on(value: Cell, rating: Decimal | None) -> int:
    """Return 1 for praise, -1 for a complaint, 0 for neither."""
    if rating is not None:
        return 1 if rating >= 4 else -1 if rating <= 2 else 0
    sentiment = value.get("sentiment") if isinstance(value, dict) else None
    return {"positive": 1, "negative": -1}.get(sentiment, 0) if isinstance(sentiment, str) else 0


def rounded(part: Cell, whole: Cell, places: str) -> Decimal | None:
    """Return a quotient rounded as `numeric`, None if the divisor is zero."""
    return (Decimal(part) / Decimal(whole)).quantize(Decimal(places), ROUND_HALF_UP) if whole else None


def known(values: Iterable[Any]) -> list[Any]:
    """Return the values that are not missing."""
    return [value for value in values if value is not None and value is not pd.NaT]


def distinct(values: pd.Series[Any]) -> int:
    """Return the number of different values that are not missing."""
    return len(set(known(values)))


@dataclass
class Raw:
    """The raw rows of the months, parsed once.

    Attributes:
        made: the recommendations.
        said: the feedback, in the month in which it counts.
        shops: the shops by id.
    """

    made: pd.DataFrame
    said: pd.DataFrame
    shops: pd.DataFrame

    @classmethod
    def read(cls, connection: Connection, months: Sequence[Month], zone: ZoneInfo) -> Raw:
        starts = {month: month.start(zone) for month in months}
        end = months[-1].end(zone)

        def month_of(instant: Cell) -> Cell:
            inside = [month for month in months if starts[month] <= instant < end]
            return pd.Timestamp(inside[-1].partition_key).date() if inside else None

        made = frame(
            connection,
            "SELECT r.id, r.user_id, r.shop_id, r.session_id, r.time_stamp, r.request_food_type, r.request_budget, "
            "r.request_location, r.recommendation_method, r.confidence_score, r.wide_score, r.deep_score, r.rag_score, "
            "r.recommendations::text AS list, r.user_selection::text AS selection, "
            "CASE WHEN isfinite(r.selection_timestamp) THEN r.selection_timestamp END AS chosen_at, "
            "CASE WHEN isfinite(s.session_start) THEN s.session_start END AS session_start, s.session_type "
            "FROM analytics.recommendations_log AS r LEFT JOIN chatbot.session_master AS s USING (session_id)",
        )
        every = set(made["id"])
        made["month"] = column(map(month_of, made["time_stamp"]))
        made = made[made["month"].notna()].reset_index(drop=True)
        made["listed"] = column(map(listed_shops, made["list"]))
        made["selected"] = [text is not None and text.strip() != "null" for text in made["selection"]]
        made["chosen"] = column(
            selected_shop(text) if chosen else None
            for text, chosen in zip(made["selection"], made["selected"], strict=True)
        )
        said = frame(
            connection,
            "SELECT id, session_id, user_id, related_recommendation_id, feedback_type, feedback_target_type, "
            "feedback_target_id, feedback_content::text AS content, "
            "CASE WHEN isfinite(time_stamp) THEN time_stamp END AS time_stamp FROM analytics.user_feedback",
        )
        linked = dict(zip(made["id"], made["month"], strict=True))
        said["recommendation"] = column(each if each in every else None for each in said["related_recommendation_id"])
        said["month"] = column(
            linked.get(recommendation) if recommendation is not None else at and month_of(at)
            for recommendation, at in zip(said["recommendation"], said["time_stamp"], strict=True)
        )
        said = said[said["month"].notna()].reset_index(drop=True)
        contents = [load(text) for text in said["content"]]
        said["rating"] = column(map(rating_in, contents))
        said["verdict"] = [
            verdict_on(content, rating) for content, rating in zip(contents, said["rating"], strict=True)
        ]
        said["invalid"] = [
            rating is None and (kind == "rating" or (isinstance(content, dict) and "rating" in content))
            for content, rating, kind in zip(contents, said["rating"], said["feedback_type"], strict=True)
        ]
        said["shop"] = column(
            (int(target) if target and SHOP_ID.fullmatch(target) else 0) if kind == "shop" else None
            for kind, target in zip(said["feedback_target_type"], said["feedback_target_id"], strict=True)
        )
        shops = frame(
            connection,
            "SELECT id, shop_name, category, is_food_card_shop, is_good_influence_shop FROM chatbot.shops",
        ).set_index("id")
        return cls(made, said, shops)

    def of_shop(self, shop: Cell, column: str) -> Cell:
        """Return a column of a shop, None if the shop was deleted."""
        return self.shops[column].get(shop) if shop is not None else None

    def category(self, shop: Cell) -> str:
        return self.of_shop(shop, "category") or "unknown"


def recommendation_outcomes(raw: Raw, secret: str) -> pd.DataFrame:
    on = dict(iter(raw.said[raw.said["recommendation"].notna()].groupby("recommendation")))
    categories = set(raw.shops["category"])
    keys = {
        user: hmac.new(secret.encode(), str(user).encode(), hashlib.sha256).hexdigest()[:32]
        for user in set(known(raw.made["user_id"]))
    }
    rows = []
    for each in rows_of(raw.made):
        feedback = on.get(each.id)
        ratings = known(feedback["rating"]) if feedback is not None else []
        times = known(feedback["time_stamp"]) if feedback is not None else []
        listed = each.listed or []
        food = each.request_food_type
        late = each.session_start is None or each.session_start > each.time_stamp
        in_time = each.selected and each.chosen_at is not None and each.chosen_at >= each.time_stamp
        rows.append(
            {
                "month": each.month,
                "recommendation_id": each.id,
                "recommended_at": each.time_stamp,
                "user_key": keys.get(each.user_id),
                "session_type": each.session_type or "unknown",
                "seconds_into_session": None if late else (each.time_stamp - each.session_start).total_seconds(),
                "request_category": food if food is None or food in categories else "other",
                "request_budget": each.request_budget,
                "request_has_location": each.request_location is not None,
                "recommendation_method": "unknown" if (method := each.recommendation_method) is None else method,
                **{f"{score}_score": getattr(each, f"{score}_score") for score in SCORES},
                "shop_id": each.shop_id,
                "shop_category": raw.category(each.shop_id),
                "shop_takes_food_card": raw.of_shop(each.shop_id, "is_food_card_shop"),
                "shop_is_good_influence": raw.of_shop(each.shop_id, "is_good_influence_shop"),
                "list_is_readable": each.listed is not None,
                "listed_shops": len(listed),
                "unreadable_shops": listed.count(None),
                "was_selected": each.selected,
                "selected_shop_id": each.chosen,
                "selected_rank": listed.index(each.chosen) + 1 if each.chosen and each.chosen in listed else None,
                "seconds_to_selection": (each.chosen_at - each.time_stamp).total_seconds() if in_time else None,
                "feedback_count": 0 if feedback is None else len(feedback),
                "rating_count": len(ratings),
                "rating_mean": rounded(sum(ratings), len(ratings), "0.001"),
                "last_feedback_at": max(times, default=None),
            }
        )
    return pd.DataFrame(rows, dtype=object)


def merge_small(rows: pd.DataFrame, key: Sequence[str], marks: dict[str, Any], minimum: int) -> pd.DataFrame:
    """Merge groups of too few users: replace the key of their rows by the marks."""
    if minimum == 1 or rows.empty:
        return rows
    small = rows.groupby(list(key))["user_id"].transform(distinct) < minimum
    merged = rows.copy()
    for column, mark in marks.items():
        merged.loc[small, column] = mark
    return merged


def recommendation_funnel(raw: Raw, outcomes: pd.DataFrame, minimum: int) -> pd.DataFrame:
    key = ["month", "recommendation_method", "shop_category"]
    rows = outcomes[[*key, "was_selected", "seconds_to_selection", "feedback_count", "rating_count"]].assign(
        made=True, session_id=raw.made["session_id"], user_id=raw.made["user_id"]
    )
    on = raw.said[raw.said["recommendation"].notna()].groupby("recommendation")["rating"].agg(list)
    rows["ratings"] = column(known(on.get(each, [])) for each in outcomes["recommendation_id"])
    rest = raw.said[raw.said["recommendation"].isna()]
    loose = pd.DataFrame(
        {
            "month": rest["month"],
            "recommendation_method": "unknown",
            "shop_category": "unknown",
            "was_selected": False,
            "seconds_to_selection": None,
            "feedback_count": 1,
            "made": False,
            "session_id": None,
            "user_id": None,
            "ratings": [known([rating]) for rating in rest["rating"]],
        },
        dtype=object,
    )
    every = merge_small(
        pd.concat([rows, loose], ignore_index=True).astype(object),
        key,
        {"recommendation_method": "suppressed", "shop_category": "suppressed"},
        minimum,
    )
    result = []
    for names, group in every.groupby(key):
        made, users = int(group["made"].sum()), distinct(group["user_id"])
        ratings = [rating for each in group["ratings"] for rating in each]
        seconds = known(group["seconds_to_selection"])
        selections = int(group["was_selected"].sum())
        answered = int((group["made"] & (group["feedback_count"] > 0)).sum())
        shown = minimum == 1 or users >= minimum
        result.append(
            {
                **dict(zip(key, names, strict=True)),
                "recommendations": made,
                "sessions": distinct(group["session_id"]),
                "users": users,
                "selections": selections,
                "selection_rate": rounded(selections, made, "0.00001") if shown else None,
                "median_seconds_to_selection": float(np.median(seconds)) if seconds and shown else None,
                "feedback_count": int(group["feedback_count"].sum()),
                "feedback_rate": rounded(answered, made, "0.00001") if shown else None,
                "rating_count": len(ratings),
                "rating_mean": rounded(sum(ratings), len(ratings), "0.001") if shown else None,
            }
        )
    return pd.DataFrame(result, dtype=object)


def shop_performance(raw: Raw, minimum: int) -> pd.DataFrame:
    made = raw.made
    places = pd.DataFrame(
        [
            (each.month, shop or 0, rank, each.user_id)
            for each in rows_of(made)
            for shop, rank in {shop: rank for rank, shop in reversed([*enumerate(each.listed or [], 1)])}.items()
        ],
        columns=["month", "shop_id", "rank", "user_id"],
        dtype=object,
    )
    choices = pd.DataFrame(
        [
            (each.month, each.chosen or 0, bool(each.chosen) and each.chosen in (each.listed or []))
            for each in rows_of(made[made["selected"]])
        ],
        columns=["month", "shop_id", "inside"],
        dtype=object,
    )
    said = raw.said[raw.said["shop"].notna()].rename(columns={"shop": "shop_id"})
    parts = pd.concat(
        [
            places.assign(part="place"),
            choices.assign(part="choice", user_id=None),
            said[["month", "shop_id", "rating", "verdict"]].assign(part="said", user_id=None),
        ],
        ignore_index=True,
    ).astype(object)
    parts = parts.where(parts.notna(), None)
    parts = merge_small(parts, ["month", "shop_id"], {"shop_id": -1}, minimum)
    result = []
    for (month, shop), group in parts.groupby(["month", "shop_id"]):
        ranks = known(group["rank"])
        listed, chosen, users = len(ranks), int((group["part"] == "choice").sum()), distinct(group["user_id"])
        inside = sum(known(group["inside"]))
        ratings = known(group["rating"])
        shown = minimum == 1 or users >= minimum
        result.append(
            {
                "month": month,
                "shop_id": shop,
                "shop_name": raw.of_shop(shop, "shop_name"),
                "shop_category": "suppressed" if shop == -1 else raw.category(shop),
                "listed": listed,
                "listed_top": ranks.count(1),
                "mean_rank": sum(ranks) / listed if listed and shown else None,
                "users": users,
                "selections": chosen,
                "selections_listed": inside,
                "selection_rate": rounded(inside, listed, "0.00001") if shown else None,
                "feedback_count": int((group["part"] == "said").sum()),
                "rating_count": len(ratings),
                "rating_mean": rounded(sum(ratings), len(ratings), "0.001") if shown else None,
                "positive": known(group["verdict"]).count(1),
                "negative": known(group["verdict"]).count(-1),
            }
        )
    return pd.DataFrame(result, dtype=object)


def feedback_summary(raw: Raw, minimum: int) -> pd.DataFrame:
    key = ["month", "feedback_type", "target_type"]
    said = raw.said.assign(target_type=raw.said["feedback_target_type"])
    for column in key[1:]:
        said[column] = ["unknown" if each is None else each for each in said[column]]
    marks = {"feedback_type": "suppressed", "target_type": "suppressed"}
    result = []
    for names, group in merge_small(said, key, marks, minimum).groupby(key):
        ratings = known(group["rating"])
        stars = [int(rating.quantize(Decimal(1), ROUND_HALF_UP)) for rating in ratings]
        users = distinct(group["user_id"])
        shown = minimum == 1 or users >= minimum
        result.append(
            {
                **dict(zip(key, names, strict=True)),
                "feedback_count": len(group),
                "users": users,
                "sessions": distinct(group["session_id"]),
                "linked": len(known(group["recommendation"])),
                "rating_count": len(ratings),
                "rating_mean": rounded(sum(ratings), len(ratings), "0.001") if shown else None,
                **{f"rating_{star}": stars.count(star) for star in range(1, 6)},
                "invalid_ratings": int(group["invalid"].sum()),
            }
        )
    return pd.DataFrame(result, dtype=object)


def score_calibration(raw: Raw, outcomes: pd.DataFrame, minimum: int) -> pd.DataFrame:
    long = outcomes.assign(user_id=raw.made["user_id"]).melt(
        ["month", "recommendation_method", "was_selected", "user_id"],
        [f"{score}_score" for score in SCORES],
        "score",
        "value",
    )
    long = long[[value is not None for value in long["value"]]].astype(object)
    long["score"] = long["score"].str.removesuffix("_score")
    inside = [value.is_finite() and 0 <= value <= 1 for value in long["value"]]
    long["decile"] = [
        min(int(value * 10), 9) + 1 if valid else 0 for value, valid in zip(long["value"], inside, strict=True)
    ]
    long = long.reset_index(drop=True)
    long["value"] = column(value if valid else None for value, valid in zip(long["value"], inside, strict=True))
    key = ["month", "recommendation_method", "score", "decile"]
    merged = merge_small(long, key, {"recommendation_method": "suppressed", "decile": -1}, minimum)
    result = []
    for names, group in merged.groupby(key):
        values, selections = known(group["value"]), int(group["was_selected"].sum())
        shown = minimum == 1 or names[-1] != -1 or distinct(group["user_id"]) >= minimum
        result.append(
            {
                **dict(zip(key, names, strict=True)),
                "recommendations": len(group),
                "mean_score": rounded(sum(values), len(values), "0.00001") if shown else None,
                "selections": selections,
                "selection_rate": rounded(selections, len(group), "0.00001") if shown else None,
            }
        )
    return pd.DataFrame(result, dtype=object)


def expected(
    connection: Connection, months: Sequence[Month], zone: ZoneInfo, secret: str, minimum: int = 1
) -> dict[str, pd.DataFrame]:
    """Return all extracts of these months, by name."""
    raw = Raw.read(connection, months, zone)
    outcomes = recommendation_outcomes(raw, secret)
    return {
        "recommendation_outcomes": outcomes,
        "recommendation_funnel": recommendation_funnel(raw, outcomes, minimum),
        "shop_performance": shop_performance(raw, minimum),
        "feedback_summary": feedback_summary(raw, minimum),
        "score_calibration": score_calibration(raw, outcomes, minimum),
    }


def differences(found: pd.DataFrame, wanted: pd.DataFrame, key: Sequence[str]) -> list[str]:
    """Describe every cell that differs. Floats may differ in the last bits of a double."""
    if wanted.empty:
        return [f"{len(found)} rows instead of none"] if len(found) else []
    here, there = (by_key(each, key) for each in (found, wanted))
    told = [f"missing: {row}" for row in there.keys() - here.keys()]
    told += [f"unknown: {row}" for row in here.keys() - there.keys()]
    if set(found.columns) != set(wanted.columns):
        told.append(f"columns: {set(found.columns) ^ set(wanted.columns)}")
    for row in here.keys() & there.keys():
        told += [
            f"{row}: {name} is {here[row][name]!r} instead of {there[row][name]!r}"
            for name in there[row]
            if name in here[row] and not same(here[row][name], there[row][name])
        ]
    return told


def by_key(table: pd.DataFrame, key: Sequence[str]) -> dict[tuple[Cell, ...], dict[Cell, Cell]]:
    return {tuple(row[name] for name in key): row for row in table.to_dict("records")}


def same(found: Cell, wanted: Cell) -> bool:
    """Return whether two cells are equal. NULL equals only NULL, not 0."""
    if found is None or wanted is None:
        return found is wanted
    if isinstance(found, Decimal) and found.is_nan():
        return isinstance(wanted, Decimal) and wanted.is_nan()
    if isinstance(found, float):
        return bool(np.isclose(found, float(wanted), rtol=1e-12, atol=0))
    return bool(found == wanted)
