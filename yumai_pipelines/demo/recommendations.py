"""What is recommended and what is chosen, and how that comes into `analytics.recommendations_log`.

Each listed shop has an appeal that nobody sees: the user's taste, the shop's quality, the way there, and chance. The
scores are noisy views of it; the choice goes by it and by the rank, since people read from the top.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from yumai_pipelines.demo import vocabulary
from yumai_pipelines.demo.batches import Batch
from yumai_pipelines.demo.columns import (
    Bools,
    Column,
    Floats,
    Ints,
    any_of,
    draw,
    fill,
    happens,
    instants,
    joined,
    logit,
    lognormal,
    natural,
    optional,
    pick,
    render,
    sigmoid,
    thousandths,
)
from yumai_pipelines.demo.sessions import NOBODY
from yumai_pipelines.demo.world import CATEGORIES, HUBS
from yumai_pipelines.model import registry

if TYPE_CHECKING:
    from yumai_pipelines.demo.batches import Numbers
    from yumai_pipelines.demo.sessions import Sessions, Turns
    from yumai_pipelines.demo.stretch import Stretch
    from yumai_pipelines.demo.world import World

METHODS = ("wide_deep", "rag", "hybrid")
LONGEST_LIST = 5
NOTHING = -1
"""In the place of a rank, a shop or a method where there is none."""

_METHOD_SHARES = (40.0, 25.0, 35.0)
_CONFIDENCE = np.array([0.7, 1.4, 1.0])
"""Exponents: wide_deep is too sure of itself, rag not sure enough, hybrid is calibrated."""

_RECOMMENDS = np.array([intent.recommends for intent in vocabulary.INTENTS])
_LENGTHS = (0.04, 0.08, 0.38, 0.2, 0.3)
_CLEAN, _UNKNOWN_SHOP, _EMPTY, _OBJECT = range(4)
_LISTS = (98.8, 0.6, 0.3, 0.3)
"""Shares of lists that are clean, have a shop that nobody knows, have none, or are no list."""

_UNKNOWN_SHOPS = 900_000_000
_FORGOTTEN = 0.01
"""How often a score, or the method, was not written."""


@dataclass(frozen=True)
class Recommendations:
    """The recommendations of some turns, in their order.

    Attributes:
        ids: keys in the log.
        turn: places in `Turns`.
        time: when they were made.
        method: places in `METHODS`.
        size: how many shops are listed.
        shops: places in the world's shops, by rank; beyond `size` they mean nothing.
        scores: the listed shops' scores, 0 to 1, by rank.
        likelihood: how likely it was that something would be chosen.
        rank: the rank that was chosen, from 0; `NOTHING` if nothing was.
        chosen_at: when, where something was.
        flaw: what is wrong with the list.
    """

    ids: Ints
    turn: Ints
    time: Ints
    method: Ints
    size: Ints
    shops: Ints
    scores: Floats
    likelihood: Floats
    rank: Ints
    chosen_at: Ints
    flaw: Ints

    @property
    def chosen(self) -> Bools:
        """From which something was chosen."""
        chosen: Bools = self.rank != NOTHING
        return chosen

    @property
    def chosen_shop(self) -> Ints:
        """The shop that was chosen; meaningless where nothing was."""
        shops: Ints = self.shops[np.arange(len(self.rank)), self.rank]
        return shops

    @property
    def listed(self) -> Bools:
        """Which places of the lists are filled."""
        filled: Bools = np.arange(LONGEST_LIST) < self.size[:, None]
        return filled

    @property
    def readable(self) -> Bools:
        """Whose list is one, and not empty."""
        readable: Bools = self.flaw < _EMPTY
        return readable


def recommend(
    rng: np.random.Generator, world: World, sessions: Sessions, turns: Turns, numbers: Numbers
) -> Recommendations:
    """Recommend something in the turns that ask for it, and let the users choose."""
    turn = np.flatnonzero(happens(rng, _RECOMMENDS[turns.intent], len(turns.intent)))
    count = len(turn)
    size = draw(rng, _LENGTHS, count) + 1
    shops, appeal = _candidates(rng, world, sessions, turns, turn)
    unlisted = np.arange(LONGEST_LIST) >= size[:, None]
    seen = np.where(unlisted, -np.inf, appeal + rng.normal(0, 0.35, appeal.shape))
    order = np.argsort(-seen, axis=1)
    shops, appeal, seen = (np.take_along_axis(each, order, axis=1) for each in (shops, appeal, seen))
    attention = 1 / (1 + 0.45 * np.arange(LONGEST_LIST))
    missed = np.cumprod(1 - np.where(unlisted, 0, sigmoid(appeal) * attention), axis=1)
    rank = (rng.random(count)[:, None] >= 1 - missed).sum(axis=1)
    flaw = draw(rng, _LISTS, count)
    time = turns.answered[turn]
    chosen_at = time + lognormal(rng, 24, 0.9, count)
    gone = (flaw == _UNKNOWN_SHOP) & (rank == size - 1)
    chosen = (rank < LONGEST_LIST) & (flaw < _EMPTY) & ~gone & (chosen_at <= world.period.until)
    return Recommendations(
        ids=numbers.take(registry.RECOMMENDATIONS, count),
        turn=turn,
        time=time,
        method=draw(rng, _METHOD_SHARES, count),
        size=size,
        shops=shops,
        scores=sigmoid(seen),
        likelihood=1 - missed[:, -1],
        rank=np.where(chosen, rank, NOTHING),
        chosen_at=chosen_at,
        flaw=flaw,
    )


def recommendation_rows(rng: np.random.Generator, stretch: Stretch) -> Batch:
    """Rows of the log."""
    sessions, turns, made = stretch.sessions, stretch.turns, stretch.made
    session, count = turns.session[made.turn], len(made.turn)
    top = np.where(made.flaw == _EMPTY, NOTHING, made.shops[:, 0] + 1)
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
        recommendation_count=np.where(made.flaw == _EMPTY, 0, made.size),
        top_recommendation_shop_id=natural(top),
        user_selection=_selections(rng, made),
        selection_timestamp=instants(made.chosen_at, made.chosen),
        recommendation_method=pick(METHODS, np.where(happens(rng, _FORGOTTEN, count), NOTHING, made.method)),
        **_scores(rng, made),
    )


def recommended_shops(made: Recommendations) -> Column:
    """The ids of each recommendation's listed shops, `12,7,31`."""
    size = np.where(made.readable, made.size, 0)
    shops = made.shops[made.listed & made.readable[:, None]]
    return joined(pa.array(shops + 1), size, ",")


def _candidates(
    rng: np.random.Generator, world: World, sessions: Sessions, turns: Turns, turn: Ints
) -> tuple[Ints, Floats]:
    """Shops of the wanted category around the wanted place, and their appeal on the scale of log odds."""
    category, around = turns.category[turn], (turns.category[turn], turns.place[turn])
    pool, distance = world.shops.nearby[around], world.shops.distance[around]
    lots = np.argsort(rng.random(pool.shape), axis=1)[:, :LONGEST_LIST]
    shops, km = np.take_along_axis(pool, lots, axis=1), np.take_along_axis(distance, lots, axis=1)
    user = sessions.user[turns.session[turn]]
    liking = np.log(world.users.taste[user, category] * len(CATEGORIES)) * (user != NOBODY)
    mood = 0.6 * liking + rng.normal(-1.9, 0.6, len(turn))
    merit = 2.0 * (world.shops.quality[shops] - 0.6) + 0.8 * (world.shops.popularity[shops] - 0.45)
    return shops, mood[:, None] + merit - 0.12 * km + rng.normal(0, 0.35, shops.shape)


def _scores(rng: np.random.Generator, made: Recommendations) -> dict[str, Column]:
    """Noisy views of how likely a choice was; a method has only the scores that it computes, and may lose one."""
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
    """`[{"shop_id", "score", "reason"}]`, by rank; a few of them flawed."""
    last = np.arange(LONGEST_LIST) == made.size[:, None] - 1
    unknown = last & (made.flaw == _UNKNOWN_SHOP)[:, None]
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
    """`{"shop_id", "rank", "source"}`; SQL's NULL where nothing was chosen, and now and then JSON's."""
    count = len(made.rank)
    kind = np.where(made.chosen, 0, np.where(happens(rng, _FORGOTTEN / 2, count), 1, 2))
    slots = {
        "shop": pa.array(made.chosen_shop + 1),
        "rank": pa.array(made.rank + 1),
        "source": pick(vocabulary.SELECTION_SOURCES, draw(rng, (8, 1, 1), count)),
        "none": pa.nulls(count, pa.string()),
    }
    return render(['{"shop_id": <shop>, "rank": <rank>, "source": "<source>"}', "null", "<none>"], kind, slots)
