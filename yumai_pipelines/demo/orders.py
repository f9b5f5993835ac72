"""Makes the rows of orders, of the coupons used for them, and of reviews."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from yumai_pipelines.demo import vocabulary
from yumai_pipelines.demo.batches import Batch
from yumai_pipelines.demo.columns import HOUR, Groups, happens, instants, lognormal, pick
from yumai_pipelines.model import registry
from yumai_pipelines.model.relations import Relation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from yumai_pipelines.demo.batches import Numbers
    from yumai_pipelines.demo.columns import Floats, Ints, Table
    from yumai_pipelines.demo.stretch import Stretch
    from yumai_pipelines.demo.world import World

_STATUSES = ("confirmed", "preparing", "prepared", "picked", "canceled")
_PICKED, _CANCELED = 3, 4
_DISCOUNT = 1000
_OPINIONS = Groups.of(sentences for _, sentences in vocabulary.SENTIMENTS)
_SENTIMENT_OF_STARS = np.array([2, 2, 2, 1, 0, 0])


def order_batches(rng: np.random.Generator, stretch: Stretch, numbers: Numbers) -> Iterator[Batch]:
    """Make orders from one in eight choices of signed-in users."""
    world, made = stretch.world, stretch.made
    session = stretch.turns.session[made.turn]
    time = made.chosen_at + lognormal(rng, 90, 0.6, len(session))
    possible = made.chosen & stretch.sessions.known[session] & (time <= stretch.until)
    which = np.flatnonzero(possible & happens(rng, 0.125, len(session)))
    time, shop, count = time[which], made.chosen_shop[which], len(which)
    menu = world.shops.some_dish(rng, shop)
    price = world.menus.price[menu]
    discounted = happens(rng, 0.15, count) & (price >= _DISCOUNT)
    done = np.where(happens(rng, 0.94, count), _PICKED, _CANCELED)
    status = np.where(time > stretch.until - HOUR, rng.integers(0, _PICKED, count), done)
    orders = Batch.of(
        registry.ORDERS,
        id=numbers.take(registry.ORDERS, count),
        user_id=stretch.sessions.user_ids_of(session[which]),
        shop_id=shop + 1,
        menu_id=menu + 1,
        order_status=pick(_STATUSES, status),
        order_time=instants(time),
        quantity=1 + rng.poisson(0.4, count),
        price=price,
        discount=np.where(discounted, _DISCOUNT, 0),
    )
    yield orders
    yield _coupon_rows(rng, world, orders.rows.filter(pa.array(discounted)), numbers)
    written = time + lognormal(rng, 5 * 3600, 0.8, count)
    reviewed = (status == _PICKED) & happens(rng, 0.25, count) & (written <= stretch.until)
    yield _review_rows(
        rng, orders.rows.filter(pa.array(reviewed)), world.shops.quality[shop[reviewed]], written[reviewed], numbers
    )


def _coupon_rows(rng: np.random.Generator, world: World, orders: Table, numbers: Numbers) -> Batch:
    relation, count = Relation("chatbot", "orders_coupons"), orders.num_rows
    return Batch.of(
        relation,
        id=numbers.take(relation, count),
        order_id=orders["id"],
        coupon_id=rng.integers(0, len(world.coupon_codes), count) + 1,
        discount=orders["discount"],
    )


def _review_rows(rng: np.random.Generator, orders: Table, quality: Floats, written: Ints, numbers: Numbers) -> Batch:
    """Make reviews of orders. Better shops get more stars."""
    relation, count = Relation("chatbot", "reviews"), orders.num_rows
    stars = np.clip(2.2 + 2.8 * quality + rng.normal(0, 0.8, count), 1, 5).round().astype(np.int64)
    return Batch.of(
        relation,
        id=numbers.take(relation, count),
        user_id=orders["user_id"],
        shop_id=orders["shop_id"],
        order_id=orders["id"],
        rating=stars,
        review_comment=pick(_OPINIONS.words, _OPINIONS.draw(rng, _SENTIMENT_OF_STARS[stars])),
        created_at=instants(written),
    )
