"""THE registry: every table, foreign key, session child and extract of the YUMAI database.

Asset checks, repairs, descriptions and tests are made from it; a test compares it with `pg_constraint` in both
directions. How a thing is made stands in `sql/`, what is done with it in the stage that does it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from yumai_pipelines.relations import Relation


class OnDelete(StrEnum):
    """What becomes of a row when the row that it refers to is deleted."""

    CASCADE = "CASCADE"
    SET_NULL = "SET NULL"
    RESTRICT = "RESTRICT"


@dataclass(frozen=True)
class ForeignKey:
    """A foreign key of one column, under the name that PostgreSQL gives it.

    Attributes:
        table: the table that refers.
        column: its column.
        referenced: the table that is referred to.
        referenced_column: its key.
        on_delete: what becomes of the referring row.
    """

    table: Relation
    column: str
    referenced: Relation
    referenced_column: str
    on_delete: OnDelete

    @property
    def name(self) -> str:
        """`conversations_session_id_fkey`."""
        return f"{self.table.name}_{self.column}_fkey"


@dataclass(frozen=True)
class Table:
    """A table with its key and its foreign keys.

    Attributes:
        relation: its name.
        key: the columns of its primary key.
        foreign_keys: in the order of its columns.
        time: the column that says when a row happened, for tables of events.
        partitioned: whether it has a partition for each month.
    """

    relation: Relation
    key: tuple[str, ...]
    foreign_keys: tuple[ForeignKey, ...] = ()
    time: str | None = None
    partitioned: bool = False

    @property
    def session_key(self) -> ForeignKey | None:
        """The foreign key to the sessions, for a session's children."""
        return next((key for key in self.foreign_keys if key.referenced == SESSIONS), None)


@dataclass(frozen=True)
class Extract:
    """A monthly table for analysts in the schema `extracts`.

    Attributes:
        relation: its name; the statements that build and reconcile it stand in `sql/extracts/<name>/`.
        grain: what one row stands for.
        key: the columns that tell rows apart, the month first.
        sources: the tables that it is computed from.
    """

    relation: Relation
    grain: str
    key: tuple[str, ...]
    sources: tuple[Relation, ...]


USERS = Relation("chatbot", "users")
SHOPS = Relation("chatbot", "shops")
MENUS = Relation("chatbot", "menus")
COUPONS = Relation("chatbot", "coupons")
ORDERS = Relation("chatbot", "orders")
SESSIONS = Relation("chatbot", "session_master")
CONVERSATIONS = Relation("chatbot", "conversations")
INTERACTIONS = Relation("ml_features", "user_interactions")
RECOMMENDATIONS = Relation("analytics", "recommendations_log")
FEEDBACK = Relation("analytics", "user_feedback")
RECENT_CONVERSATIONS = Relation("chatbot", "recent_conversations")

_CASCADE, _SET_NULL, _RESTRICT = OnDelete.CASCADE, OnDelete.SET_NULL, OnDelete.RESTRICT


def _table(
    relation: Relation,
    *references: tuple[str, Relation, OnDelete],
    key: tuple[str, ...] = ("id",),
    time: str | None = None,
    partitioned: bool = False,
) -> Table:
    keys = tuple(
        ForeignKey(relation, column, referenced, "session_id" if referenced == SESSIONS else "id", rule)
        for column, referenced, rule in references
    )
    return Table(relation, key, keys, time, partitioned)


TABLES: tuple[Table, ...] = (
    _table(USERS),
    _table(SHOPS),
    _table(MENUS, ("shop_id", SHOPS, _CASCADE)),
    _table(Relation("chatbot", "foodcard_users"), ("user_id", USERS, _CASCADE)),
    _table(Relation("chatbot", "user_profiles"), ("user_id", USERS, _CASCADE)),
    _table(COUPONS, ("shop_id", SHOPS, _CASCADE)),
    _table(
        Relation("chatbot", "user_wallet"),
        ("user_id", USERS, _CASCADE),
        ("coupon_id", COUPONS, _CASCADE),
    ),
    _table(ORDERS, ("user_id", USERS, _SET_NULL), ("shop_id", SHOPS, _RESTRICT), ("menu_id", MENUS, _SET_NULL)),
    _table(
        Relation("chatbot", "orders_coupons"),
        ("order_id", ORDERS, _CASCADE),
        ("coupon_id", COUPONS, _RESTRICT),
    ),
    _table(
        Relation("chatbot", "reviews"),
        ("user_id", USERS, _SET_NULL),
        ("shop_id", SHOPS, _CASCADE),
        ("order_id", ORDERS, _SET_NULL),
    ),
    _table(SESSIONS, ("user_id", USERS, _CASCADE), key=("session_id",), time="session_start"),
    _table(
        CONVERSATIONS,
        ("session_id", SESSIONS, _CASCADE),
        ("user_id", USERS, _CASCADE),
        ("selected_shop_id", SHOPS, _SET_NULL),
        key=("id", "conversation_time"),
        time="conversation_time",
        partitioned=True,
    ),
    _table(Relation("ml_features", "nlu_features"), ("user_id", USERS, _CASCADE)),
    _table(
        INTERACTIONS,
        ("user_id", USERS, _CASCADE),
        ("session_id", SESSIONS, _CASCADE),
        time="time_stamp",
    ),
    _table(
        RECOMMENDATIONS,
        ("user_id", USERS, _CASCADE),
        ("shop_id", SHOPS, _SET_NULL),
        ("session_id", SESSIONS, _CASCADE),
        time="time_stamp",
    ),
    _table(
        FEEDBACK,
        ("session_id", SESSIONS, _CASCADE),
        ("related_recommendation_id", RECOMMENDATIONS, _SET_NULL),
        ("user_id", USERS, _CASCADE),
        time="time_stamp",
    ),
)

SESSION_CHILDREN: tuple[Table, ...] = tuple(table for table in TABLES if table.session_key)
"""The four tables whose rows belong to a session and go with it. Section 3.3 of the database document."""

EXTRACTS: tuple[Extract, ...] = (
    Extract(
        Relation("extracts", "recommendation_funnel"),
        grain="month × recommendation method × shop category",
        key=("month", "recommendation_method", "shop_category"),
        sources=(RECOMMENDATIONS, FEEDBACK),
    ),
)


def table_of(relation: Relation) -> Table:
    """The registry's entry for a table.

    Raises:
        KeyError: the registry has none.
    """
    for table in TABLES:
        if table.relation == relation:
            return table
    raise KeyError(str(relation))
