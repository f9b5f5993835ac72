"""Makes the rows of `analytics.recommendations_log`.

Which shops are recommended and chosen is decided in `recommendations`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from yumai_pipelines.demo import vocabulary
from yumai_pipelines.demo.batches import Batch
from yumai_pipelines.demo.columns import (
    any_of,
    draw,
    fill,
    happens,
    instants,
    joined,
    logit,
    natural,
    optional,
    pick,
    render,
    sigmoid,
    thousandths,
)
from yumai_pipelines.demo.recommendations import EMPTY, LONGEST_LIST, METHODS, NOTHING, UNKNOWN_SHOP
from yumai_pipelines.demo.world import CATEGORIES, HUBS
from yumai_pipelines.model import registry

if TYPE_CHECKING:
    from yumai_pipelines.demo.columns import Bools, Column, Floats
    from yumai_pipelines.demo.recommendations import Recommendations
    from yumai_pipelines.demo.stretch import Stretch

_CONFIDENCE = np.array([0.7, 1.4, 1.0])
"""Exponents of the confidence scores, by method: wide_deep is overconfident, rag underconfident, hybrid calibrated."""

_UNKNOWN_SHOPS = 900_000_000
"""Ids from here on belong to no shop."""

_FORGOTTEN = 0.01
"""The share of scores and methods that were not written."""


def recommendation_rows(rng: np.random.Generator, stretch: Stretch) -> Batch:
    """Make the rows of the log, one for each recommendation."""
    sessions, turns, made = stretch.sessions, stretch.turns, stretch.made
    session, count = turns.session[made.turn], len(made.turn)
    top = np.where(made.flaw == EMPTY, NOTHING, made.shops[:, 0] + 1)
    return Batch.of(
        registry.RECOMMENDATIONS,
        id=made.ids,
        user_id=sessions.user_ids_of(session),
        shop_id=natural(np.where(happens(rng, _FORGOTTEN / 2, count), NOTHING, top)),
        session_id=sessions.ids_of(session),
        time_stamp=instants(made.time),
        request_food_type=pick(CATEGORIES, turns.mentioned("food", made.turn)),
        request_budget=natural(turns.mentioned("budget", made.turn)),
        request_location=pick(HUBS, turns.mentioned("place", made.turn)),
        recommendations=_lists(rng, made),
        recommendation_count=np.where(made.flaw == EMPTY, 0, made.size),
        top_recommendation_shop_id=natural(top),
        user_selection=_selections(rng, made),
        selection_timestamp=instants(made.chosen_at, made.chosen),
        recommendation_method=pick(METHODS, np.where(happens(rng, _FORGOTTEN, count), NOTHING, made.method)),
        **_scores(rng, made),
    )


def recommended_shops(made: Recommendations) -> Column:
    """Return the ids of the shops that each recommendation lists, as in `12,7,31`."""
    size = np.where(made.readable, made.size, 0)
    shops = made.shops[made.listed & made.readable[:, None]]
    return joined(pa.array(shops + 1), size, ",")


def _scores(rng: np.random.Generator, made: Recommendations) -> dict[str, Column]:
    """Make the scores: how likely a choice was, with noise. A method has only the scores that it computes.

    Some scores are missing at random.
    """
    count = len(made.method)
    truth = logit(np.clip(made.likelihood, 0.001, 0.999))

    def score(weight: float, noise: float, exists: Bools, exponent: Floats | float = 1.0) -> Column:
        values = thousandths(sigmoid(weight * truth + rng.normal(0, noise, count)) ** exponent)
        return optional(values, exists & ~happens(rng, _FORGOTTEN, count))

    wide_deep, rag = (made.method == METHODS.index(name) for name in ("wide_deep", "rag"))
    return {
        "confidence_score": score(1.0, 0.3, np.ones(count, dtype=np.bool_), _CONFIDENCE[made.method]),
        "wide_score": score(0.8, 0.7, ~rag),
        "deep_score": score(1.0, 0.5, ~rag),
        "rag_score": score(0.7, 0.8, ~wide_deep),
    }


def _lists(rng: np.random.Generator, made: Recommendations) -> Column:
    """Make the lists `[{"shop_id", "score", "reason"}]`, by rank. A few of them have flaws."""
    last = np.arange(LONGEST_LIST) == made.size[:, None] - 1
    unknown = last & (made.flaw == UNKNOWN_SHOP)[:, None]
    shops = np.where(unknown, _UNKNOWN_SHOPS + made.shops, made.shops + 1)[made.listed]
    item = fill(
        '{"shop_id": <shop>, "score": <score>, "reason": "<reason>"}',
        len(shops),
        {
            "shop": pa.array(shops),
            "score": pa.array(thousandths(made.scores[made.listed])),
            "reason": any_of(rng, vocabulary.REASONS, len(shops)),
        },
    )
    templates = ["[<items>]", "[<items>]", "[]", '{"shop_id": <shop>}']
    slots = {"items": joined(item, made.size, ", "), "shop": pa.array(made.shops[:, 0] + 1)}
    return render(templates, made.flaw, slots)


def _selections(rng: np.random.Generator, made: Recommendations) -> Column:
    """Make `{"shop_id", "rank", "source"}`. Where nothing was chosen, it is SQL's NULL, or sometimes JSON's null."""
    count = len(made.rank)
    kind = np.where(made.chosen, 0, np.where(happens(rng, _FORGOTTEN / 2, count), 1, 2))
    slots = {
        "shop": pa.array(made.chosen_shop + 1),
        "rank": pa.array(made.rank + 1),
        "source": pick(vocabulary.SELECTION_SOURCES, draw(rng, (8, 1, 1), count)),
        "none": pa.nulls(count, pa.string()),
    }
    return render(['{"shop_id": <shop>, "rank": <rank>, "source": "<source>"}', "null", "<none>"], kind, slots)
