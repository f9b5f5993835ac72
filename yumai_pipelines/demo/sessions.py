"""Who talks when, and about what: sessions and their turns, before anything is recommended.

How they come into tables stands in `conversations`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from yumai_pipelines.demo import vocabulary
from yumai_pipelines.demo.columns import (
    DAY,
    Bools,
    Column,
    Floats,
    Groups,
    Ints,
    draw,
    draw_each,
    happens,
    lognormal,
    optional,
    slots_of,
    uuids,
)
from yumai_pipelines.demo.world import APPETITE, PLATFORMS, somewhere
from yumai_pipelines.model import registry

if TYPE_CHECKING:
    from yumai_pipelines.demo.batches import Numbers
    from yumai_pipelines.demo.world import World

INTENTS = tuple(intent.name for intent in vocabulary.INTENTS)
QUESTIONS = Groups.of([question for question, _ in intent.exchanges] for intent in vocabulary.INTENTS)
NOBODY = -1
"""The user of a session of somebody who has not signed in."""

_MENTIONS = np.array([[slot in slots_of(text) for slot in vocabulary.SLOT_NAMES] for text in QUESTIONS.words])
_OPENINGS = np.array([intent.opening for intent in vocabulary.INTENTS])
_FOLLOW_UPS = np.array(
    [[vocabulary.FOLLOW_UPS.get(before, {}).get(after, 0.0) for after in INTENTS] for before in INTENTS]
) + 0.25 * np.maximum(_OPENINGS, 0.5)

_ANONYMOUS = 0.12
_USUAL_BUDGET = 9000
_MEAN_TURNS = 4.0
_LONGEST = 14
_DISTRACTION = 0.2
"""How often a turn is about another food than the session."""


@dataclass(frozen=True)
class Sessions:
    """The sessions of a stretch of time, by their start.

    Attributes:
        ids: UUIDs.
        user: places in the world's users; `NOBODY` for somebody who has not signed in.
        start: when they begin.
        platform: places in `PLATFORMS`.
        turns: how many turns they want to have.
        craving: the food they are about, places in `CATEGORIES`.
        place: where they want to eat, places in `vocabulary.DISTRICTS`.
    """

    ids: Column
    user: Ints
    start: Ints
    platform: Ints
    turns: Ints
    craving: Ints
    place: Ints

    @property
    def known(self) -> Bools:
        """Whose user is known."""
        known: Bools = self.user != NOBODY
        return known

    def ids_of(self, which: Ints) -> Column:
        """The ids of these sessions, as rows hold them."""
        return self.ids.take(pa.array(which))

    def user_ids_of(self, which: Ints) -> Column:
        """The ids of their users; null where nobody has signed in."""
        return optional(self.user[which] + 1, self.known[which])


@dataclass(frozen=True)
class Turns:
    """Their turns, session by session.

    Attributes:
        ids: keys of the conversations.
        session: places in `Sessions`.
        number: from 1, in the session.
        time: when the user said it.
        nlu: time for understanding, in microseconds.
        rag: for retrieval.
        response: for the answer's wording.
        intent: places in `INTENTS`.
        previous: the intent before; negative at first.
        question: what was said, places in `QUESTIONS`, by intent.
        category: the food, places in `CATEGORIES`.
        place: where, places in `vocabulary.DISTRICTS`.
        budget: in won.
        people: how many will eat.
        coupon: the coupon that is applied, places in the world's; negative for none.
    """

    ids: Ints
    session: Ints
    number: Ints
    time: Ints
    nlu: Ints
    rag: Ints
    response: Ints
    intent: Ints
    previous: Ints
    question: Ints
    category: Ints
    place: Ints
    budget: Ints
    people: Ints
    coupon: Ints

    @property
    def answered(self) -> Ints:
        """When the answer was there."""
        return self.time + self.nlu + self.rag + self.response

    @property
    def mentions(self) -> Bools:
        """Which of `vocabulary.SLOT_NAMES` each turn names, a row each."""
        named: Bools = _MENTIONS[self.question]
        return named

    def mentioned(self, slot: str, which: Ints) -> Ints:
        """The food, place, budget or people of these turns; negative where they do not name it."""
        values = {"food": self.category, "place": self.place, "budget": self.budget, "people": self.people}
        return np.where(self.mentions[which, vocabulary.SLOT_NAMES.index(slot)], values[slot][which], -1)


def open_sessions(rng: np.random.Generator, world: World, starts: Ints) -> Sessions:
    """Sessions that start at these times, of users who have joined by then."""
    count, users = len(starts), world.users
    joined = np.searchsorted(users.joined, starts, side="right")
    chance = rng.random(count) * users.activity[joined - 1]
    user = np.where(happens(rng, _ANONYMOUS, count), NOBODY, np.searchsorted(users.activity, chance, side="right"))
    known = user != NOBODY
    at_home = known & happens(rng, 0.6, count)
    return Sessions(
        ids=uuids(rng, count),
        user=user,
        start=starts,
        platform=np.where(known, users.platform[user], rng.integers(0, len(PLATFORMS) - 1, count)),
        turns=np.minimum(1 + rng.poisson(rng.gamma(2.0, (_MEAN_TURNS - 1) / 2, count)), _LONGEST),
        craving=draw_each(rng, _tastes(world, user)),
        place=np.where(at_home, users.home[user], somewhere(rng, count)),
    )


def talk(rng: np.random.Generator, world: World, sessions: Sessions, numbers: Numbers) -> Turns:
    """The sessions' turns, those that are answered by now."""
    session = np.repeat(np.arange(len(sessions.start)), sessions.turns)
    nlu, rag, response = (lognormal(rng, median, 0.35, len(session)) for median in (0.06, 0.18, 0.65))
    time = _times(rng, sessions, session)
    answered = time + nlu + rag + response <= world.period.until
    session, time, nlu, rag, response = (each[answered] for each in (session, time, nlu, rag, response))
    lengths = np.bincount(session, minlength=len(sessions.start))
    count, first = len(session), np.cumsum(lengths) - lengths
    number = np.arange(count) - first[session] + 1
    intent = _intents(rng, first, lengths)
    user = sessions.user[session]
    usual_budget = np.where(user == NOBODY, _USUAL_BUDGET, world.users.budget[user])
    budget = np.maximum(1, (usual_budget * rng.lognormal(0, 0.25, count) / 1000).round().astype(np.int64)) * 1000
    return Turns(
        ids=numbers.take(registry.CONVERSATIONS, count),
        session=session,
        number=number,
        time=time,
        nlu=nlu,
        rag=rag,
        response=response,
        intent=intent,
        previous=np.where(number > 1, np.roll(intent, 1), -1),
        question=QUESTIONS.draw(rng, intent),
        category=_categories(rng, world, sessions, session),
        place=sessions.place[session],
        budget=budget,
        people=2 + rng.poisson(2.2, count),
        coupon=_coupons(rng, world, intent, user),
    )


def strategies(world: World, sessions: Sessions, turns: Turns) -> Ints:
    """How the chatbot deals with the user, places in `vocabulary.STRATEGIES`."""
    user = sessions.user[turns.session]
    tenure = np.where(user == NOBODY, 0, turns.time - world.users.joined[user])
    stage = np.searchsorted((2 * DAY, 14 * DAY), tenure, side="right")
    return np.where(turns.intent == INTENTS.index("EMERGENCY_FOOD"), 3, stage)


def _tastes(world: World, user: Ints) -> Floats:
    tastes = world.users.taste[user]
    tastes[user == NOBODY] = APPETITE
    return tastes


def _categories(rng: np.random.Generator, world: World, sessions: Sessions, session: Ints) -> Ints:
    """What the session is about, or now and then something else."""
    category = sessions.craving[session]
    distracted = happens(rng, _DISTRACTION, len(session))
    category[distracted] = draw_each(rng, _tastes(world, sessions.user[session[distracted]]))
    return category


def _coupons(rng: np.random.Generator, world: World, intent: Ints, user: Ints) -> Ints:
    """The coupon of a turn, for some of those that ask for one."""
    count = len(intent)
    gets = (intent == INTENTS.index("COUPON_INQUIRY")) & (user != NOBODY) & happens(rng, 0.35, count)
    return np.where(gets, rng.integers(0, len(world.coupon_codes), count), -1)


def _times(rng: np.random.Generator, sessions: Sessions, session: Ints) -> Ints:
    """The first turn comes after seconds, each further one after a while."""
    first = np.cumsum(sessions.turns) - sessions.turns
    gaps = lognormal(rng, 38, 0.8, len(session))
    gaps[first] = lognormal(rng, 4, 0.5, len(first))
    passed = np.cumsum(gaps)
    before = passed[first] - gaps[first]
    times: Ints = sessions.start[session] + passed - before[session]
    return times


def _intents(rng: np.random.Generator, first: Ints, lengths: Ints) -> Ints:
    """A walk through the intents for each session."""
    intents = np.empty(int(lengths.sum()), dtype=np.int64)
    going = np.flatnonzero(lengths)
    intents[first[going]] = draw(rng, _OPENINGS, len(going))
    for turn in range(1, _LONGEST):
        going = np.flatnonzero(lengths > turn)
        here = first[going] + turn
        intents[here] = draw_each(rng, _FOLLOW_UPS[intents[here - 1]])
    return intents
