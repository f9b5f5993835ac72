"""The chatbot of the year, and its memory: everything that it ever wrote.

It writes under its own role, with the times of the database's clock. Each row is put, as it comes back, into a second
database, the memory, where nothing else ever happens: no pipeline runs there, and nothing grows old. What the chatbot
changes or deletes itself, it changes and deletes in both.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from psycopg import sql
from psycopg.types.json import Json, Jsonb

from tests.extracts.dirt import Dice
from tests.support import Value, one
from tests.year.world import SEOUL
from yumai_pipelines.model.months import Month
from yumai_pipelines.model.registry import (
    CONVERSATIONS,
    FEEDBACK,
    INTERACTIONS,
    RECOMMENDATIONS,
    SESSIONS,
    SHOPS,
    USERS,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support import Connection
    from tests.year.world import World
    from yumai_pipelines.model.relations import Relation

CATEGORIES = ("한식", "치킨", "분식", "카페/디저트", "일식")
METHODS = ("wide_deep", "rag", "hybrid")
SCORES = ("confidence", "wide", "deep", "rag")
LATEST_RATING = timedelta(days=60)
"""Until so long after it was made, a recommendation may be rated."""

LATEST_SELECTION = timedelta(days=6)


class Chatbot:
    """Writes when it is called, and remembers."""

    def __init__(self, world: World, seed: int) -> None:
        self._world = world
        self._dice = Dice(seed)
        self._people: list[int] = []
        self._shops: list[int] = []
        self._open: list[str] = []
        self._to_do: list[tuple[datetime, Callable[[], None]]] = []
        self.written: Counter[tuple[str, Month]] = Counter()
        """What was written, by table and month; `ratings` are those of a recommendation, by its month."""
        self.came_later: list[tuple[datetime, str, Month]] = []
        """Each selection and rating of a recommendation: when it came, its table, and the recommendation's month."""

    def write(self) -> None:
        """Do the work of a few days: finish what has become due, then talk to some people."""
        now = self._now
        due = [act for at, act in self._to_do if at <= now]
        self._to_do = [(at, act) for at, act in self._to_do if at > now]
        for act in due:
            act()
        while len(self._shops) < 12:
            self._open_shop()
        while len(self._people) < 25:
            self._welcome()
        for _ in range(self._dice.choice([2, 3, 4])):
            self._talk()
        if self._dice.uniform(0, 1) < 0.05:
            self._bid_farewell()
        if self._dice.uniform(0, 1) < 0.04:
            self._change_a_shop()

    def leave_open(self) -> None:
        """Begin a session that goes on at the next call of `go_on`, and may be closed by nobody."""
        self._open.append(self._begin(self._dice.choice(self._people)))

    def go_on(self) -> None:
        """Go on with the sessions that were left open."""
        for session in self._open:
            user = one(self._app, "SELECT user_id FROM chatbot.session_master WHERE session_id = %s", session)
            self._recommend(session, user)
        self._open = []

    @property
    def _app(self) -> Connection:
        return self._world.app

    @property
    def _now(self) -> datetime:
        now: datetime = one(self._app, "SELECT now()")
        return now

    # What it writes

    def _open_shop(self) -> None:
        dice = self._dice
        shop = self._insert(
            SHOPS,
            shop_name=f"가게 {dice.choice(range(10_000))}",
            category=dice.choice(CATEGORIES),
            is_food_card_shop=dice.choice("YN"),
            is_good_influence_shop=dice.uniform(0, 1) < 0.5,
        )
        self._shops.append(shop["id"])

    def _welcome(self) -> None:
        person = self._insert(USERS, external_user_id=f"kakao:{self._dice.uniform(0, 1)}", platform="kakao")
        self._people.append(person["id"])

    def _talk(self) -> None:
        dice = self._dice
        user = dice.choice(self._people)
        session = self._begin(user)
        for turn in range(dice.choice([1, 2, 3])):
            self._insert(
                CONVERSATIONS,
                session_id=session,
                user_id=user,
                input_text=dice.choice(["김치찌개", "치킨 먹고 싶어", "가까운 곳"]),
                conversation_turn=turn + 1,
                recommended_shop_ids=dice.some(self._shops, 2),
            )
        self._insert(INTERACTIONS, session_id=session, user_id=user, interaction_type="text_input", conversation_turn=1)
        for _ in range(dice.choice([1, 2, 3])):
            self._recommend(session, user)
        # One session in five is forgotten, and closed by the upkeep.
        if dice.uniform(0, 1) < 0.8:
            one(self._app, "SELECT chatbot.end_session(%s)", session)
            self._copy(SESSIONS, "session_id", session)

    def _begin(self, user: int) -> str:
        session = self._insert(SESSIONS, user_id=user, session_type=self._dice.choice(["chat", "voice"]))
        return str(session["session_id"])

    def _recommend(self, session: str, user: int) -> None:
        dice = self._dice
        shops = dice.some(self._shops, 3)
        made = self._insert(
            RECOMMENDATIONS,
            session_id=session,
            user_id=user,
            shop_id=shops[0],
            request_food_type=dice.choice([*CATEGORIES, None]),
            request_budget=dice.choice([None, 8000, 12000]),
            recommendations=Jsonb([{"shop_id": shop, "score": 0.5} for shop in shops]),
            recommendation_count=len(shops),
            top_recommendation_shop_id=shops[0],
            recommendation_method=dice.choice(METHODS),
            **{f"{score}_score": round(dice.uniform(0, 1), 3) for score in SCORES},
        )
        at = datetime.fromisoformat(made["time_stamp"])
        month = Month.of(at, SEOUL)
        if dice.uniform(0, 1) < 0.5:
            selection = self._selection(made["id"], dice.choice(shops), month)
            self._to_do.append((at + LATEST_SELECTION * dice.uniform(0, 1), selection))
        if dice.uniform(0, 1) < 0.6:
            rating = self._rating(made["id"], user, month)
            self._to_do.append((at + LATEST_RATING * dice.uniform(0, 1) ** 2, rating))

    def _selection(self, recommendation: int, shop: int, month: Month) -> Callable[[], None]:
        def select() -> None:
            changed = self._app.execute(
                "UPDATE analytics.recommendations_log SET user_selection = %s, selection_timestamp = now() "
                "WHERE id = %s",
                (Json({"shop_id": shop}), recommendation),
            )
            self.came_later += [(self._now, RECOMMENDATIONS.name, month)] * changed.rowcount
            self._copy(RECOMMENDATIONS, "id", recommendation)

        return select

    def _rating(self, recommendation: int, user: int, month: Month) -> Callable[[], None]:
        def rate() -> None:
            """Rate in a session of its own, unless the person has left. Name the recommendation if it is there."""
            if user not in self._people:
                return
            left = "SELECT max(id) FROM analytics.recommendations_log WHERE id = %s"
            session = self._begin(user)
            rated = one(self._app, left, recommendation)
            self._insert(
                FEEDBACK,
                session_id=session,
                user_id=user,
                related_recommendation_id=rated,
                feedback_type="rating",
                feedback_target_type="recommendation",
                feedback_target_id=str(recommendation),
                feedback_content=Jsonb({"rating": self._dice.choice([1, 2, 3, 4, 5])}),
            )
            if rated is not None:
                self.written["ratings", month] += 1
                self.came_later.append((self._now, FEEDBACK.name, month))
            one(self._app, "SELECT chatbot.end_session(%s)", session)
            self._copy(SESSIONS, "session_id", session)

        return rate

    # What it changes and deletes

    def _bid_farewell(self) -> None:
        person = self._dice.choice(self._people)
        self._people.remove(person)
        for each in (self._app, self._world.memory):
            each.execute("DELETE FROM chatbot.users WHERE id = %s", (person,))

    def _change_a_shop(self) -> None:
        """Rename a shop, or close it for good."""
        shop = self._dice.choice(self._shops)
        if self._dice.uniform(0, 1) < 0.7:
            rename = "UPDATE chatbot.shops SET shop_name = shop_name || ' 2호점' WHERE id = %s"
            for each in (self._app, self._world.memory):
                each.execute(rename, (shop,))
        else:
            self._shops.remove(shop)
            for each in (self._app, self._world.memory):
                each.execute("DELETE FROM chatbot.shops WHERE id = %s", (shop,))

    # The memory

    def _insert(self, relation: Relation, **values: Value) -> dict[str, Any]:
        """Insert a row, and remember it as it came back."""
        statement = sql.SQL("INSERT INTO {table} AS t ({columns}) VALUES ({values}) RETURNING to_jsonb(t)").format(
            table=relation.identifier,
            columns=sql.SQL(", ").join(map(sql.Identifier, values)),
            values=sql.SQL(", ").join(map(sql.Placeholder, values)),
        )
        row: dict[str, Any] = self._app.execute(statement, values).fetchall()[0][0]
        self._remember(relation, row)
        time = row.get("time_stamp") or row.get("conversation_time") or row.get("session_start")
        if time is not None:
            self.written[relation.name, Month.of(datetime.fromisoformat(time), SEOUL)] += 1
        return row

    def _copy(self, relation: Relation, key: str, value: Value) -> None:
        """Remember a row anew, as it is now, if it is still there."""
        table, column = relation.identifier, sql.Identifier(key)
        found = sql.SQL("SELECT to_jsonb(t) FROM {} AS t WHERE {} = %s").format(table, column)
        row = self._app.execute(found, (value,)).fetchone()
        if row is not None:
            values = (sql.SQL("{0} = n.{0}").format(sql.Identifier(name)) for name in row[0] if name != key)
            change = sql.SQL("UPDATE {} AS t SET {} FROM jsonb_populate_record(NULL::{}, %s) AS n WHERE t.{} = %s")
            statement = change.format(table, sql.SQL(", ").join(values), table, column)
            self._world.memory.execute(statement, (Jsonb(row[0]), value))

    def _remember(self, relation: Relation, row: dict[str, Any]) -> None:
        statement = sql.SQL(
            "INSERT INTO {0} OVERRIDING SYSTEM VALUE SELECT * FROM jsonb_populate_record(NULL::{0}, %s)"
        ).format(relation.identifier)
        self._world.memory.execute(statement, (Jsonb(row),))
