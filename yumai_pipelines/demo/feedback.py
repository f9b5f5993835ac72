"""What users say about what they were told: the rows of `analytics.user_feedback`, of every type, some of them late.

A rating goes by how good the recommendation was. About one in a hundred is no rating.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from yumai_pipelines import catalog
from yumai_pipelines.demo import vocabulary
from yumai_pipelines.demo.batches import Batch
from yumai_pipelines.demo.columns import (
    DAY,
    SECOND,
    Column,
    Floats,
    Groups,
    Ints,
    Table,
    any_of,
    as_text,
    draw,
    fill,
    happens,
    instants,
    logit,
    lognormal,
    optional,
    pick,
    render,
)
from yumai_pipelines.demo.sessions import NOBODY
from yumai_pipelines.demo.world import PLATFORMS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from yumai_pipelines.demo.batches import Numbers
    from yumai_pipelines.demo.recommendations import Recommendations
    from yumai_pipelines.demo.sessions import Sessions, Turns
    from yumai_pipelines.demo.world import World

_RATINGS = (
    ('{"rating": <rating>}', 90.0),
    ('{"rating": <rating>, "comment": "<comment>"}', 8.0),
    ('{"rating": "<rating>"}', 0.8),
    ('{"rating": "five"}', 0.25),
    ('{"rating": 9}', 0.25),
    ('{"rating": null}', 0.2),
    ('{"rating": {"value": <rating>}}', 0.2),
    ('{"score": <rating>}', 0.2),
    ("<none>", 0.1),
)
"""Contents of a rating with their shares in percent: from the fourth on, nobody can read them."""

_TEXT = '{"text": "<text>", "sentiment": "<sentiment>"}'
_SIGNALS = ('{"signal": "dwell", "dwell_seconds": <seconds>}', '{"signal": "scroll", "depth": <depth>}')
_OPINIONS = Groups.of(sentences for _, sentences in vocabulary.SENTIMENTS)
_LATE = 0.07
"""How much of what is rated is rated after days, often in the next month."""


def feedback_rows(
    rng: np.random.Generator,
    world: World,
    sessions: Sessions,
    turns: Turns,
    conversation_ids: Ints,
    made: Recommendations,
    numbers: Numbers,
) -> Batch:
    """All feedback that was given by now, by time."""
    satisfaction = _satisfaction(rng, made)
    remarks = pa.concat_tables(
        [
            *_on_recommendations(rng, turns, made, satisfaction),
            *_on_the_rest(rng, turns, conversation_ids),
        ]
    )
    time = remarks["time"].to_numpy()
    order = np.argsort(time, kind="stable")
    remarks = remarks.take(pa.array(order[time[order] <= world.period.until]))
    session = remarks["session"].to_numpy()
    user = sessions.user[session]
    return Batch.of(
        catalog.FEEDBACK,
        id=numbers.take(catalog.FEEDBACK, len(session)),
        session_id=sessions.ids.take(pa.array(session)),
        related_recommendation_id=remarks["recommendation"],
        user_id=optional(user + 1, user != NOBODY),
        time_stamp=instants(remarks["time"].to_numpy()),
        feedback_type=remarks["kind"],
        feedback_target_type=remarks["target"],
        feedback_target_id=remarks["target_id"],
        feedback_content=remarks["content"],
        context=fill(
            '{"platform": "<platform>"}', len(session), {"platform": pick(PLATFORMS, sessions.platform[session])}
        ),
    )


def _satisfaction(rng: np.random.Generator, made: Recommendations) -> Floats:
    """How content the user is, on the scale of stars."""
    merit = logit(np.clip(made.likelihood, 0.01, 0.99))
    return 3.2 + 0.7 * made.chosen + 0.35 * merit + rng.normal(0, 0.8, len(merit))


def _on_recommendations(
    rng: np.random.Generator, turns: Turns, made: Recommendations, satisfaction: Floats
) -> Iterator[Table]:
    chosen, count = made.chosen, len(made.ids)
    shop = np.where(chosen, made.chosen_shop, made.shops[:, 0])
    moment = np.where(chosen, made.chosen_at, made.time)

    def remark(which: Ints, delay: Ints, kind: str, content: Column, *, about_shop: bool) -> Table:
        target = as_text(pa.array(shop[which] + 1)) if about_shop else as_text(pa.array(made.ids[which]))
        return _remarks(
            turns.session[made.turn[which]],
            moment[which] + delay,
            kind,
            "shop" if about_shop else "recommendation",
            target,
            content,
            pa.array(made.ids[which]),
        )

    tapped = _some(rng, 0.55 * chosen)
    slots = {"shop": pa.array(shop[tapped] + 1)}
    content = fill('{"shop_id": <shop>}', len(tapped), slots)
    yield remark(tapped, np.full(len(tapped), SECOND), "selection", content, about_shop=True)

    looked = _some(rng, np.full(count, 0.16))
    dwell = lognormal(rng, 20, 0.8, len(looked))
    yield remark(looked, dwell, "implicit", _signals(rng, dwell), about_shop=False)

    rated = _some(rng, 0.04 + 0.28 * chosen)
    yield remark(rated, _after_the_meal(rng, len(rated)), "rating", _ratings(rng, satisfaction[rated]), about_shop=True)

    marked = _some(rng, np.full(count, 0.03))
    yield remark(
        marked, _after_the_meal(rng, len(marked)), "rating", _ratings(rng, satisfaction[marked]), about_shop=False
    )

    wrote = _some(rng, 0.02 + 0.06 * chosen)
    yield remark(wrote, _after_the_meal(rng, len(wrote)), "text", _opinions(rng, satisfaction[wrote]), about_shop=True)

    shared = _some(rng, 0.03 * chosen)
    channel = any_of(rng, vocabulary.SHARE_CHANNELS, len(shared))
    content = fill('{"channel": "<channel>"}', len(shared), {"channel": channel})
    yield remark(shared, lognormal(rng, 90, 0.7, len(shared)), "share", content, about_shop=True)

    upset = _some(rng, 0.02 * (satisfaction < 3))
    yield remark(
        upset, lognormal(rng, 60, 0.7, len(upset)), "complaint", _complaints(rng, len(upset)), about_shop=False
    )


def _on_the_rest(rng: np.random.Generator, turns: Turns, conversation_ids: Ints) -> Iterator[Table]:
    """Feedback on a turn of the conversation, or on the service as a whole: no recommendation is behind it."""
    every = np.ones(len(turns.session))
    for probability, kind, target in (
        (0.006, "rating", "conversation"),
        (0.003, "text", "conversation"),
        (0.004, "rating", "service"),
        (0.002, "complaint", "service"),
    ):
        which = _some(rng, probability * every)
        count = len(which)
        mood = rng.normal(3.8, 1.0, count)
        contents = {"rating": _ratings, "text": _opinions}
        content = contents[kind](rng, mood) if kind in contents else _complaints(rng, count)
        about = conversation_ids[which] if target == "conversation" else np.ones(count, dtype=np.int64)
        yield _remarks(
            turns.session[which],
            turns.answered[which] + lognormal(rng, 15, 0.7, count),
            kind,
            target,
            as_text(pa.array(about)),
            content,
            pa.nulls(count, pa.int64()),
        )


def _remarks(
    session: Ints, time: Ints, kind: str, target: str, target_id: Column, content: Column, recommendation: Column
) -> Table:
    count = len(session)
    return pa.table(
        {
            "session": session,
            "time": time,
            "kind": pa.repeat(kind, count),
            "target": pa.repeat(target, count),
            "target_id": target_id,
            "content": content,
            "recommendation": recommendation,
        }
    )


def _some(rng: np.random.Generator, probability: Floats) -> Ints:
    return np.flatnonzero(happens(rng, probability, len(probability)))


def _after_the_meal(rng: np.random.Generator, count: int) -> Ints:
    """Hours later as a rule, and now and then up to forty days."""
    late = happens(rng, _LATE, count)
    return np.where(late, (rng.uniform(2, 40, count) * DAY).astype(np.int64), lognormal(rng, 2.2 * 3600, 0.9, count))


def _ratings(rng: np.random.Generator, satisfaction: Floats) -> Column:
    count = len(satisfaction)
    stars = np.clip(satisfaction.round(), 1, 5).astype(np.int64)
    templates, shares = zip(*_RATINGS, strict=True)
    slots = {
        "rating": pa.array(stars),
        "comment": pick(_OPINIONS.words, _OPINIONS.draw(rng, _sentiment(satisfaction))),
        "none": pa.nulls(count, pa.string()),
    }
    return render(templates, draw(rng, shares, count), slots)


def _opinions(rng: np.random.Generator, satisfaction: Floats) -> Column:
    sentiment = _sentiment(satisfaction)
    slots = {
        "text": pick(_OPINIONS.words, _OPINIONS.draw(rng, sentiment)),
        "sentiment": pick((name for name, _ in vocabulary.SENTIMENTS), sentiment),
    }
    return fill(_TEXT, len(satisfaction), slots)


def _sentiment(satisfaction: Floats) -> Ints:
    """Places in `vocabulary.SENTIMENTS`, the best first."""
    return np.where(satisfaction >= 3.6, 0, np.where(satisfaction >= 2.8, 1, 2))


def _complaints(rng: np.random.Generator, count: int) -> Column:
    slots = {"text": any_of(rng, vocabulary.COMPLAINTS, count), "sentiment": pa.repeat("negative", count)}
    return fill(_TEXT, count, slots)


def _signals(rng: np.random.Generator, dwell: Ints) -> Column:
    slots = {"seconds": pa.array(dwell // SECOND), "depth": pa.array(rng.random(len(dwell)).round(2))}
    return render(_SIGNALS, draw(rng, (3, 1), len(dwell)), slots)
