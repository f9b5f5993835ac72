"""Which columns of the logs each column of an extract comes from, for Dagster to show. How, says its comment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from yumai_pipelines.model.registry import FEEDBACK, RECOMMENDATIONS, SESSIONS, SHOPS

if TYPE_CHECKING:
    from yumai_pipelines.model.relations import Relation


@dataclass(frozen=True)
class Source:
    """Columns of one table."""

    relation: Relation
    columns: tuple[str, ...]


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

LINEAGE: dict[str, dict[str, tuple[Source, ...]]] = {
    "recommendation_outcomes": {
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
    "recommendation_funnel": {
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
    "shop_performance": {
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
    "feedback_summary": {
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
    "score_calibration": {
        "month": (_MADE,),
        "recommendation_method": (_METHOD,),
        "score": (_SCORES,),
        "decile": (_SCORES,),
        "recommendations": (_SCORES,),
        "mean_score": (_SCORES,),
        "selections": (_CHOICE,),
        "selection_rate": (_SCORES, _CHOICE),
    },
}
"""By extract and column."""
