"""What users order of what they chose: orders, the coupons on them, and reviews."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from yumai_pipelines import catalog
from yumai_pipelines.demo import vocabulary
from yumai_pipelines.demo.batches import Batch
from yumai_pipelines.demo.columns import HOUR, Groups, happens, instants, lognormal, pick
from yumai_pipelines.relations import Relation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from yumai_pipelines.demo.batches import Numbers
    from yumai_pipelines.demo.columns import Ints
    from yumai_pipelines.demo.recommendations import Recommendations
    from yumai_pipelines.demo.sessions import Sessions, Turns
    from yumai_pipelines.demo.world import World

_STATUSES = ("confirmed", "preparing", "prepared", "picked", "canceled")
_PICKED, _CANCELED = 3, 4
_COUPON_DISCOUNT = 1000
_OPINIONS = Groups.of(sentences for _, sentences in vocabulary.SENTIMENTS)
_SENTIMENT_OF_STARS = np.array([2, 2, 2, 1, 0, 0])


def order_batches(
    rng: np.random.Generator, world: World, sessions: Sessions, turns: Turns, made: Recommendations, numbers: Numbers
) -> Iterator[Batch]:
    """One in eight choices of users who are known becomes an order."""
    session = turns.session[made.turn]
    time = made.chosen_at + lognormal(rng, 90, 0.6, len(session))
    orders = made.chosen & sessions.known[session] & (time <= world.period.until)
    which = np.flatnonzero(orders & happens(rng, 0.125, len(session)))
    time, user, shop = time[which], sessions.user[session[which]], made.chosen_shop[which]
    count, ids = len(which), numbers.take(catalog.ORDERS, len(which))
    menu = world.shops.some_dish(rng, shop)
    price = world.menus.price[menu]
    discounted = happens(rng, 0.15, count) & (price >= _COUPON_DISCOUNT)
    done = np.where(happens(rng, 0.94, count), _PICKED, _CANCELED)
    status = np.where(time > world.period.until - HOUR, rng.integers(0, _PICKED, count), done)
    yield Batch.of(
        catalog.ORDERS,
        id=ids,
        user_id=user + 1,
        shop_id=shop + 1,
        menu_id=menu + 1,
        order_status=pick(_STATUSES, status),
        order_time=instants(time),
        quantity=1 + rng.poisson(0.4, count),
        price=price,
        discount=np.where(discounted, _COUPON_DISCOUNT, 0),
    )
    yield _coupon_rows(rng, world, ids[discounted], numbers)
    picked = status == _PICKED
    yield _review_rows(rng, world, (ids[picked], user[picked], shop[picked], time[picked]), numbers)


def _coupon_rows(rng: np.random.Generator, world: World, orders: Ints, numbers: Numbers) -> Batch:
    relation, count = Relation("chatbot", "orders_coupons"), len(orders)
    return Batch.of(
        relation,
        id=numbers.take(relation, count),
        order_id=orders,
        coupon_id=rng.integers(0, len(world.coupon_codes), count) + 1,
        discount=np.full(count, _COUPON_DISCOUNT),
    )


def _review_rows(
    rng: np.random.Generator, world: World, orders: tuple[Ints, Ints, Ints, Ints], numbers: Numbers
) -> Batch:
    """A quarter of the meals is reviewed, hours later."""
    written = orders[3] + lognormal(rng, 5 * 3600, 0.8, len(orders[3]))
    which = happens(rng, 0.25, len(written)) & (written <= world.period.until)
    order, user, shop, _ = (each[which] for each in orders)
    count, relation = len(order), Relation("chatbot", "reviews")
    stars = np.clip(2.2 + 2.8 * world.shops.quality[shop] + rng.normal(0, 0.8, count), 1, 5).round().astype(np.int64)
    return Batch.of(
        relation,
        id=numbers.take(relation, count),
        user_id=user + 1,
        shop_id=shop + 1,
        order_id=order,
        rating=stars,
        review_comment=pick(_OPINIONS.words, _OPINIONS.draw(rng, _SENTIMENT_OF_STARS[stars])),
        created_at=instants(written[which]),
    )
