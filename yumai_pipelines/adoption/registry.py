"""The tables that adoption brings an older database to, frozen at the revision of the target.

`model.registry` may change later. The migrations that run after the adoption create the tables that it gets then.
"""

from __future__ import annotations

from yumai_pipelines.adoption.target import target
from yumai_pipelines.model.entries import TableEntry
from yumai_pipelines.model.relations import Relation
from yumai_pipelines.schema.tables import Table, read_tables

USERS = Relation("chatbot", "users")
SHOPS = Relation("chatbot", "shops")
SESSIONS = Relation("chatbot", "session_master")
CONVERSATIONS = Relation("chatbot", "conversations")
RECENT_CONVERSATIONS = Relation("chatbot", "recent_conversations")

TABLES: tuple[Table, ...] = read_tables(
    (
        TableEntry(USERS),
        TableEntry(SHOPS),
        TableEntry(Relation("chatbot", "menus")),
        TableEntry(Relation("chatbot", "foodcard_users")),
        TableEntry(Relation("chatbot", "user_profiles")),
        TableEntry(Relation("chatbot", "coupons")),
        TableEntry(Relation("chatbot", "user_wallet")),
        TableEntry(Relation("chatbot", "orders")),
        TableEntry(Relation("chatbot", "orders_coupons")),
        TableEntry(Relation("chatbot", "reviews")),
        TableEntry(SESSIONS, time="session_start"),
        TableEntry(CONVERSATIONS, session_child=True, time="conversation_time"),
        TableEntry(Relation("ml_features", "nlu_features")),
        TableEntry(Relation("ml_features", "user_interactions"), session_child=True, time="time_stamp"),
        TableEntry(Relation("analytics", "recommendations_log"), session_child=True, time="time_stamp"),
        TableEntry(Relation("analytics", "user_feedback"), session_child=True, time="time_stamp"),
    ),
    target(),
)
"""In an order in which no table refers to a later one."""

SESSION_CHILDREN: tuple[Table, ...] = tuple(table for table in TABLES if table.session_child)
"""The tables whose rows belong to a session."""


def table_of(relation: Relation) -> Table:
    """The table with this name.

    Raises:
        KeyError: the target has no such table.
    """
    for table in TABLES:
        if table.relation == relation:
            return table
    raise KeyError(str(relation))
