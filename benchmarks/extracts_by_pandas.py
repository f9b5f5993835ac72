"""Builds the extracts as one would in a notebook: read_sql, groupby, to_sql. The columns are those of the tables.

It is fast where pandas can be: only JSON is read by a function call for each row, everything else by column.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import resource
import sys
import time
from typing import Any

import pandas as pd
from sqlalchemy import Engine, create_engine

from benchmarks.extracts import SECRET
from yumai_pipelines.postgres.connections import connect

Json = Any
RECOMMENDATIONS = """
    SELECT r.*, s.session_start, s.session_type, h.category, h.is_food_card_shop, h.is_good_influence_shop
    FROM analytics.recommendations_log AS r
    JOIN chatbot.session_master AS s USING (session_id) LEFT JOIN chatbot.shops AS h ON h.id = r.shop_id
"""


def shops_of(places: Json) -> list[int | None]:
    """Return the listed shops, by rank."""
    if not isinstance(places, list):
        return []
    return [place.get("shop_id") if isinstance(place, dict) else None for place in places]


def rating_of(content: Json) -> float | None:
    """Return the valid rating of a feedback, if it has one."""
    try:
        rating = float(content["rating"])
    except (TypeError, KeyError, ValueError):
        return None
    return rating if 1 <= rating <= 5 else None


def month_of(times: pd.Series[Any]) -> pd.Series[Any]:
    """Return the first days of the months in Seoul."""
    local = times.dt.tz_convert("Asia/Seoul").dt.tz_localize(None)
    months: pd.Series[Any] = local.dt.to_period("M").dt.to_timestamp()
    return months


def read(engine: Engine) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Read recommendations, feedback and shops."""
    made = pd.read_sql(RECOMMENDATIONS, engine)
    said = pd.read_sql("SELECT * FROM analytics.user_feedback", engine)
    shops = pd.read_sql("SELECT id, shop_name, category FROM chatbot.shops", engine)
    made["month"] = month_of(made["time_stamp"])
    made["listed"] = made["recommendations"].map(shops_of)
    made["selected"] = made["user_selection"].notna()
    made["chosen"] = made["user_selection"].map(lambda each: each.get("shop_id") if isinstance(each, dict) else None)
    made["seconds"] = (made["selection_timestamp"] - made["time_stamp"]).dt.total_seconds()
    made["method"] = made["recommendation_method"].fillna("unknown")
    made["category"] = made["category"].fillna("unknown")
    keys = {
        user: hmac.new(SECRET.encode(), str(int(user)).encode(), hashlib.sha256).hexdigest()[:32]
        for user in made["user_id"].dropna().unique()
    }
    made["user_key"] = made["user_id"].map(keys)
    said["rating"] = said["feedback_content"].map(rating_of)
    said = said.merge(
        made[["id", "month"]], how="left", left_on="related_recommendation_id", right_on="id", suffixes=("", "_made")
    )
    said["month"] = said["month"].fillna(month_of(said["time_stamp"]))
    opinions = said.groupby("related_recommendation_id").agg(
        feedbacks=("id", "size"),
        ratings=("rating", "count"),
        rating_sum=("rating", "sum"),
        last_at=("time_stamp", "max"),
    )
    made = made.join(opinions, on="id")
    made[["feedbacks", "ratings"]] = made[["feedbacks", "ratings"]].fillna(0).astype(int)
    return made, said, shops


def outcomes(made: pd.DataFrame, shops: pd.DataFrame) -> pd.DataFrame:
    """Make one row per recommendation."""
    known = set(shops["category"])
    food = made["request_food_type"]
    ranks = [
        places.index(shop) + 1 if shop in places else None
        for places, shop in zip(made["listed"], made["chosen"], strict=True)
    ]
    return pd.DataFrame(
        {
            "month": made["month"],
            "recommendation_id": made["id"],
            "recommended_at": made["time_stamp"],
            "user_key": made["user_key"],
            "session_type": made["session_type"].fillna("unknown"),
            "seconds_into_session": (made["time_stamp"] - made["session_start"]).dt.total_seconds(),
            "request_category": food.where(food.isin(known) | food.isna(), "other"),
            "request_budget": made["request_budget"],
            "request_has_location": made["request_location"].notna(),
            "recommendation_method": made["method"],
            **{f"{score}_score": made[f"{score}_score"] for score in ("confidence", "wide", "deep", "rag")},
            "shop_id": made["shop_id"],
            "shop_category": made["category"],
            "shop_takes_food_card": made["is_food_card_shop"],
            "shop_is_good_influence": made["is_good_influence_shop"],
            "list_is_readable": made["recommendations"].map(lambda each: isinstance(each, list)),
            "listed_shops": made["listed"].map(len),
            "unreadable_shops": made["listed"].map(lambda each: each.count(None)),
            "was_selected": made["selected"],
            "selected_shop_id": made["chosen"],
            "selected_rank": ranks,
            "seconds_to_selection": made["seconds"],
            "feedback_count": made["feedbacks"],
            "rating_count": made["ratings"],
            "rating_mean": (made["rating_sum"] / made["ratings"]).where(made["ratings"] > 0),
            "last_feedback_at": made["last_at"],
        }
    )


def funnel(made: pd.DataFrame, said: pd.DataFrame) -> pd.DataFrame:
    """Make one row per month, method and category."""
    key = ["month", "method", "category"]
    groups = made.assign(answered=made["feedbacks"] > 0).groupby(key)
    counted = groups.agg(
        recommendations=("id", "size"),
        sessions=("session_id", "nunique"),
        users=("user_id", "nunique"),
        selections=("selected", "sum"),
        median_seconds_to_selection=("seconds", "median"),
        feedback_count=("feedbacks", "sum"),
        answered=("answered", "sum"),
        rating_count=("ratings", "sum"),
        rating_sum=("rating_sum", "sum"),
    ).reset_index()
    alone = (
        said[said["related_recommendation_id"].isna()]
        .groupby("month")
        .agg(feedback_count=("id", "size"), rating_count=("rating", "count"), rating_sum=("rating", "sum"))
    )
    alone = alone.reset_index().assign(method="unknown", category="unknown")
    every = pd.concat([counted, alone]).groupby(key).sum(min_count=1).reset_index()
    counts = ["recommendations", "sessions", "users", "selections", "answered"]
    every[counts] = every[counts].fillna(0).astype(int)
    every["selection_rate"] = every["selections"] / every["recommendations"].replace(0, pd.NA)
    every["feedback_rate"] = every["answered"] / every["recommendations"].replace(0, pd.NA)
    every["rating_mean"] = every["rating_sum"] / every["rating_count"].replace(0, pd.NA)
    return every.rename(columns={"method": "recommendation_method", "category": "shop_category"}).drop(
        columns=["answered", "rating_sum"]
    )


def shop_performance(made: pd.DataFrame, said: pd.DataFrame, shops: pd.DataFrame) -> pd.DataFrame:
    """Make one row per month and shop."""
    places = made[["month", "id", "user_id", "chosen", "listed"]].explode("listed").dropna(subset=["listed"])
    places["rank"] = places.groupby("id").cumcount() + 1
    places = places.drop_duplicates(["id", "listed"])
    places["top"] = places["rank"] == 1
    places["taken"] = places["listed"] == places["chosen"]
    places["shop_id"] = places["listed"].astype("int64")
    listed = places.groupby(["month", "shop_id"]).agg(
        listed=("id", "size"),
        listed_top=("top", "sum"),
        mean_rank=("rank", "mean"),
        users=("user_id", "nunique"),
        selections_listed=("taken", "sum"),
    )
    chosen = made.dropna(subset=["chosen"]).astype({"chosen": "int64"}).groupby(["month", "chosen"]).size()
    about = said[said["feedback_target_type"] == "shop"].assign(
        shop_id=lambda rows: pd.to_numeric(rows["feedback_target_id"], errors="coerce").fillna(0).astype("int64")
    )
    sentiment = about["feedback_content"].map(lambda each: each.get("sentiment") if isinstance(each, dict) else None)
    about["positive"] = (about["rating"] >= 4) | (about["rating"].isna() & (sentiment == "positive"))
    about["negative"] = (about["rating"] <= 2) | (about["rating"].isna() & (sentiment == "negative"))
    opinions = about.groupby(["month", "shop_id"]).agg(
        feedback_count=("id", "size"),
        rating_count=("rating", "count"),
        rating_mean=("rating", "mean"),
        positive=("positive", "sum"),
        negative=("negative", "sum"),
    )
    chosen = chosen.rename("selections").rename_axis(["month", "shop_id"])
    every = pd.concat([listed, chosen, opinions], axis=1).reset_index()
    means = ["mean_rank", "rating_mean"]
    counts = [column for column in every.columns if column not in {"month", "shop_id", *means}]
    every[counts] = every[counts].fillna(0).astype(int)
    every["selection_rate"] = every["selections_listed"] / every["listed"].replace(0, pd.NA)
    named = every.merge(shops, how="left", left_on="shop_id", right_on="id").drop(columns="id")
    return named.rename(columns={"category": "shop_category"}).fillna({"shop_category": "unknown"})


def feedback_summary(said: pd.DataFrame) -> pd.DataFrame:
    """Make one row per month, type and target."""
    stars = said["rating"].round()
    invalid = said["rating"].isna() & (said["feedback_type"] == "rating")
    return (
        said.assign(invalid=invalid, **{f"rating_{star}": stars == star for star in range(1, 6)})
        .fillna({"feedback_type": "unknown", "feedback_target_type": "unknown"})
        .groupby(["month", "feedback_type", "feedback_target_type"])
        .agg(
            feedback_count=("id", "size"),
            users=("user_id", "nunique"),
            sessions=("session_id", "nunique"),
            linked=("related_recommendation_id", "count"),
            rating_count=("rating", "count"),
            rating_mean=("rating", "mean"),
            **{f"rating_{star}": (f"rating_{star}", "sum") for star in range(1, 6)},
            invalid_ratings=("invalid", "sum"),
        )
        .reset_index()
        .rename(columns={"feedback_target_type": "target_type"})
    )


def score_calibration(made: pd.DataFrame) -> pd.DataFrame:
    """Make one row per month, method, score and tenth."""
    scores = ["confidence", "wide", "deep", "rag"]
    long = made.rename(columns={f"{score}_score": score for score in scores}).melt(
        ["month", "method", "selected"], scores, "score", "value"
    )
    long = long.dropna(subset=["value"])
    long["decile"] = (long["value"] * 10).astype(int).clip(upper=9) + 1
    counted = long.groupby(["month", "method", "score", "decile"]).agg(
        recommendations=("value", "size"), mean_score=("value", "mean"), selections=("selected", "sum")
    )
    counted["selection_rate"] = counted["selections"] / counted["recommendations"]
    return counted.reset_index().rename(columns={"method": "recommendation_method"})


def main(url: str) -> None:
    """Make all five extracts, and report seconds and memory."""
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: connect(url, application_name="benchmark: pandas", autocommit=False)
    )
    started = time.monotonic()
    made, said, shops = read(engine)
    frames = {
        "recommendation_outcomes": outcomes(made, shops),
        "recommendation_funnel": funnel(made, said),
        "shop_performance": shop_performance(made, said, shops),
        "feedback_summary": feedback_summary(said),
        "score_calibration": score_calibration(made),
    }
    with engine.begin() as connection:
        for name, frame in frames.items():
            frame.to_sql(name, connection, schema="extracts", if_exists="append", index=False, chunksize=10_000)
    took = time.monotonic() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"seconds": took, "peak_mib": peak}))


if __name__ == "__main__":
    main(sys.argv[1])
