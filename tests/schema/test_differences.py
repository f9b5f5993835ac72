"""Differences that may stay: they are no drift until the object changes, and drift again when they are withdrawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg
import pytest

from tests.support import Connection, one
from yumai_pipelines.schema import snapshot
from yumai_pipelines.schema.differences import (
    DifferenceError,
    accept_by_name,
    drift,
    forget_settled,
    list_accepted,
    withdraw,
)
from yumai_pipelines.schema.migrations import migration_files

if TYPE_CHECKING:
    from tests.graph import Graph

COLUMN = "column chatbot.shops.address_name"


def drifted(connection: Connection) -> list[str]:
    return [each.object for each in drift(connection)]


def test_an_accepted_difference_is_no_drift_until_the_object_changes_again(connection: Connection) -> None:
    connection.execute("ALTER TABLE chatbot.shops ALTER address_name TYPE varchar(60)")
    assert drifted(connection) == [COLUMN]
    accept_by_name(connection, COLUMN, "long addresses")
    assert drifted(connection) == []
    (accepted,) = list_accepted(connection)
    assert (accepted.object, accepted.theirs, accepted.why) == (COLUMN, "character varying(60)", "long addresses")
    assert "[character varying(50)] in an install: long addresses" in str(accepted)

    connection.execute("ALTER TABLE chatbot.shops ALTER address_name TYPE varchar(70)")
    assert drifted(connection) == [COLUMN]
    accept_by_name(connection, COLUMN, "longer ones")
    assert [each.theirs for each in list_accepted(connection)] == ["character varying(70)"]
    withdraw(connection, COLUMN)
    assert drifted(connection) == [COLUMN]


def test_what_is_unknown_or_missing_can_be_accepted_too(connection: Connection) -> None:
    connection.execute("ALTER TABLE chatbot.menus DROP CONSTRAINT menus_price_check, ADD owner_memo text")
    for name in drifted(connection):
        accept_by_name(connection, name, "theirs")
    assert drifted(connection) == []
    assert {(each.theirs, each.ours) for each in list_accepted(connection)} == {
        ("text", None),
        (None, "CHECK ((price >= 0))"),
    }
    connection.execute("ALTER TABLE chatbot.menus DROP owner_memo")
    forget_settled(connection)
    assert [each.object for each in list_accepted(connection)] == ["constraint chatbot.menus.menus_price_check"]


def test_only_what_is_there_is_accepted_or_withdrawn_and_only_with_a_reason(connection: Connection) -> None:
    with pytest.raises(DifferenceError, match=r"no difference 'column chatbot\.shops\.address_name' to accept"):
        accept_by_name(connection, COLUMN, "why not")
    with pytest.raises(DifferenceError, match=r"No difference .* is accepted"):
        withdraw(connection, COLUMN)
    connection.execute("ALTER TABLE chatbot.shops DROP COLUMN address_name")
    with pytest.raises(DifferenceError, match="Say why"):
        accept_by_name(connection, COLUMN, " ")
    assert list_accepted(connection) == []


def test_the_graph_shows_them_and_its_check_passes(graph: Graph, connection: Connection) -> None:
    connection.execute("ALTER TABLE chatbot.shops ALTER address_name TYPE varchar(60)")
    accept_by_name(connection, COLUMN, "long addresses")
    run = graph.materialize(dg.AssetKey("schema"))
    shown = run.materialized("schema")[None]
    assert (shown["accepted"], shown["drift"]) == (1, 0)
    assert "long addresses" in shown["accepted_differences"]
    assert run.evaluation("schema", "schema_has_no_drift").passed


def test_wider_columns_of_an_adopted_database_are_not_made_narrower_by_a_migration(connection: Connection) -> None:
    """What migration 0013 does where a column is wider already, of another type, or read by a view."""
    connection.execute("ALTER TABLE chatbot.coupons ALTER coupon_type TYPE text")
    connection.execute("ALTER TABLE ml_features.nlu_features ALTER food_category_mentioned TYPE varchar(40)")
    connection.execute("ALTER TABLE ml_features.user_interactions ALTER user_strategy TYPE varchar(20)")
    connection.execute("CREATE VIEW chatbot.strategies AS SELECT user_strategy FROM ml_features.user_interactions")
    block = migration_files()["0013"].read_text(encoding="utf-8")
    connection.execute(block[block.index("DO $$") :].encode())
    types = "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = %s::regclass AND attname = %s"
    assert one(connection, types, "chatbot.coupons", "coupon_type") == "text"
    assert one(connection, types, "ml_features.nlu_features", "food_category_mentioned") == "character varying(100)"
    assert one(connection, types, "ml_features.user_interactions", "user_strategy") == "character varying(20)"


def test_an_instant_in_a_default_is_described_the_same_in_each_time_zone(connection: Connection) -> None:
    connection.execute("ALTER TABLE chatbot.shops ADD since timestamptz DEFAULT '2024-08-01 00:00+09'")
    found = set()
    for zone in ("Asia/Seoul", "UTC", "America/Asuncion"):
        connection.execute("SELECT set_config('TimeZone', %s, false)", (zone,))
        found |= {str(each) for each in snapshot.compare(snapshot.shipped(), snapshot.describe(connection))}
        found |= {each.definition for each in snapshot.describe(connection) if each.name == "chatbot.shops.since"}
        assert one(connection, "SHOW TimeZone") == zone
    assert len(found) == 2, found
