"""Makes the rows of session_master, conversations and nlu_features from sessions and their turns."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from yumai_pipelines.demo import vocabulary
from yumai_pipelines.demo.batches import Batch
from yumai_pipelines.demo.columns import (
    DAY,
    HOUR,
    Groups,
    as_text,
    draw,
    fill,
    happens,
    instants,
    lognormal,
    natural,
    optional,
    pick,
    render,
    thousandths,
)
from yumai_pipelines.demo.recommendation_rows import recommended_shops
from yumai_pipelines.demo.sessions import INTENTS, QUESTIONS, strategies
from yumai_pipelines.demo.world import CATEGORIES, DISHES, HUBS, PLATFORMS
from yumai_pipelines.model import registry
from yumai_pipelines.model.relations import Relation

if TYPE_CHECKING:
    from yumai_pipelines.demo.batches import Numbers
    from yumai_pipelines.demo.columns import Column, Ints
    from yumai_pipelines.demo.stretch import Stretch

_ANSWERS = tuple(answer for intent in vocabulary.INTENTS for _, answer in intent.exchanges)
_OFFERS = Groups.of(intent.offers for intent in vocabulary.INTENTS)
_FOODS = Groups.of(cuisine.words for cuisine in vocabulary.CUISINES)
_ENTITIES = [
    "{" + ", ".join(f'"{name}": {value}' for name, value, there in each if there) + "}"
    for each in (
        zip(vocabulary.SLOT_NAMES, ('"<food>"', '"<place>"', "<budget>", "<people>"), there, strict=True)
        for there in product((False, True), repeat=len(vocabulary.SLOT_NAMES))
    )
]
"""Templates of `extracted_entities`. The index is a binary number with a digit for each slot: 1 if it is mentioned."""

_BINARY_PLACES = 2 ** np.arange(len(vocabulary.SLOT_NAMES))[::-1]

_SESSION_TYPES = ("chat", "voice", "api", "test", "admin")
_SESSION_SHARES = (80.0, 9.0, 7.0, 3.0, 1.0)
_ENTRIES = ("home", "push", "search", "link")
_METADATA = '{"device": "<device>", "os": "<os>", "platform": "<platform>", "entry": "<entry>", "version": "2.<minor>"}'
_NETWORKS = ("192.0.2.<host>", "198.51.100.<host>", "203.0.113.<host>", "2001:db8::<host>")
"""Addresses from the networks that are reserved for documentation."""

_DEVICES = (*vocabulary.PHONES, *vocabulary.COMPUTERS)
_STALE = 0.06
_STALE_WITHIN = 10 * DAY
"""Some sessions of the last days were never closed, so that the daily upkeep has something to close."""

_NLU = Relation("ml_features", "nlu_features")
_NLU_SHARE = 0.05


def session_rows(rng: np.random.Generator, stretch: Stretch) -> Batch:
    """Make the rows of session_master. Nearly all old sessions have ended; those of the last hours may be open."""
    sessions, count = stretch.sessions, len(stretch.sessions.start)
    last = _last_activity(stretch)
    end = last + lognormal(rng, 100, 0.8, count)
    forgotten = (
        (last < stretch.until - 25 * HOUR) & (last > stretch.until - _STALE_WITHIN) & happens(rng, _STALE, count)
    )
    lingering = (last > stretch.until - DAY) & happens(rng, 0.15, count)
    is_open = (end > stretch.until) | forgotten | lingering
    phone = np.isin(sessions.platform, [PLATFORMS.index(name) for name in ("kakao", "mobile_app", "line")])
    phones, computers = len(vocabulary.PHONES), len(vocabulary.COMPUTERS)
    device = np.where(phone, rng.integers(0, phones, count), phones + rng.integers(0, computers, count))
    metadata = {
        "device": pick((each.kind for each in _DEVICES), device),
        "os": pick((each.system for each in _DEVICES), device),
        "platform": pick(PLATFORMS, sessions.platform),
        "entry": pick(_ENTRIES, draw(rng, (6, 2, 1.5, 0.5), count)),
        "minor": pa.array(rng.integers(0, 6, count)),
    }
    return Batch.of(
        registry.SESSIONS,
        session_id=sessions.ids,
        user_id=optional(sessions.user + 1, sessions.known),
        session_start=instants(sessions.start),
        session_end=instants(end, ~is_open),
        is_active=is_open,
        session_type=pick(_SESSION_TYPES, draw(rng, _SESSION_SHARES, count)),
        session_metadata=fill(_METADATA, count, metadata),
        ip_address=render(_NETWORKS, draw(rng, (4, 3, 2, 1), count), {"host": pa.array(rng.integers(1, 255, count))}),
        user_agent=pick((each.user_agent for each in _DEVICES), device),
        created_at=instants(sessions.start),
        updated_at=instants(np.where(is_open, sessions.start, end)),
    )


def conversation_rows(rng: np.random.Generator, stretch: Stretch) -> Batch:
    """Make the rows of conversations: question, answer, and what the chatbot understood and did."""
    turns, made, count = stretch.turns, stretch.made, len(stretch.turns.ids)
    recommends = stretch.recommendation >= 0
    selected = np.full(count, -1)
    selected[made.turn] = np.where(made.chosen, made.chosen_shop + 1, -1)
    slots = _slots(rng, stretch)
    reply = np.where(recommends, len(_ANSWERS) + _OFFERS.draw(rng, turns.intent), turns.question)
    puzzled = turns.intent == INTENTS.index("UNKNOWN")
    mood = 0.5 + 0.2 * (selected >= 0) - 0.15 * puzzled
    shops = fill("{<shops>}", len(made.ids), {"shops": recommended_shops(made)})
    return Batch.of(
        registry.CONVERSATIONS,
        id=turns.ids,
        session_id=stretch.sessions.ids_of(turns.session),
        user_id=stretch.sessions.user_ids_of(turns.session),
        conversation_time=instants(turns.time),
        input_text=render(QUESTIONS.words, turns.question, slots),
        response_text=render((*_ANSWERS, *_OFFERS.words), reply, slots),
        extracted_intent=pick(INTENTS, turns.intent),
        intent_confidence=thousandths(rng.beta(9, 2, count) * np.where(puzzled, 0.45, 1.0)),
        emotion=draw(rng, (10, 4, 1.5, 1, 1, 0.5), count),
        extracted_entities=render(_ENTITIES, turns.mentions @ _BINARY_PLACES, slots),
        conversation_turn=turns.number,
        previous_intent=pick(INTENTS, turns.previous),
        user_strategy=pick(vocabulary.STRATEGIES, strategies(stretch.world, stretch.sessions, turns)),
        processing_time_ms=(turns.answered - turns.time) // 1000,
        nlu_time_ms=turns.nlu // 1000,
        rag_time_ms=turns.rag // 1000,
        response_time_ms=turns.response // 1000,
        response_quality_score=thousandths(rng.beta(8, 2, count)),
        user_satisfaction_inferred=thousandths(mood + rng.normal(0, 0.15, count)),
        conversation_coherence=thousandths(rng.beta(10, 2, count)),
        recommended_shop_ids=shops.take(natural(stretch.recommendation)),
        selected_shop_id=natural(selected),
        applied_coupon_ids=fill("{<code>}", count, {"code": pick(stretch.world.coupon_codes, turns.coupon)}),
    )


def nlu_rows(rng: np.random.Generator, stretch: Stretch, numbers: Numbers) -> Batch:
    """Make the rows of nlu_features: what language understanding found in a sample of the turns."""
    turns = stretch.turns
    which = np.flatnonzero(happens(rng, _NLU_SHARE, len(turns.ids)))
    count = len(which)
    meal = np.where(happens(rng, 0.2, count), draw(rng, (1, 4, 4, 1), count), -1)
    return Batch.of(
        _NLU,
        id=numbers.take(_NLU, count),
        user_id=stretch.sessions.user_ids_of(turns.session[which]),
        nlu_intent=pick(INTENTS, turns.intent[which]),
        nlu_confidence=thousandths(rng.beta(9, 2, count)),
        food_category_mentioned=pick(CATEGORIES, turns.mentioned("food", which)),
        budget_mentioned=natural(turns.mentioned("budget", which)),
        location_mentioned=pick(HUBS, turns.mentioned("place", which)),
        companions_mentioned=fill('{"people": <people>}', count, {"people": natural(turns.mentioned("people", which))}),
        time_preference=pick(vocabulary.MEAL_TIMES, meal),
        processing_time_ms=turns.nlu[which] // 1000,
        model_version=pick(("nlu-1.4", "nlu-1.5"), draw(rng, (1, 2), count)),
        created_at=instants(turns.time[which]),
    )


def _last_activity(stretch: Stretch) -> Ints:
    """Return the time of the last activity in each session."""
    turns, made = stretch.turns, stretch.made
    last = stretch.sessions.start.copy()
    np.maximum.at(last, turns.session, turns.answered)
    np.maximum.at(last, turns.session[made.turn], np.where(made.chosen, made.chosen_at, 0))
    return last


def _slots(rng: np.random.Generator, stretch: Stretch) -> dict[str, Column]:
    """Return the values that a turn's sentences can name. Question, answer and entities share them."""
    world, turns, count = stretch.world, stretch.turns, len(stretch.turns.ids)
    shop = world.shops.nearby[turns.category, turns.place, 0]
    shop[stretch.made.turn] = stretch.made.shops[:, 0]
    menu = world.shops.some_dish(rng, shop)
    return {
        "food": pick(_FOODS.words, _FOODS.draw(rng, turns.category)),
        "place": pick(HUBS, turns.place),
        "budget": as_text(pa.array(turns.budget)),
        "people": as_text(pa.array(turns.people)),
        "shop": world.shops.names.take(pa.array(shop)),
        "dish": pick(DISHES.words, world.menus.dish[menu]),
        "price": as_text(pa.array(world.menus.price[menu])),
        "balance": as_text(pa.array(rng.integers(5, 600, count) * 100)),
    }
