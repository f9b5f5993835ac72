"""Decides which shops are recommended, and which of them users choose.

Each listed shop has a hidden appeal, made of the user's taste, the shop's quality, the distance and chance. The scores
are this appeal with noise added. The choice depends on the appeal and on the rank, since people read from the top.
`recommendation_rows` makes the rows of the log from this.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from yumai_pipelines.demo import vocabulary
from yumai_pipelines.demo.columns import (
    Bools,
    Floats,
    Ints,
    draw,
    happens,
    lognormal,
    sigmoid,
)
from yumai_pipelines.demo.sessions import NOBODY
from yumai_pipelines.demo.world import CATEGORIES
from yumai_pipelines.model import registry

if TYPE_CHECKING:
    from yumai_pipelines.demo.batches import Numbers
    from yumai_pipelines.demo.sessions import Sessions, Turns
    from yumai_pipelines.demo.world import World

METHODS = ("wide_deep", "rag", "hybrid")
LONGEST_LIST = 5
NOTHING = -1
"""Used as rank, shop or method where there is none."""

CLEAN, UNKNOWN_SHOP, EMPTY, OBJECT = range(4)
"""Flaws of a list: none, a shop that does not exist, no shop at all, a JSON object instead of a list."""

_METHOD_SHARES = (40.0, 25.0, 35.0)
_RECOMMENDS = np.array([intent.recommends for intent in vocabulary.INTENTS])
_LENGTHS = (0.04, 0.08, 0.38, 0.2, 0.3)
_FLAW_SHARES = (98.8, 0.6, 0.3, 0.3)


@dataclass(frozen=True)
class Recommendations:
    """The recommendations of a stretch of time, in the order of their turns. Each array has one entry a recommendation.

    Attributes:
        ids: keys in the log.
        turn: index into `Turns`.
        time: when the recommendation was made.
        method: index into `METHODS`.
        size: how many shops are listed.
        shops: indexes into the world's shops, by rank. Entries beyond `size` are not part of the list.
        scores: the listed shops' scores, 0 to 1, by rank.
        likelihood: how likely it was that the user would choose a shop.
        rank: the rank of the chosen shop, from 0; `NOTHING` if no shop was chosen.
        chosen_at: when the shop was chosen. Meaningless if none was.
        flaw: what is wrong with the list: `CLEAN`, `UNKNOWN_SHOP`, `EMPTY` or `OBJECT`.
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
        """Whether a shop was chosen."""
        chosen: Bools = self.rank != NOTHING
        return chosen

    @property
    def chosen_shop(self) -> Ints:
        """The shop that was chosen. Meaningless if none was."""
        shops: Ints = self.shops[np.arange(len(self.rank)), self.rank]
        return shops

    @property
    def listed(self) -> Bools:
        """Which ranks of each list hold a shop."""
        filled: Bools = np.arange(LONGEST_LIST) < self.size[:, None]
        return filled

    @property
    def readable(self) -> Bools:
        """Whether the list is a JSON list with at least one shop."""
        readable: Bools = self.flaw < EMPTY
        return readable


def recommend(
    rng: np.random.Generator, world: World, sessions: Sessions, turns: Turns, numbers: Numbers
) -> Recommendations:
    """Recommend shops in the turns that ask for them, and let the users choose."""
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
    flaw = draw(rng, _FLAW_SHARES, count)
    time = turns.answered[turn]
    chosen_at = time + lognormal(rng, 24, 0.9, count)
    gone = (flaw == UNKNOWN_SHOP) & (rank == size - 1)
    chosen = (rank < LONGEST_LIST) & (flaw < EMPTY) & ~gone & (chosen_at <= world.period.until)
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


def _candidates(
    rng: np.random.Generator, world: World, sessions: Sessions, turns: Turns, turn: Ints
) -> tuple[Ints, Floats]:
    """Return shops of the wanted category around the wanted place, and their appeal as log odds."""
    category, around = turns.category[turn], (turns.category[turn], turns.place[turn])
    pool, distance = world.shops.nearby[around], world.shops.distance[around]
    lots = np.argsort(rng.random(pool.shape), axis=1)[:, :LONGEST_LIST]
    shops, km = np.take_along_axis(pool, lots, axis=1), np.take_along_axis(distance, lots, axis=1)
    user = sessions.user[turns.session[turn]]
    liking = np.log(world.users.taste[user, category] * len(CATEGORIES)) * (user != NOBODY)
    mood = 0.6 * liking + rng.normal(-1.9, 0.6, len(turn))
    merit = 2.0 * (world.shops.quality[shops] - 0.6) + 0.8 * (world.shops.popularity[shops] - 0.45)
    return shops, mood[:, None] + merit - 0.12 * km + rng.normal(0, 0.35, shops.shape)
