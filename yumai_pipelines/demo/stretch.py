"""What happens in a stretch of time: sessions, their turns, and what is recommended in them.

`conversations`, `recommendation_rows`, `feedback`, `interactions` and `orders` make rows from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from yumai_pipelines.demo.recommendations import Recommendations, recommend
from yumai_pipelines.demo.sessions import Sessions, Turns, open_sessions, talk

if TYPE_CHECKING:
    from yumai_pipelines.demo.batches import Numbers
    from yumai_pipelines.demo.columns import Ints
    from yumai_pipelines.demo.world import World


@dataclass(frozen=True)
class Stretch:
    """All that happens in the sessions that start in a stretch of time."""

    world: World
    sessions: Sessions
    turns: Turns
    made: Recommendations

    @property
    def until(self) -> int:
        """The present. Nothing happens later."""
        return self.world.period.until

    @property
    def recommendation(self) -> Ints:
        """The index of each turn's recommendation; negative if it has none."""
        places = np.full(len(self.turns.session), -1)
        places[self.made.turn] = np.arange(len(self.made.turn))
        return places


def happen(rng: np.random.Generator, world: World, starts: Ints, numbers: Numbers) -> Stretch:
    """Let sessions start at these times, which are sorted."""
    sessions = open_sessions(rng, world, starts)
    turns = talk(rng, world, sessions, numbers)
    return Stretch(world, sessions, turns, recommend(rng, world, sessions, turns, numbers))
