"""Makes the rows of `analytics.user_feedback`, of every type, some of them late.

A rating depends on how good the recommendation was. About one rating in a hundred is unreadable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

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
    natural,
    pick,
    render,
)
from yumai_pipelines.demo.world import PLATFORMS
from yumai_pipelines.model import registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from yumai_pipelines.demo.batches import Numbers
    from yumai_pipelines.demo.recommendations import Recommendations
    from yumai_pipelines.demo.sessions import Turns
    from yumai_pipelines.demo.stretch import Stretch

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
"""Contents of a rating, with their shares in percent. From the fourth on, they are no valid rating."""

_TEXT = '{"text": "<text>", "sentiment": "<sentiment>"}'
_SIGNALS = ('{"signal": "dwell", "dwell_seconds": <seconds>}', '{"signal": "scroll", "depth": <depth>}')
_OPINIONS = Groups.of(sentences for _, sentences in vocabulary.SENTIMENTS)
_LATE = 0.07
"""The share of feedback that is given days later, often in the next month."""


def feedback_rows(rng: np.random.Generator, stretch: Stretch, numbers: Numbers) -> Batch:
    """Make all feedback that has been given until now, in the order of time."""
    sessions = stretch.sessions
    remarks = pa.concat_tables([*_on_recommendations(rng, stretch), *_on_the_rest(rng, stretch.turns)])
    time = remarks["time"].to_numpy()
    order = np.argsort(time, kind="stable")
    remarks = remarks.take(pa.array(order[time[order] <= stretch.until]))
    session = remarks["session"].to_numpy()
    platform = pick(PLATFORMS, sessions.platform[session])
    return Batch.of(
        registry.FEEDBACK,
        id=numbers.take(registry.FEEDBACK, len(session)),
        session_id=sessions.ids_of(session),
        related_recommendation_id=remarks["recommendation"],
        user_id=sessions.user_ids_of(session),
        time_stamp=instants(remarks["time"].to_numpy()),
        feedback_type=remarks["kind"],
        feedback_target_type=remarks["target"],
        feedback_target_id=remarks["target_id"],
        feedback_content=remarks["content"],
        context=fill('{"platform": "<platform>"}', len(session), {"platform": platform}),
    )


def _satisfaction(rng: np.random.Generator, made: Recommendations) -> Floats:
    """Return how content the user is, in stars."""
    merit = logit(np.clip(made.likelihood, 0.01, 0.99))
    return 3.2 + 0.7 * made.chosen + 0.35 * merit + rng.normal(0, 0.8, len(merit))


def _on_recommendations(rng: np.random.Generator, stretch: Stretch) -> Iterator[Table]:
    """Make feedback on recommendations and on the shops that they list."""
    made, chosen = stretch.made, stretch.made.chosen
    satisfaction = _satisfaction(rng, made)
    shop = np.where(chosen, made.chosen_shop, made.shops[:, 0]) + 1
    moment = np.where(chosen, made.chosen_at, made.time)

    def remark(kind: str, target: str, which: Ints, delay: Ints, content: Column) -> Table:
        about = shop[which] if target == "shop" else made.ids[which]
        session = stretch.turns.session[made.turn[which]]
        return _remarks(session, moment[which] + delay, kind, target, about, content, made.ids[which])

    tapped = _some(rng, 0.55 * chosen)
    content = fill('{"shop_id": <shop>}', len(tapped), {"shop": pa.array(shop[tapped])})
    yield remark("selection", "shop", tapped, np.full(len(tapped), SECOND), content)

    looked = _some(rng, np.full(len(made.ids), 0.16))
    dwell = lognormal(rng, 20, 0.8, len(looked))
    yield remark("implicit", "recommendation", looked, dwell, _signals(rng, dwell))

    for kind, target, probability, contents in (
        ("rating", "shop", 0.04 + 0.28 * chosen, _ratings),
        ("rating", "recommendation", np.full(len(made.ids), 0.03), _ratings),
        ("text", "shop", 0.02 + 0.06 * chosen, _opinions),
    ):
        judged = _some(rng, probability)
        delay = _after_the_meal(rng, len(judged))
        yield remark(kind, target, judged, delay, contents(rng, satisfaction[judged]))

    shared = _some(rng, 0.03 * chosen)
    channel = any_of(rng, vocabulary.SHARE_CHANNELS, len(shared))
    content = fill('{"channel": "<channel>"}', len(shared), {"channel": channel})
    yield remark("share", "shop", shared, lognormal(rng, 90, 0.7, len(shared)), content)

    upset = _some(rng, 0.02 * (satisfaction < 3))
    delay = lognormal(rng, 60, 0.7, len(upset))
    yield remark("complaint", "recommendation", upset, delay, _complaints(rng, satisfaction[upset]))


def _on_the_rest(rng: np.random.Generator, turns: Turns) -> Iterator[Table]:
    """Make feedback on turns of the conversation and on the service as a whole, which names no recommendation."""
    for kind, target, probability, contents in (
        ("rating", "conversation", 0.006, _ratings),
        ("text", "conversation", 0.003, _opinions),
        ("rating", "service", 0.004, _ratings),
        ("complaint", "service", 0.002, _complaints),
    ):
        which = _some(rng, np.full(len(turns.ids), probability))
        count = len(which)
        about = turns.ids[which] if target == "conversation" else np.ones(count, dtype=np.int64)
        time = turns.answered[which] + lognormal(rng, 15, 0.7, count)
        content = contents(rng, rng.normal(3.8, 1.0, count))
        yield _remarks(turns.session[which], time, kind, target, about, content, np.full(count, -1))


def _remarks(
    session: Ints, time: Ints, kind: str, target: str, about: Ints, content: Column, recommendation: Ints
) -> Table:
    return pa.table(
        {
            "session": session,
            "time": time,
            "kind": pa.repeat(kind, len(session)),
            "target": pa.repeat(target, len(session)),
            "target_id": as_text(pa.array(about)),
            "content": content,
            "recommendation": natural(recommendation),
        }
    )


def _some(rng: np.random.Generator, probability: Floats) -> Ints:
    return np.flatnonzero(happens(rng, probability, len(probability)))


def _after_the_meal(rng: np.random.Generator, count: int) -> Ints:
    """Draw the delay of a feedback: usually hours, sometimes up to forty days."""
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
    """Return places in `vocabulary.SENTIMENTS`, which begin with the best."""
    return np.where(satisfaction >= 3.6, 0, np.where(satisfaction >= 2.8, 1, 2))


def _complaints(rng: np.random.Generator, satisfaction: Floats) -> Column:
    count = len(satisfaction)
    slots = {"text": any_of(rng, vocabulary.COMPLAINTS, count), "sentiment": pa.repeat("negative", count)}
    return fill(_TEXT, count, slots)


def _signals(rng: np.random.Generator, dwell: Ints) -> Column:
    slots = {"seconds": pa.array(dwell // SECOND), "depth": pa.array(rng.random(len(dwell)).round(2))}
    return render(_SIGNALS, draw(rng, (3, 1), len(dwell)), slots)
