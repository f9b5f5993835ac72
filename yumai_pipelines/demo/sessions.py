"""Decides who talks when and about what: sessions and their turns, before anything is recommended.

`conversations` makes the rows of their tables.
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
"""The user of a session whose user has not signed in."""

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
"""The share of turns that are about another food than their session."""


@dataclass(frozen=True)
class Sessions:
    """The sessions of a stretch of time, in the order of their start.

    Attributes:
        ids: UUIDs.
        user: index into the world's users; `NOBODY` if the user has not signed in.
        start: when the session begins.
        platform: index into `PLATFORMS`.
        turns: number of turns that the user wants to have.
        craving: the food that the session is about, as index into `CATEGORIES`.
        place: where the user wants to eat, as index into `vocabulary.DISTRICTS`.
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
        """Whether the user is known."""
        known: Bools = self.user != NOBODY
        return known

    def ids_of(self, which: Ints) -> Column:
        """Return the ids of these sessions, as their rows hold them."""
        return self.ids.take(pa.array(which))

    def user_ids_of(self, which: Ints) -> Column:
        """Return the user ids of these sessions, null if the user has not signed in."""
        return optional(self.user[which] + 1, self.known[which])


@dataclass(frozen=True)
class Turns:
    """The turns of some sessions, session by session.

    Attributes:
        ids: keys of the conversations.
        session: index into `Sessions`.
        number: number of the turn in its session, from 1.
        time: when the user said it.
        nlu: time for understanding it, in microseconds.
        rag: time for retrieval, in microseconds.
        response: time for writing the answer, in microseconds.
        intent: index into `INTENTS`.
        previous: intent of the turn before; negative in the first turn.
        question: what the user said, as index into the words of `QUESTIONS`, which are grouped by intent.
        category: the food, as index into `CATEGORIES`.
        place: where to eat, as index into `vocabulary.DISTRICTS`.
        budget: budget in won.
        people: number of people who will eat.
        coupon: index of the coupon that is applied; negative for none.
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
        """When the user got the answer."""
        return self.time + self.nlu + self.rag + self.response

    @property
    def mentions(self) -> Bools:
        """Which of `vocabulary.SLOT_NAMES` each turn names, one row for each turn."""
        named: Bools = _MENTIONS[self.question]
        return named

    def mentioned(self, slot: str, which: Ints) -> Ints:
        """Return the food, place, budget or people of these turns, negative if the turn does not name it."""
        values = {"food": self.category, "place": self.place, "budget": self.budget, "people": self.people}
        return np.where(self.mentions[which, vocabulary.SLOT_NAMES.index(slot)], values[slot][which], -1)


def open_sessions(rng: np.random.Generator, world: World, starts: Ints) -> Sessions:
    """Open sessions at these times, for users who have joined by then."""
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
    """Make the turns of the sessions, without those that are not answered by now."""
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
    """Return how the chatbot treats the user in each turn, as index into `vocabulary.STRATEGIES`."""
    user = sessions.user[turns.session]
    tenure = np.where(user == NOBODY, 0, turns.time - world.users.joined[user])
    stage = np.searchsorted((2 * DAY, 14 * DAY), tenure, side="right")
    return np.where(turns.intent == INTENTS.index("EMERGENCY_FOOD"), 3, stage)


def _tastes(world: World, user: Ints) -> Floats:
    tastes = world.users.taste[user]
    tastes[user == NOBODY] = APPETITE
    return tastes


def _categories(rng: np.random.Generator, world: World, sessions: Sessions, session: Ints) -> Ints:
    """Return the food of each turn: that of the session, or sometimes another one."""
    category = sessions.craving[session]
    distracted = happens(rng, _DISTRACTION, len(session))
    category[distracted] = draw_each(rng, _tastes(world, sessions.user[session[distracted]]))
    return category


def _coupons(rng: np.random.Generator, world: World, intent: Ints, user: Ints) -> Ints:
    """Give coupons to some of the turns that ask for one."""
    count = len(intent)
    gets = (intent == INTENTS.index("COUPON_INQUIRY")) & (user != NOBODY) & happens(rng, 0.35, count)
    return np.where(gets, rng.integers(0, len(world.coupon_codes), count), -1)


def _times(rng: np.random.Generator, sessions: Sessions, session: Ints) -> Ints:
    """Draw the times of the turns: the first one seconds after the session's start, the others after pauses."""
    first = np.cumsum(sessions.turns) - sessions.turns
    gaps = lognormal(rng, 38, 0.8, len(session))
    gaps[first] = lognormal(rng, 4, 0.5, len(first))
    passed = np.cumsum(gaps)
    before = passed[first] - gaps[first]
    times: Ints = sessions.start[session] + passed - before[session]
    return times


def _intents(rng: np.random.Generator, first: Ints, lengths: Ints) -> Ints:
    """Draw the intents of each session, each one depending on the one before."""
    intents = np.empty(int(lengths.sum()), dtype=np.int64)
    going = np.flatnonzero(lengths)
    intents[first[going]] = draw(rng, _OPENINGS, len(going))
    for turn in range(1, _LONGEST):
        going = np.flatnonzero(lengths > turn)
        here = first[going] + turn
        intents[here] = draw_each(rng, _FOLLOW_UPS[intents[here - 1]])
    return intents
