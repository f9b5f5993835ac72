"""The registry: every table, materialized view and extract of the YUMAI database, each after those that it depends on.

Assets, asset checks, repairs, schedules and erasures are made from it. Columns, keys and foreign keys are not repeated
here: `schema.tables` reads them from the shipped catalogue. `docs/adding.md` says what to change when something is
added.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from yumai_pipelines.model.entries import Extract, Mean, Readable, Share, SoftReference, Source, TableEntry, View
from yumai_pipelines.model.relations import Relation

if TYPE_CHECKING:
    from collections.abc import Sequence

Named = TypeVar("Named", bound=Readable)

USERS = Relation("chatbot", "users")
SHOPS = Relation("chatbot", "shops")
MENUS = Relation("chatbot", "menus")
COUPONS = Relation("chatbot", "coupons")
ORDERS = Relation("chatbot", "orders")
SESSIONS = Relation("chatbot", "session_master")
CONVERSATIONS = Relation("chatbot", "conversations")
INTERACTIONS = Relation("ml_features", "user_interactions")
RECOMMENDATIONS = Relation("analytics", "recommendations_log")
FEEDBACK = Relation("analytics", "user_feedback")
LEDGER = Relation("extracts", "ledger")
RECENT_CONVERSATIONS = Relation("chatbot", "recent_conversations")

TABLE_ENTRIES: tuple[TableEntry, ...] = (
    TableEntry(USERS),
    TableEntry(SHOPS),
    TableEntry(MENUS),
    TableEntry(Relation("chatbot", "foodcard_users")),
    TableEntry(Relation("chatbot", "user_profiles"), soft_references=(SoftReference("favorite_shops", SHOPS),)),
    TableEntry(COUPONS),
    TableEntry(Relation("chatbot", "user_wallet")),
    TableEntry(ORDERS),
    TableEntry(Relation("chatbot", "orders_coupons")),
    TableEntry(Relation("chatbot", "reviews"), personal=("review_comment",)),
    TableEntry(SESSIONS, time="session_start", later=("session_end",)),
    TableEntry(
        CONVERSATIONS,
        session_child=True,
        soft_references=(SoftReference("recommended_shop_ids", SHOPS),),
        time="conversation_time",
    ),
    TableEntry(Relation("ml_features", "nlu_features")),
    TableEntry(
        INTERACTIONS,
        session_child=True,
        soft_references=(SoftReference("recommendations", SHOPS),),
        time="time_stamp",
    ),
    TableEntry(
        RECOMMENDATIONS,
        session_child=True,
        soft_references=(
            SoftReference("top_recommendation_shop_id", SHOPS),
            SoftReference("recommendations", SHOPS, "$[*].shop_id"),
        ),
        time="time_stamp",
        later=("selection_timestamp",),
    ),
    TableEntry(FEEDBACK, session_child=True, time="time_stamp"),
)
"""The tables that the chatbot writes. No table refers to a later one, so rows can be deleted from the last table on."""

VIEWS: tuple[View, ...] = (
    View(
        RECENT_CONVERSATIONS,
        sources=(CONVERSATIONS,),
        section="7.1",
    ),
)


def _of(relation: Relation, *columns: str) -> Source:
    return Source(relation, columns)


_MADE = _of(RECOMMENDATIONS, "time_stamp")
_CHOICE = _of(RECOMMENDATIONS, "user_selection")
_PAUSE = _of(RECOMMENDATIONS, "user_selection", "time_stamp", "selection_timestamp")
_METHOD = _of(RECOMMENDATIONS, "recommendation_method")
_LIST = _of(RECOMMENDATIONS, "recommendations")
_LINK = _of(FEEDBACK, "related_recommendation_id")
_SAID = _of(FEEDBACK, "id")
_CONTENT = _of(FEEDBACK, "feedback_content")
_TARGET = _of(FEEDBACK, "feedback_target_type", "feedback_target_id")
_COUNTED_IN = (_MADE, _of(FEEDBACK, "related_recommendation_id", "time_stamp"))
_CATEGORY = (_of(RECOMMENDATIONS, "shop_id"), _of(SHOPS, "category"))
_SCORE_COLUMNS = ("confidence_score", "wide_score", "deep_score", "rag_score")
_SCORES = _of(RECOMMENDATIONS, *_SCORE_COLUMNS)

_RATING_MEAN = Mean("rating_mean", "rating_count", 1, 5)

EXTRACTS: tuple[Extract, ...] = (
    Extract(
        Relation("extracts", "recommendation_outcomes"),
        grain="recommendation",
        key=("month", "recommendation_id"),
        sources=(RECOMMENDATIONS, FEEDBACK),
        lineage={
            "month": (_MADE,),
            "recommendation_id": (_of(RECOMMENDATIONS, "id"),),
            "recommended_at": (_MADE,),
            "user_key": (_of(RECOMMENDATIONS, "user_id"),),
            "session_type": (_of(SESSIONS, "session_type"),),
            "seconds_into_session": (_MADE, _of(SESSIONS, "session_start")),
            "request_category": (_of(RECOMMENDATIONS, "request_food_type"),),
            "request_budget": (_of(RECOMMENDATIONS, "request_budget"),),
            "request_has_location": (_of(RECOMMENDATIONS, "request_location"),),
            "recommendation_method": (_METHOD,),
            **{score: (_of(RECOMMENDATIONS, score),) for score in _SCORE_COLUMNS},
            "shop_id": (_of(RECOMMENDATIONS, "shop_id"),),
            "shop_category": _CATEGORY,
            "shop_takes_food_card": (_of(RECOMMENDATIONS, "shop_id"), _of(SHOPS, "is_food_card_shop")),
            "shop_is_good_influence": (_of(RECOMMENDATIONS, "shop_id"), _of(SHOPS, "is_good_influence_shop")),
            "list_is_readable": (_LIST,),
            "listed_shops": (_LIST,),
            "unreadable_shops": (_LIST,),
            "was_selected": (_CHOICE,),
            "selected_shop_id": (_CHOICE,),
            "selected_rank": (_LIST, _CHOICE),
            "seconds_to_selection": (_PAUSE,),
            "feedback_count": (_LINK,),
            "rating_count": (_LINK, _CONTENT),
            "rating_mean": (_LINK, _CONTENT),
            "last_feedback_at": (_LINK, _of(FEEDBACK, "time_stamp")),
        },
        categories=(
            "session_type",
            "request_category",
            "recommendation_method",
            "shop_category",
            "shop_takes_food_card",
        ),
        means=(_RATING_MEAN, Mean("seconds_to_selection", None, 0), Mean("selected_rank", None, 1)),
        user_key="user_key",
    ),
    Extract(
        Relation("extracts", "recommendation_funnel"),
        grain="month × recommendation method × shop category",
        key=("month", "recommendation_method", "shop_category"),
        sources=(RECOMMENDATIONS, FEEDBACK),
        lineage={
            "month": _COUNTED_IN,
            "recommendation_method": (_METHOD,),
            "shop_category": _CATEGORY,
            "recommendations": (_of(RECOMMENDATIONS, "id"),),
            "sessions": (_of(RECOMMENDATIONS, "session_id"),),
            "users": (_of(RECOMMENDATIONS, "user_id"),),
            "selections": (_CHOICE,),
            "selection_rate": (_CHOICE,),
            "median_seconds_to_selection": (_PAUSE,),
            "feedback_count": (_LINK,),
            "feedback_rate": (_LINK,),
            "rating_count": (_LINK, _CONTENT),
            "rating_mean": (_LINK, _CONTENT),
        },
        categories=("recommendation_method", "shop_category"),
        shares=(Share("selection_rate", "selections", "recommendations"),),
        means=(
            _RATING_MEAN,
            Mean("feedback_rate", "recommendations", 0, 1),
            Mean("median_seconds_to_selection", None, 0),
        ),
        merged=("recommendation_method", "suppressed"),
    ),
    Extract(
        Relation("extracts", "shop_performance"),
        grain="month × shop",
        key=("month", "shop_id"),
        sources=(RECOMMENDATIONS, FEEDBACK),
        lineage={
            "month": _COUNTED_IN,
            "shop_id": (_LIST, _CHOICE, _TARGET),
            "shop_name": (_of(SHOPS, "shop_name"),),
            "shop_category": (_of(SHOPS, "category"),),
            "listed": (_LIST,),
            "listed_top": (_LIST,),
            "mean_rank": (_LIST,),
            "users": (_LIST, _of(RECOMMENDATIONS, "user_id")),
            "selections": (_CHOICE,),
            "selections_listed": (_LIST, _CHOICE),
            "selection_rate": (_LIST, _CHOICE),
            "feedback_count": (_TARGET,),
            "rating_count": (_TARGET, _CONTENT),
            "rating_mean": (_TARGET, _CONTENT),
            "positive": (_TARGET, _CONTENT),
            "negative": (_TARGET, _CONTENT),
        },
        categories=("shop_category",),
        shares=(Share("selection_rate", "selections_listed", "listed"),),
        means=(_RATING_MEAN, Mean("mean_rank", "listed", 1)),
        merged=("shop_id", -1),
    ),
    Extract(
        Relation("extracts", "feedback_summary"),
        grain="month × feedback type × target type",
        key=("month", "feedback_type", "target_type"),
        sources=(RECOMMENDATIONS, FEEDBACK),
        lineage={
            "month": _COUNTED_IN,
            "feedback_type": (_of(FEEDBACK, "feedback_type"),),
            "target_type": (_of(FEEDBACK, "feedback_target_type"),),
            "feedback_count": (_SAID,),
            "users": (_of(FEEDBACK, "user_id"),),
            "sessions": (_of(FEEDBACK, "session_id"),),
            "linked": (_LINK,),
            **dict.fromkeys(("rating_count", "rating_mean", *(f"rating_{star}" for star in range(1, 6))), (_CONTENT,)),
            "invalid_ratings": (_CONTENT, _of(FEEDBACK, "feedback_type")),
        },
        categories=("feedback_type", "target_type"),
        means=(_RATING_MEAN,),
        merged=("feedback_type", "suppressed"),
    ),
    Extract(
        Relation("extracts", "score_calibration"),
        grain="month × recommendation method × score × tenth of its range",
        key=("month", "recommendation_method", "score", "decile"),
        sources=(RECOMMENDATIONS,),
        lineage={
            "month": (_MADE,),
            "recommendation_method": (_METHOD,),
            "score": (_SCORES,),
            "decile": (_SCORES,),
            "recommendations": (_SCORES,),
            "mean_score": (_SCORES,),
            "selections": (_CHOICE,),
            "selection_rate": (_SCORES, _CHOICE),
        },
        categories=("recommendation_method", "score"),
        shares=(Share("selection_rate", "selections", "recommendations"),),
        means=(Mean("mean_score", None, 0, 1),),
        merged=("recommendation_method", "suppressed"),
    ),
)


READABLE: tuple[Readable, ...] = (*EXTRACTS, Readable(LEDGER, key=("month", "extract"), categories=("extract",)))
"""What analysts read: the extracts, and what each of their months was built from."""


def extract_of(name: str) -> Extract:
    """Return the extract of the registry that has this name, such as `shop_performance`.

    Raises:
        KeyError: there is no such extract. The message names those that exist.
    """
    return _named(name, EXTRACTS)


def readable(name: str) -> Readable:
    """Return the extract that has this name, or the ledger.

    Raises:
        KeyError: there is no such extract. The message names those that exist.
    """
    return _named(name, READABLE)


def _named(name: str, among: Sequence[Named]) -> Named:
    for each in among:
        if each.relation.name == name:
            return each
    raise KeyError(f"there is no extract {name!r}; there are {', '.join(each.relation.name for each in among)}")
