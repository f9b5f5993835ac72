"""How sessions and their turns come into tables: session_master, conversations, user_interactions and nlu_features."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from yumai_pipelines import catalog
from yumai_pipelines.demo import vocabulary
from yumai_pipelines.demo.batches import Batch
from yumai_pipelines.demo.columns import (
    DAY,
    HOUR,
    Column,
    Groups,
    Ints,
    as_text,
    draw,
    fill,
    happens,
    instants,
    lognormal,
    optional,
    pick,
    render,
    thousandths,
)
from yumai_pipelines.demo.recommendations import recommended_shops
from yumai_pipelines.demo.sessions import INTENTS, NOBODY, QUESTIONS, strategies
from yumai_pipelines.demo.world import CATEGORIES, DISHES, HUBS, PLATFORMS
from yumai_pipelines.relations import Relation

if TYPE_CHECKING:
    from yumai_pipelines.demo.batches import Numbers
    from yumai_pipelines.demo.recommendations import Recommendations
    from yumai_pipelines.demo.sessions import Sessions, Turns
    from yumai_pipelines.demo.world import World

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
"""Templates of `extracted_entities`, by what a question mentions, read as a binary number."""

_SESSION_TYPES = ("chat", "voice", "api", "test", "admin")
_SESSION_SHARES = (80.0, 9.0, 7.0, 3.0, 1.0)
_ENTRIES = ("home", "push", "search", "link")
_METADATA = '{"device": "<device>", "os": "<os>", "platform": "<platform>", "entry": "<entry>", "version": "2.<minor>"}'
_NETWORKS = ("192.0.2.<host>", "198.51.100.<host>", "203.0.113.<host>", "2001:db8::<host>")
"""The networks that are reserved for documentation."""

_DEVICES = (*vocabulary.PHONES, *vocabulary.COMPUTERS)
_STALE = 0.06
_STALE_WITHIN = 10 * DAY
"""Sessions of the last days that nobody closed, for the upkeep to find."""

_NLU_SHARE = 0.05
_ACTS = ("text_input", "selection", "feedback", "coupon_use")
_TEXT_INPUT, _SELECTION, _FEEDBACK, _COUPON_USE = range(4)


def session_rows(
    rng: np.random.Generator, world: World, sessions: Sessions, turns: Turns, made: Recommendations
) -> Batch:
    """Rows of session_master: older ones ended, but for a few; those of the last hours perhaps still open."""
    count, until = len(sessions.start), world.period.until
    last = sessions.start.copy()
    np.maximum.at(last, turns.session, turns.answered)
    np.maximum.at(last, turns.session[made.turn], np.where(made.chosen, made.chosen_at, 0))
    end = last + lognormal(rng, 100, 0.8, count)
    forgotten = (last < until - 25 * HOUR) & (last > until - _STALE_WITHIN) & happens(rng, _STALE, count)
    lingering = (last > until - DAY) & happens(rng, 0.15, count)
    is_open = (end > until) | forgotten | lingering
    kind = draw(rng, _SESSION_SHARES, count)
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
        catalog.SESSIONS,
        session_id=sessions.ids,
        user_id=optional(sessions.user + 1, sessions.known),
        session_start=instants(sessions.start),
        session_end=instants(end, ~is_open),
        is_active=is_open,
        session_type=pick(_SESSION_TYPES, kind),
        session_metadata=fill(
            _METADATA,
            count,
            metadata,
        ),
        ip_address=render(_NETWORKS, draw(rng, (4, 3, 2, 1), count), {"host": pa.array(rng.integers(1, 255, count))}),
        user_agent=pick((each.user_agent for each in _DEVICES), device),
        created_at=instants(sessions.start),
        updated_at=instants(np.where(is_open, sessions.start, end)),
    )


def conversation_rows(
    rng: np.random.Generator,
    world: World,
    sessions: Sessions,
    turns: Turns,
    ids: Ints,
    made: Recommendations,
    coupon: Ints,
) -> Batch:
    """Rows of conversations. A coupon is a place in the world's, negative where none was applied."""
    count = len(ids)
    user, place = sessions.user[turns.session], sessions.place[turns.session]
    recommendation = _by_turn(made, count)
    recommends = recommendation >= 0
    selected = np.full(count, -1)
    selected[made.turn] = np.where(made.chosen, made.chosen_shop, -1)
    lead = world.shops.nearby[turns.category, place, 0]
    lead[made.turn] = made.shops[:, 0]
    slots = _slots(rng, world, turns, place, lead)
    reply = np.where(recommends, len(_ANSWERS) + _OFFERS.draw(rng, turns.intent), turns.question)
    sure = rng.beta(9, 2, count) * np.where(turns.intent == INTENTS.index("UNKNOWN"), 0.45, 1.0)
    mood = 0.5 + 0.2 * (selected >= 0) - 0.15 * (turns.intent == INTENTS.index("UNKNOWN"))
    return Batch.of(
        catalog.CONVERSATIONS,
        id=ids,
        session_id=sessions.ids.take(pa.array(turns.session)),
        user_id=optional(user + 1, user != NOBODY),
        conversation_time=instants(turns.time),
        input_text=render(QUESTIONS.words, turns.question, slots),
        response_text=render((*_ANSWERS, *_OFFERS.words), reply, slots),
        extracted_intent=pick(INTENTS, turns.intent),
        intent_confidence=thousandths(sure),
        emotion=draw(rng, (10, 4, 1.5, 1, 1, 0.5), count),
        extracted_entities=render(
            _ENTITIES, turns.mentions @ (2 ** np.arange(len(vocabulary.SLOT_NAMES))[::-1]), slots
        ),
        conversation_turn=turns.number,
        previous_intent=pick(INTENTS, turns.previous),
        user_strategy=pick(vocabulary.STRATEGIES, strategies(world, sessions, turns)),
        processing_time_ms=(turns.answered - turns.time) // 1000,
        nlu_time_ms=turns.nlu // 1000,
        rag_time_ms=turns.rag // 1000,
        response_time_ms=turns.response // 1000,
        response_quality_score=thousandths(rng.beta(8, 2, count)),
        user_satisfaction_inferred=thousandths(mood + rng.normal(0, 0.15, count)),
        conversation_coherence=thousandths(rng.beta(10, 2, count)),
        recommended_shop_ids=recommended_shops(made).take(optional(recommendation, recommends)),
        selected_shop_id=optional(selected + 1, selected >= 0),
        applied_coupon_ids=fill("{<code>}", count, {"code": pick(world.coupon_codes, coupon)}),
    )


def applied_coupons(rng: np.random.Generator, world: World, sessions: Sessions, turns: Turns) -> Ints:
    """The coupon that each turn applies, for some who ask for one and are known; else negative."""
    count = len(turns.session)
    asks = (turns.intent == INTENTS.index("COUPON_INQUIRY")) & sessions.known[turns.session]
    return np.where(asks & happens(rng, 0.35, count), rng.integers(0, len(world.coupon_codes), count), -1)


def interaction_rows(
    rng: np.random.Generator,
    world: World,
    sessions: Sessions,
    turns: Turns,
    made: Recommendations,
    coupon: Ints,
    feedback: Batch,
    numbers: Numbers,
) -> Batch:
    """What users did, by time: said what they like, chose, rated or wrote, used a coupon."""
    count = len(turns.session)
    recommendation = _by_turn(made, count)
    telling = np.flatnonzero((recommendation >= 0) | turns.mentions_of("budget") | turns.mentions_of("people"))
    coupons = np.flatnonzero(coupon >= 0)
    judged, judged_at = _judgements(made, feedback)
    chosen = np.flatnonzero(made.chosen)
    acts = (
        (telling, turns.time[telling], _TEXT_INPUT),
        (made.turn[chosen], made.chosen_at[chosen], _SELECTION),
        (judged, judged_at, _FEEDBACK),
        (coupons, turns.answered[coupons], _COUPON_USE),
    )
    turn = np.concatenate([each for each, _, _ in acts])
    time = np.concatenate([each for _, each, _ in acts])
    kind = np.concatenate([np.full(len(each), number) for each, _, number in acts])
    order = np.argsort(time, kind="stable")
    turn, time, kind = turn[order], time[order], kind[order]
    session, said = turns.session[turn], kind == _TEXT_INPUT
    user, count = sessions.user[session], len(turn)
    shown = np.where(said, recommendation[turn], -1)
    shops = fill("[<shops>]", len(made.turn), {"shops": _json_items(recommended_shops(made))})
    company = pick(vocabulary.COMPANIONS, rng.integers(0, len(vocabulary.COMPANIONS), count))
    with_people = said & turns.mentions_of("people")[turn]
    return Batch.of(
        catalog.INTERACTIONS,
        id=numbers.take(catalog.INTERACTIONS, count),
        user_id=optional(user + 1, user != NOBODY),
        session_id=sessions.ids.take(pa.array(session)),
        time_stamp=instants(time),
        interaction_type=pick(_ACTS, kind),
        food_preference_extracted=pick(CATEGORIES, np.where(turns.mentions_of("food")[turn], turns.category[turn], -1)),
        budget_pattern_extracted=optional(turns.budget[turn], turns.mentions_of("budget")[turn]),
        companion_pattern_extracted=fill(
            '{"with": "<with>", "people": <people>}',
            count,
            {"with": company, "people": optional(turns.people[turn], with_people)},
        ),
        location_preference_extracted=pick(
            HUBS, np.where(turns.mentions_of("place")[turn], sessions.place[session], -1)
        ),
        recommendation_provided=shown >= 0,
        recommendation_count=np.where(shown >= 0, made.size[shown] if len(made.size) else 0, 0),
        recommendations=shops.take(optional(shown, shown >= 0)),
        user_strategy=pick(vocabulary.STRATEGIES, strategies(world, sessions, turns)[turn]),
        conversation_turn=turns.number[turn],
    )


def nlu_rows(rng: np.random.Generator, sessions: Sessions, turns: Turns, numbers: Numbers) -> Batch:
    """What language understanding found, for a sample of the turns."""
    which = np.flatnonzero(happens(rng, _NLU_SHARE, len(turns.session)))
    session, count = turns.session[which], len(which)
    user = sessions.user[session]

    def mentioned(slot: str, values: Ints) -> Ints:
        return np.where(turns.mentions_of(slot)[which], values, -1)

    people = mentioned("people", turns.people[which])
    relation = Relation("ml_features", "nlu_features")
    return Batch.of(
        relation,
        id=numbers.take(relation, count),
        user_id=optional(user + 1, user != NOBODY),
        nlu_intent=pick(INTENTS, turns.intent[which]),
        nlu_confidence=thousandths(rng.beta(9, 2, count)),
        food_category_mentioned=pick(CATEGORIES, mentioned("food", turns.category[which])),
        budget_mentioned=optional(turns.budget[which], turns.mentions_of("budget")[which]),
        location_mentioned=pick(HUBS, mentioned("place", sessions.place[session])),
        companions_mentioned=fill('{"people": <people>}', count, {"people": optional(people, people >= 0)}),
        time_preference=pick(
            vocabulary.MEAL_TIMES, np.where(happens(rng, 0.2, count), draw(rng, (1, 4, 4, 1), count), -1)
        ),
        processing_time_ms=turns.nlu[which] // 1000,
        model_version=pick(("nlu-1.4", "nlu-1.5"), draw(rng, (1, 2), count)),
        created_at=instants(turns.time[which]),
    )


def _by_turn(made: Recommendations, turns: int) -> Ints:
    """The place of each turn's recommendation; negative where it has none."""
    places = np.full(turns, -1)
    places[made.turn] = np.arange(len(made.turn))
    return places


def _slots(rng: np.random.Generator, world: World, turns: Turns, place: Ints, lead: Ints) -> dict[str, Column]:
    """What the sentences of a turn can name: the same in question, answer and entities."""
    count = len(place)
    menu = world.shops.some_dish(rng, lead)
    return {
        "food": pick(_FOODS.words, _FOODS.draw(rng, turns.category)),
        "place": pick(HUBS, place),
        "budget": as_text(pa.array(turns.budget)),
        "people": as_text(pa.array(turns.people)),
        "shop": world.shops.names.take(pa.array(lead)),
        "dish": pick(DISHES.words, world.menus.dish[menu]),
        "price": as_text(pa.array(world.menus.price[menu])),
        "balance": as_text(pa.array(rng.integers(5, 600, count) * 100)),
    }


def _judgements(made: Recommendations, feedback: Batch) -> tuple[Ints, Ints]:
    """The turns whose recommendation was rated or written about, and when that was."""
    rows = feedback.rows
    explicit = np.isin(rows["feedback_type"].to_numpy(), ("rating", "text"))
    related = explicit & rows["related_recommendation_id"].is_valid().to_numpy()
    chosen = rows.filter(pa.array(related))
    ids = chosen["related_recommendation_id"].to_numpy()
    place = ids - (made.ids[0] if len(made.ids) else 0)
    return made.turn[place], chosen["time_stamp"].cast(pa.int64()).to_numpy()


def _json_items(arrays: Column) -> Column:
    """The items of PostgreSQL arrays as JSON has them between its brackets."""
    return pc.utf8_trim(arrays, characters="{}")
