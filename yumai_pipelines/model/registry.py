"""THE registry: every table, reference, session child, time column and extract of the YUMAI database.

Asset checks, repairs, descriptions and tests are made from it; a test compares it with `pg_constraint` in both
directions. How a thing is made stands in `sql/`, what is done with it in the stage that does it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from yumai_pipelines.model.relations import Relation


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
class SoftReference:
    """Ids in a column, or in its JSON, that no foreign key can watch.

    Attributes:
        column: the column that names them.
        referenced: the table that they refer to, by its `id`.
        path: where they stand in its value as JSON, as an SQL/JSON path; an array's elements by default.
    """

    column: str
    referenced: Relation
    path: str = "$[*]"


@dataclass(frozen=True)
class Table:
    """A table with its key, what it refers to, and its times.

    Attributes:
        relation: its name.
        key: the columns of its primary key.
        foreign_keys: in the order of its columns.
        soft_references: what it names without a foreign key.
        time: the column that says when a row happened, for tables of events.
        later: columns with times that come after that one, where they are known.
        partitioned: whether it has a partition for each month.
        personal: columns to empty in a row that stays as a record of the business when its user is erased.
    """

    relation: Relation
    key: tuple[str, ...]
    foreign_keys: tuple[ForeignKey, ...] = ()
    soft_references: tuple[SoftReference, ...] = ()
    time: str | None = None
    later: tuple[str, ...] = ()
    partitioned: bool = False
    personal: tuple[str, ...] = ()

    @property
    def session_key(self) -> ForeignKey | None:
        """The foreign key to the sessions, for a session's children."""
        return self._key_to(SESSIONS)

    @property
    def user_key(self) -> ForeignKey | None:
        """The foreign key to the users, for what is somebody's."""
        return self._key_to(USERS)

    def _key_to(self, referenced: Relation) -> ForeignKey | None:
        return next((key for key in self.foreign_keys if key.referenced == referenced), None)


@dataclass(frozen=True)
class Share:
    """A column that is one count divided by another, to five decimals; NULL where that is zero."""

    column: str
    part: str
    whole: str


@dataclass(frozen=True)
class Mean:
    """A column that lies between two values.

    Attributes:
        column: its name.
        of: the column that counts what it is the mean of: it is NULL exactly where that is zero. None for a column that
            may be NULL otherwise.
        lowest: the least that it can be.
        highest: the most that it can be.
    """

    column: str
    of: str | None
    lowest: float
    highest: float = float("inf")


@dataclass(frozen=True)
class Extract:
    """A monthly table for analysts in the schema `extracts`.

    Attributes:
        relation: its name; the statements that build and reconcile it stand in `sql/extracts/<name>/`.
        grain: what one row stands for.
        key: the columns that tell rows apart, the month first.
        sources: the tables that it is computed from.
        shares: its rates.
        means: its other measures with a range.
        merged: a column of the key, with the value by which it marks groups of too few users, which have no rates.
        user_key: the column with the user's pseudonym, where a row is somebody's; such rows go when they are erased.
    """

    relation: Relation
    grain: str
    key: tuple[str, ...]
    sources: tuple[Relation, ...]
    shares: tuple[Share, ...] = ()
    means: tuple[Mean, ...] = ()
    merged: tuple[str, str | int] | None = None
    user_key: str | None = None


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
LEDGER = Relation("extracts", "ledger")
RECENT_CONVERSATIONS = Relation("chatbot", "recent_conversations")

_CASCADE, _SET_NULL, _RESTRICT = OnDelete.CASCADE, OnDelete.SET_NULL, OnDelete.RESTRICT


def _table(
    relation: Relation,
    *references: tuple[str, Relation, OnDelete],
    key: tuple[str, ...] = ("id",),
    soft: tuple[SoftReference, ...] = (),
    time: str | None = None,
    later: tuple[str, ...] = (),
    partitioned: bool = False,
    personal: tuple[str, ...] = (),
) -> Table:
    keys = tuple(
        ForeignKey(relation, column, referenced, "session_id" if referenced == SESSIONS else "id", rule)
        for column, referenced, rule in references
    )
    return Table(relation, key, keys, soft, time, later, partitioned, personal)


TABLES: tuple[Table, ...] = (
    _table(USERS),
    _table(SHOPS),
    _table(MENUS, ("shop_id", SHOPS, _CASCADE)),
    _table(Relation("chatbot", "foodcard_users"), ("user_id", USERS, _CASCADE)),
    _table(
        Relation("chatbot", "user_profiles"),
        ("user_id", USERS, _CASCADE),
        soft=(SoftReference("favorite_shops", SHOPS),),
    ),
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
        personal=("review_comment",),
    ),
    _table(
        SESSIONS,
        ("user_id", USERS, _CASCADE),
        key=("session_id",),
        time="session_start",
        later=("session_end",),
    ),
    _table(
        CONVERSATIONS,
        ("session_id", SESSIONS, _CASCADE),
        ("user_id", USERS, _CASCADE),
        ("selected_shop_id", SHOPS, _SET_NULL),
        key=("id", "conversation_time"),
        soft=(SoftReference("recommended_shop_ids", SHOPS),),
        time="conversation_time",
        partitioned=True,
    ),
    _table(Relation("ml_features", "nlu_features"), ("user_id", USERS, _CASCADE)),
    _table(
        INTERACTIONS,
        ("user_id", USERS, _CASCADE),
        ("session_id", SESSIONS, _CASCADE),
        soft=(SoftReference("recommendations", SHOPS),),
        time="time_stamp",
    ),
    _table(
        RECOMMENDATIONS,
        ("user_id", USERS, _CASCADE),
        ("shop_id", SHOPS, _SET_NULL),
        ("session_id", SESSIONS, _CASCADE),
        soft=(
            SoftReference("top_recommendation_shop_id", SHOPS),
            SoftReference("recommendations", SHOPS, "$[*].shop_id"),
        ),
        time="time_stamp",
        later=("selection_timestamp",),
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

_RATING_MEAN = Mean("rating_mean", "rating_count", 1, 5)

EXTRACTS: tuple[Extract, ...] = (
    Extract(
        Relation("extracts", "recommendation_outcomes"),
        grain="recommendation",
        key=("month", "recommendation_id"),
        sources=(RECOMMENDATIONS, FEEDBACK),
        means=(_RATING_MEAN, Mean("seconds_to_selection", None, 0), Mean("selected_rank", None, 1)),
        user_key="user_key",
    ),
    Extract(
        Relation("extracts", "recommendation_funnel"),
        grain="month × recommendation method × shop category",
        key=("month", "recommendation_method", "shop_category"),
        sources=(RECOMMENDATIONS, FEEDBACK),
        shares=(Share("selection_rate", "selections", "recommendations"),),
        means=(
            _RATING_MEAN,
            Mean("feedback_rate", "recommendations", 0, 1),
            Mean("median_seconds_to_selection", None, 0),
        ),
        merged=("recommendation_method", "suppressed"),
    ),
    Extract(
        Relation("extracts", "shop_performance"),
        grain="month × shop",
        key=("month", "shop_id"),
        sources=(RECOMMENDATIONS, FEEDBACK),
        shares=(Share("selection_rate", "selections_listed", "listed"),),
        means=(_RATING_MEAN, Mean("mean_rank", "listed", 1)),
        merged=("shop_id", -1),
    ),
    Extract(
        Relation("extracts", "feedback_summary"),
        grain="month × feedback type × target type",
        key=("month", "feedback_type", "target_type"),
        sources=(RECOMMENDATIONS, FEEDBACK),
        means=(_RATING_MEAN,),
        merged=("feedback_type", "suppressed"),
    ),
    Extract(
        Relation("extracts", "score_calibration"),
        grain="month × recommendation method × score × tenth of its range",
        key=("month", "recommendation_method", "score", "decile"),
        sources=(RECOMMENDATIONS,),
        shares=(Share("selection_rate", "selections", "recommendations"),),
        means=(Mean("mean_score", None, 0, 1),),
        merged=("recommendation_method", "suppressed"),
    ),
)


def extract_of(name: str) -> Extract:
    """The registry's extract of a name, such as `shop_performance`.

    Raises:
        KeyError: there is none; the message names those that there are.
    """
    for extract in EXTRACTS:
        if extract.relation.name == name:
            return extract
    raise KeyError(f"there is no extract {name!r}; there are {', '.join(each.relation.name for each in EXTRACTS)}")


def table_of(relation: Relation) -> Table:
    """The registry's entry for a table.

    Raises:
        KeyError: the registry has none.
    """
    for table in TABLES:
        if table.relation == relation:
            return table
    raise KeyError(str(relation))


def references_to(relation: Relation) -> tuple[ForeignKey, ...]:
    """The foreign keys that refer to a table, those of the last table of the registry first.

    No table refers to one that stands below it, so rows may be taken out in this order.
    """
    return tuple(key for table in reversed(TABLES) for key in table.foreign_keys if key.referenced == relation)
