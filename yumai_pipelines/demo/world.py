"""Makes what exists before the first session: shops, dishes, users, cards, profiles, coupons and wallets.

What happens in sessions is in `stretch`. An id is an index into these arrays plus one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from yumai_pipelines.demo import vocabulary
from yumai_pipelines.demo.batches import Batch, Period
from yumai_pipelines.demo.columns import (
    DAY,
    HOUR,
    Bools,
    Column,
    Floats,
    Groups,
    Ints,
    any_of,
    draw,
    fill,
    happens,
    instants,
    optional,
    padded,
    pick,
    render,
    sigmoid,
    sql_array,
    thousandths,
)
from yumai_pipelines.model import registry
from yumai_pipelines.model.relations import Relation

if TYPE_CHECKING:
    from collections.abc import Iterator

CATEGORIES = tuple(cuisine.category for cuisine in vocabulary.CUISINES)
PLATFORMS = ("kakao", "mobile_app", "web", "line", "facebook", "test")
HUBS = tuple(district.hub for district in vocabulary.DISTRICTS)
DISHES = Groups.of([dish.name for dish in cuisine.dishes] for cuisine in vocabulary.CUISINES)
APPETITE = np.array([cuisine.appetite for cuisine in vocabulary.CUISINES])
"""How much people like each category on average. Used for users of whom nothing is known."""

CANDIDATES = 10
"""Number of shops of a category that can be recommended around a place."""

_PLATFORM_SHARES = (40.0, 28.0, 20.0, 6.0, 4.0, 2.0)
_SIGNS = Groups.of(cuisine.signs for cuisine in vocabulary.CUISINES)
_BUSTLE = np.array([district.bustle for district in vocabulary.DISTRICTS])
_KM_PER_DEGREE = (111.0, 88.2)
"""Length of a degree to the north and to the east, at Seoul's latitude."""

_OLDEST_SHOP = 400 * DAY
"""Shops and the first users appear within this time before the first session."""

_AGE_GROUPS = ("초등학생", "중학생", "고등학생", "대학생", "청년", "기타")
_AGE_LIMITS = (13, 16, 19, 24, 35)
_CARD_TYPES = ("아동급식카드", "청소년급식카드", "취약계층지원카드", "기타")
_HOURS = (("11:00", "21:00"), ("10:30", "22:00"), ("09:00", "20:00"), ("17:00", "02:00"), ("00:00", "24:00"))


@dataclass(frozen=True)
class Shops:
    """The shops, one entry in each array per shop, except in `nearby` and `distance`.

    Attributes:
        names: names.
        category: index into `CATEGORIES`.
        district: index into `vocabulary.DISTRICTS`.
        latitude: degrees north.
        longitude: degrees east.
        popularity: 0 to 1.
        quality: 0 to 1.
        nearby: indexes of the shops around a hub, by category and district, nearest first.
        distance: distance of those shops from the hub, in km.
        first_menu: index of the shop's first dish in `Menus`.
        menu_count: number of the shop's dishes.
    """

    names: Column
    category: Ints
    district: Ints
    latitude: Floats
    longitude: Floats
    popularity: Floats
    quality: Floats
    nearby: Ints
    distance: Floats
    first_menu: Ints
    menu_count: Ints

    def some_dish(self, rng: np.random.Generator, shop: Ints) -> Ints:
        """Draw a dish of each shop, as index into `Menus`. Main dishes come first in it, and are drawn more often."""
        return self.first_menu[shop] + (rng.random(len(shop)) ** 2 * self.menu_count[shop]).astype(np.int64)


@dataclass(frozen=True)
class Menus:
    """The dishes of all shops: index of the shop, index into `DISHES`, and price in won."""

    shop: Ints
    dish: Ints
    price: Ints


@dataclass(frozen=True)
class Users:
    """The users, in the order in which they joined.

    Attributes:
        joined: when the user joined, in microseconds.
        activity: weight in the choice of a session's user, summed over the users so far.
        platform: index into `PLATFORMS`.
        home: index into `vocabulary.DISTRICTS`.
        taste: how much the user likes each category; each row sums to 1.
        budget: usual budget for a meal, in won.
        age: age in years.
        has_card: whether the user has a meal card.
    """

    joined: Ints
    activity: Floats
    platform: Ints
    home: Ints
    taste: Floats
    budget: Ints
    age: Ints
    has_card: Bools

    @property
    def count(self) -> int:
        """Number of users."""
        return len(self.joined)


@dataclass(frozen=True)
class World:
    """Everything that exists before the first session."""

    period: Period
    shops: Shops
    menus: Menus
    users: Users
    coupon_codes: tuple[str, ...]


def make_world(rng: np.random.Generator, period: Period, sessions: int) -> World:
    """Make a world of a size that suits this number of sessions."""
    shops, menus = _make_shops(rng, max(20 * len(CATEGORIES), min(sessions // 12, 2600)))
    users = _make_users(rng, period, max(40, min(sessions // 8, 30_000)))
    return World(period, shops, menus, users, _coupon_codes())


def world_batches(rng: np.random.Generator, world: World) -> Iterator[Batch]:
    """Make the rows of the world, in the order that the foreign keys need."""
    yield _shop_rows(rng, world)
    yield _menu_rows(rng, world)
    yield _user_rows(rng, world)
    yield _card_rows(rng, world)
    yield _profile_rows(rng, world)
    yield _coupon_rows(world)
    yield _wallet_rows(rng, world)


def somewhere(rng: np.random.Generator, rows: int) -> Ints:
    """Draw districts, busy ones more often."""
    return draw(rng, _BUSTLE, rows)


def _make_shops(rng: np.random.Generator, count: int) -> tuple[Shops, Menus]:
    supply = np.array([cuisine.supply for cuisine in vocabulary.CUISINES])
    every = np.repeat(np.arange(len(CATEGORIES)), CANDIDATES)
    category = np.concatenate([every, draw(rng, supply, count - len(every))])
    rng.shuffle(category)
    district = somewhere(rng, count)
    hubs = np.array([(place.latitude, place.longitude) for place in vocabulary.DISTRICTS])
    place = hubs[district] + rng.normal(0, 0.006, (count, 2))
    quality = rng.beta(5, 3, count)
    popularity = sigmoid(1.5 * (quality - 0.6) + rng.normal(-0.4, 0.9, count))
    nearby, distance = _neighbourhoods(category, place, hubs)
    menus = _make_menus(rng, category)
    menu_count = np.bincount(menus.shop, minlength=count)
    shops = Shops(
        names=_shop_names(rng, category, district),
        category=category,
        district=district,
        latitude=place[:, 0],
        longitude=place[:, 1],
        popularity=popularity,
        quality=quality,
        nearby=nearby,
        distance=distance,
        first_menu=np.cumsum(menu_count) - menu_count,
        menu_count=menu_count,
    )
    return shops, menus


def _neighbourhoods(category: Ints, place: Floats, hubs: Floats) -> tuple[Ints, Floats]:
    """Return the nearest shops of each category around each hub, and their distances in km."""
    nearby = np.empty((len(CATEGORIES), len(hubs), CANDIDATES), dtype=np.int64)
    distance = np.empty(nearby.shape)
    for kind in range(len(CATEGORIES)):
        shops = np.flatnonzero(category == kind)
        km = np.hypot(*np.moveaxis((hubs[:, None] - place[None, shops]) * _KM_PER_DEGREE, 2, 0))
        order = np.argsort(km, axis=1)[:, :CANDIDATES]
        nearby[kind] = shops[order]
        distance[kind] = np.take_along_axis(km, order, axis=1)
    return nearby, distance


def _shop_names(rng: np.random.Generator, category: Ints, district: Ints) -> Column:
    """Make names such as `홍대입구 원조 떡볶이`."""
    count = len(category)
    return fill(
        "<hub> <title><sign>",
        count,
        {
            "hub": pick(HUBS, district),
            "title": any_of(rng, vocabulary.SHOP_TITLES, count),
            "sign": pick(_SIGNS.words, _SIGNS.draw(rng, category)),
        },
    )


def _make_menus(rng: np.random.Generator, category: Ints) -> Menus:
    """Make four or more dishes of its category for each shop, somewhat cheaper or dearer than usual."""
    prices = [np.array([dish.price for dish in cuisine.dishes]) for cuisine in vocabulary.CUISINES]
    widest = max(map(len, prices))
    usual = np.array([np.pad(each, (0, widest - len(each))) for each in prices])[category]
    lottery = np.where(usual > 0, rng.random(usual.shape), 2.0)
    offered = lottery <= np.partition(lottery, 3, axis=1)[:, 3:4]  # at least four dishes, and half of the others
    offered |= (usual > 0) & (lottery < 0.5)
    shop, dish = np.nonzero(offered)
    level = rng.normal(1.0, 0.08, len(category))
    return Menus(
        shop,
        DISHES.first[category[shop]] + dish,
        (usual[shop, dish] * level[shop] / 100).round().astype(np.int64) * 100,
    )


def _make_users(rng: np.random.Generator, period: Period, count: int) -> Users:
    early = happens(rng, 0.4, count)
    moment = rng.random(count)
    before = period.since - moment * _OLDEST_SHOP
    within = period.since + moment * (period.until - period.since)
    joined = np.sort(np.where(early, before, within).astype(np.int64))
    joined[0] = min(joined[0], period.since - DAY)
    age = np.clip(np.where(happens(rng, 0.4, count), rng.normal(14, 3, count), rng.normal(31, 10, count)), 8, 79)
    return Users(
        joined=joined,
        activity=np.cumsum(rng.pareto(1.8, count) + 0.1),
        platform=draw(rng, _PLATFORM_SHARES, count),
        home=somewhere(rng, count),
        taste=rng.dirichlet(APPETITE, count) * 0.9 + 0.1 / len(CATEGORIES),
        budget=(rng.lognormal(np.log(9000), 0.3, count) / 500).round().astype(np.int64) * 500,
        age=age.astype(np.int64),
        has_card=(age < 19) & happens(rng, 0.6, count) | happens(rng, 0.04, count),
    )


def _ids(count: int) -> Ints:
    return np.arange(1, count + 1)


def _shop_rows(rng: np.random.Generator, world: World) -> Batch:
    shops = world.shops
    count = len(shops.category)
    made = world.period.since - (rng.random(count) * _OLDEST_SHOP).astype(np.int64)
    quarters = [quarter for place in vocabulary.DISTRICTS for quarter in place.quarters]
    day = '"<day>": {"open": "<open>", "close": "<close>"}'
    week = ", ".join(day.replace("<day>", name) for name in ("mon", "tue", "wed", "thu", "fri", "sat", "sun"))
    hours = draw(rng, (4, 3, 2, 1.5, 0.5), count)
    return Batch.of(
        registry.SHOPS,
        id=_ids(count),
        shop_name=shops.names,
        category=pick(CATEGORIES, shops.category),
        address_name=fill(
            "서울 <district> <quarter> <number>",
            count,
            {
                "district": pick((place.name for place in vocabulary.DISTRICTS), shops.district),
                "quarter": pick(quarters, shops.district * 2 + rng.integers(0, 2, count)),
                "number": pa.array(rng.integers(1, 400, count)),
            },
        ),
        latitude=shops.latitude.round(6),
        longitude=shops.longitude.round(6),
        is_good_influence_shop=happens(rng, 0.08, count),
        is_food_card_shop=pick("YNPU", draw(rng, (4, 2.5, 0.5, 3), count)),
        contact=fill("02-000-<number>", count, {"number": padded(_ids(count) % 10_000, 4)}),
        business_hours=fill(
            f"{{{week}}}",
            count,
            {
                "open": pick((each for each, _ in _HOURS), hours),
                "close": pick((each for _, each in _HOURS), hours),
            },
        ),
        current_status=pick(("OPEN", "CLOSED", "BREAK_TIME", "UNKNOWN"), draw(rng, (7, 1, 0.5, 1.5), count)),
        popularity_score=thousandths(shops.popularity),
        quality_score=thousandths(shops.quality),
        data_from=pick(("manual", "kakao_map", "seoul_open_data"), draw(rng, (2, 5, 3), count)),
        created_at=instants(made),
        updated_at=instants(made),
    )


def _menu_rows(rng: np.random.Generator, world: World) -> Batch:
    menus, count = world.menus, len(world.menus.shop)
    categories = [dish.category for cuisine in vocabulary.CUISINES for dish in cuisine.dishes]
    made = instants(np.full(count, world.period.since - DAY))
    return Batch.of(
        registry.MENUS,
        id=_ids(count),
        shop_id=menus.shop + 1,
        menu_name=pick(DISHES.words, menus.dish),
        price=menus.price,
        category=pick(categories, menus.dish),
        is_available=happens(rng, 0.95, count),
        is_best=happens(rng, 0.2, count),
        created_at=made,
        updated_at=made,
    )


def _user_rows(rng: np.random.Generator, world: World) -> Batch:
    users, count = world.users, world.users.count
    number = padded(_ids(count), 6)
    quarters = [f"서울 {place.name} {quarter}" for place in vocabulary.DISTRICTS for quarter in place.quarters]
    today = world.period.until // DAY
    birthday = today - (users.age * 365.25).astype(np.int64) - rng.integers(1, 365, count)
    seen = users.joined + (rng.random(count) * (world.period.until - users.joined)).astype(np.int64)
    surnames = draw(rng, [share for _, share in vocabulary.SURNAMES], count)
    return Batch.of(
        registry.USERS,
        id=_ids(count),
        external_user_id=fill(
            "<platform>-<number>", count, {"platform": pick(PLATFORMS, users.platform), "number": number}
        ),
        platform=pick(PLATFORMS, users.platform),
        user_name=fill(
            "<surname><given>",
            count,
            {
                "surname": pick((name for name, _ in vocabulary.SURNAMES), surnames),
                "given": any_of(rng, vocabulary.GIVEN_NAMES, count),
            },
        ),
        nickname=fill(
            "<start> <end>",
            count,
            {
                "start": any_of(rng, vocabulary.NICKNAME_STARTS, count),
                "end": any_of(rng, vocabulary.NICKNAME_ENDS, count),
            },
        ),
        email=render(
            ["user<number>@example.com", "user<number>@example.org", "<none>"],
            draw(rng, (6, 2.5, 1.5), count),
            {"number": number, "none": pa.nulls(count, pa.string())},
        ),
        phone_number=fill("010-0000-<number>", count, {"number": padded(_ids(count) % 10_000, 4)}),
        birthday=optional(birthday.astype("datetime64[D]"), happens(rng, 0.8, count)),
        current_address=pick(quarters, np.where(happens(rng, 0.6, count), users.home * 2, -1)),
        preferred_location=pick(HUBS, users.home),
        user_status=pick(("ACTIVE", "INACTIVE", "SUSPENDED", "DELETED"), draw(rng, (92, 6, 1, 1), count)),
        last_login_at=instants(seen),
        created_at=instants(users.joined),
        updated_at=instants(seen),
    )


def _card_rows(rng: np.random.Generator, world: World) -> Batch:
    owner = np.flatnonzero(world.users.has_card)
    count, age = len(owner), world.users.age[owner]
    group = np.searchsorted(_AGE_LIMITS, age, side="right")
    kind = np.where(group == 0, 0, np.where(group < 3, 1, np.where(happens(rng, 0.8, count), 2, 3)))
    balance = (rng.gamma(2.0, 18_000, count) / 100).astype(np.int64) * 100
    made = world.users.joined[owner]
    synced = made + (rng.random(count) * (world.period.until - made)).astype(np.int64)
    return Batch.of(
        Relation("chatbot", "foodcard_users"),
        id=_ids(count),
        user_id=owner + 1,
        card_number=fill("0000-0000-<number>", count, {"number": padded(owner + 1, 8)}),
        card_type=pick(_CARD_TYPES, kind),
        card_status=pick(("ACTIVE", "INACTIVE", "SUSPENDED", "EXPIRED", "LOST"), draw(rng, (90, 4, 1, 3, 2), count)),
        balance=balance,
        target_age_group=pick(_AGE_GROUPS, group),
        balance_alert_sent=balance < 5000,
        last_sync_at=instants(synced),
        created_at=instants(made),
        updated_at=instants(synced),
    )


def _profile_rows(rng: np.random.Generator, world: World) -> Batch:
    users = world.users
    known = np.flatnonzero(happens(rng, 0.7, users.count))
    count, three = len(known), np.full(len(known), 3)
    favorites = np.argsort(-users.taste[known], axis=1)[:, :3]
    nearest = world.shops.nearby[favorites, users.home[known, None], 0]
    taste = ", ".join(f'"{name}": <{name}>' for name in vocabulary.TASTES)
    made = users.joined[known]
    learned = made + (rng.random(count) * (world.period.until - made)).astype(np.int64)
    return Batch.of(
        Relation("chatbot", "user_profiles"),
        id=_ids(count),
        user_id=known + 1,
        preferred_categories=sql_array(pick(CATEGORIES, favorites.ravel()), three),
        average_budget=users.budget[known],
        favorite_shops=sql_array(pa.array(nearest.ravel() + 1), three),
        conversation_style=any_of(rng, vocabulary.CONVERSATION_STYLES, count),
        taste_preferences=fill(
            f"{{{taste}}}", count, {name: pa.array(rng.random(count).round(2)) for name in vocabulary.TASTES}
        ),
        companion_patterns=sql_array(any_of(rng, vocabulary.COMPANIONS, count), np.ones(count, dtype=np.int64)),
        location_preferences=sql_array(pick(HUBS, users.home[known]), np.ones(count, dtype=np.int64)),
        good_influence_preference=rng.random(count).round(2),
        interaction_count=rng.poisson(12, count),
        data_completeness=rng.beta(4, 2, count).round(2),
        created_at=instants(made),
        updated_at=instants(learned),
    )


def _coupon_codes() -> tuple[str, ...]:
    """Return one code for each general coupon, and one for each category."""
    return ("WELCOME2000", "LOYAL10", "FOODCARD1000", "BOGO", *(f"EAT{number:02}" for number in _ids(len(CATEGORIES))))


def _coupon_rows(world: World) -> Batch:
    general = (
        ("첫 주문 2,000원 할인", "FIXED_AMOUNT", 2000, None, "NEW_USER", None),
        ("단골 10% 할인", "PERCENTAGE", None, 0.1, "LOYALTY", None),
        ("급식카드 1,000원 할인", "FIXED_AMOUNT", 1000, None, "FOODCARD", None),
        ("하나 사면 하나 더", "BOGO", None, None, "ALL", None),
    )
    by_category = tuple(
        (f"{category} 15% 할인", "PERCENTAGE", None, 0.15, "CATEGORY", category) for category in CATEGORIES
    )
    names, kinds, amounts, rates, uses, categories = zip(*general, *by_category, strict=True)
    count = len(names)
    since = instants(np.full(count, world.period.since - 30 * DAY))
    return Batch.of(
        registry.COUPONS,
        id=_ids(count),
        coupon_name=names,
        coupon_code=world.coupon_codes,
        coupon_type=kinds,
        discount_amount=pa.array(amounts, pa.int32()),
        discount_rate=pa.array(rates, pa.float64()),
        usage_type=uses,
        category=pa.array(categories, pa.string()),
        min_order_amount=np.full(count, 8000),
        valid_from=since,
        valid_until=instants(np.full(count, world.period.until + 90 * DAY)),
        created_at=since,
    )


def _wallet_rows(rng: np.random.Generator, world: World) -> Batch:
    users = world.users
    held = rng.poisson(1.2, users.count)
    owner = np.repeat(np.arange(users.count), held)
    count = len(owner)
    got = users.joined[owner] + (rng.random(count) * (world.period.until - users.joined[owner])).astype(np.int64)
    used = got + (rng.random(count) * 20 * DAY).astype(np.int64) + HOUR
    status = draw(rng, (5, 3, 1.5, 0.5), count)
    status[(status == 1) & (used > world.period.until)] = 0
    return Batch.of(
        Relation("chatbot", "user_wallet"),
        id=_ids(count),
        user_id=owner + 1,
        coupon_id=rng.integers(0, len(world.coupon_codes), count) + 1,
        coupon_status=pick(("ACTIVE", "USED", "EXPIRED", "CANCELLED"), status),
        acquisition_source=pick(("event", "chatbot", "signup", "referral"), draw(rng, (3, 4, 2, 1), count)),
        acquired_at=instants(got),
        used_at=instants(used, status == 1),
    )
