"""The core of an older database: the columns that the pipeline itself reads and writes, frozen like the target.

They become as ours, converted without loss. Every other column is adopted as it is, whatever its type. What is not here
must not be named by a function, a check, an extract, a repair or an erasure; `tests/adoption/test_core.py` takes each
other column another type, and runs all of them.
"""

from __future__ import annotations

from yumai_pipelines.adoption.registry import CONVERSATIONS, SESSION_CHILDREN, SESSIONS, SHOPS, TABLES, USERS
from yumai_pipelines.adoption.target import own_name, within
from yumai_pipelines.model.relations import Relation

_READ: dict[Relation, tuple[str, ...]] = {
    USERS: ("external_user_id", "platform", "user_name", "nickname", "email", "phone_number", "user_status"),
    SHOPS: ("shop_name", "category", "is_good_influence_shop", "is_food_card_shop", "business_hours"),
    Relation("chatbot", "user_profiles"): ("favorite_shops",),
    Relation("chatbot", "reviews"): ("review_comment",),
    SESSIONS: tuple(own_name(each) for each in within("column", SESSIONS)),
    CONVERSATIONS: ("conversation_time", "recommended_shop_ids"),
    Relation("ml_features", "user_interactions"): ("time_stamp", "recommendations"),
    Relation("analytics", "recommendations_log"): (
        "time_stamp",
        "request_food_type",
        "request_budget",
        "request_location",
        "recommendations",
        "top_recommendation_shop_id",
        "user_selection",
        "selection_timestamp",
        "recommendation_method",
        "confidence_score",
        "wide_score",
        "deep_score",
        "rag_score",
    ),
    Relation("analytics", "user_feedback"): (
        "time_stamp",
        "feedback_type",
        "feedback_target_type",
        "feedback_target_id",
        "feedback_content",
    ),
}

CORE: dict[Relation, frozenset[str]] = {
    table.relation: frozenset({*table.key, *(key.column for key in table.foreign_keys), *_READ.get(table.relation, ())})
    for table in TABLES
}
"""The columns of the core by table: keys, references, and what is read besides."""

KEYS: frozenset[tuple[Relation, str]] = frozenset((table.relation, name) for table in TABLES for name in table.key)
"""The columns of the primary keys."""

REFERENCES: dict[tuple[Relation, str], tuple[Relation, str]] = {
    (key.table, key.column): (key.referenced, key.referenced_column) for table in TABLES for key in table.foreign_keys
}
"""The column that each column with a foreign key refers to."""

MACHINERY: frozenset[tuple[Relation, str]] = frozenset(
    {
        *((SESSIONS, name) for name in CORE[SESSIONS]),
        *((table.relation, name) for table in SESSION_CHILDREN for name in ("session_id", table.time or "")),
    }
)
"""The columns without which no session works: they get our defaults, whatever they had."""
