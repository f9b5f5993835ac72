"""Makes the rows of `ml_features.user_interactions`: what users told, chose and judged, and which coupons they used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from yumai_pipelines.demo import vocabulary
from yumai_pipelines.demo.batches import Batch
from yumai_pipelines.demo.columns import any_of, fill, instants, natural, pick
from yumai_pipelines.demo.recommendation_rows import recommended_shops
from yumai_pipelines.demo.sessions import strategies
from yumai_pipelines.demo.world import CATEGORIES, HUBS
from yumai_pipelines.model import registry

if TYPE_CHECKING:
    from yumai_pipelines.demo.batches import Numbers
    from yumai_pipelines.demo.columns import Ints
    from yumai_pipelines.demo.recommendations import Recommendations
    from yumai_pipelines.demo.stretch import Stretch

_KINDS = ("text_input", "selection", "feedback", "coupon_use")


def interaction_rows(rng: np.random.Generator, stretch: Stretch, feedback: Batch, numbers: Numbers) -> Batch:
    """Make the rows of everything that users have done until now, in the order of time."""
    sessions, turns, made = stretch.sessions, stretch.turns, stretch.made
    turn, time, kind = _acts(stretch, feedback)
    session, count = turns.session[turn], len(turn)
    shown = np.where(kind == 0, stretch.recommendation[turn], -1)
    sizes = np.append(made.size, 0)  # index -1, for turns without a recommendation, finds the 0
    shops = fill("[<shops>]", len(made.ids), {"shops": recommended_shops(made)})
    company = {
        "with": any_of(rng, vocabulary.COMPANIONS, count),
        "people": natural(turns.mentioned("people", turn)),
    }
    return Batch.of(
        registry.INTERACTIONS,
        id=numbers.take(registry.INTERACTIONS, count),
        user_id=sessions.user_ids_of(session),
        session_id=sessions.ids_of(session),
        time_stamp=instants(time),
        interaction_type=pick(_KINDS, kind),
        food_preference_extracted=pick(CATEGORIES, turns.mentioned("food", turn)),
        budget_pattern_extracted=natural(turns.mentioned("budget", turn)),
        companion_pattern_extracted=fill('{"with": "<with>", "people": <people>}', count, company),
        location_preference_extracted=pick(HUBS, turns.mentioned("place", turn)),
        recommendation_provided=shown >= 0,
        recommendation_count=sizes[shown],
        recommendations=shops.take(natural(shown)),
        user_strategy=pick(vocabulary.STRATEGIES, strategies(stretch.world, sessions, turns)[turn]),
        conversation_turn=turns.number[turn],
    )


def _acts(stretch: Stretch, feedback: Batch) -> tuple[Ints, Ints, Ints]:
    """Return turn, time and kind of each interaction.

    What a user says is an interaction if it names a budget or is answered by a recommendation.
    """
    turns, made = stretch.turns, stretch.made
    every = np.arange(len(turns.ids))
    tells = (stretch.recommendation >= 0) | (turns.mentioned("budget", every) >= 0)
    said, chosen, used = np.flatnonzero(tells), np.flatnonzero(made.chosen), np.flatnonzero(turns.coupon >= 0)
    acts = (
        (said, turns.time[said]),
        (made.turn[chosen], made.chosen_at[chosen]),
        _judgements(made, feedback),
        (used, turns.answered[used]),
    )
    turn, time = (np.concatenate(each) for each in zip(*acts, strict=True))
    kind = np.repeat(np.arange(len(_KINDS)), [len(each) for each, _ in acts])
    order = np.argsort(time, kind="stable")
    return turn[order], time[order], kind[order]


def _judgements(made: Recommendations, feedback: Batch) -> tuple[Ints, Ints]:
    """Return the turns whose recommendation was rated or commented on, and the times of that feedback."""
    rows = feedback.rows
    judged = np.isin(rows["feedback_type"].to_numpy(), ("rating", "text"))
    chosen = rows.filter(pa.array(judged & rows["related_recommendation_id"].is_valid().to_numpy()))
    place = np.searchsorted(made.ids, chosen["related_recommendation_id"].to_numpy())
    return made.turn[place], chosen["time_stamp"].cast(pa.int64()).to_numpy()
