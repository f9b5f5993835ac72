"""What the assets do when a run materializes them, and what metadata they report."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg

from tests.graph import CONVERSATIONS, FUNNEL, Graph, months
from tests.support import Connection, every, one
from yumai_pipelines.defs.resources import PostgresResource
from yumai_pipelines.schema.tables import TABLES
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    import pytest

SCHEMA = dg.AssetKey("schema")
RECENT = dg.AssetKey(["chatbot", "recent_conversations"])


def add_conversations(connection: Connection, *times: str) -> None:
    """Add a session, with a turn at each of these times."""
    session = one(connection, "INSERT INTO chatbot.session_master DEFAULT VALUES RETURNING session_id")
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO chatbot.conversations (session_id, conversation_time) VALUES (%s, %s::timestamptz)",
            [(session, time) for time in times],
        )


def test_schema_is_installed_once_and_says_so(empty_database: str, instance: dg.DagsterInstance) -> None:
    graph = Graph.on(empty_database, instance)

    first, second = (graph.run("install_schema").materialized("schema")[None] for _ in range(2))

    assert first["migrations"].startswith("0001, 0002")
    assert "chatbot.start_session" in first["functions_changed"]
    assert (second["migrations"], second["functions_changed"]) == ("nothing to do", "nothing to do")
    assert first["revision"] == second["revision"]
    assert "pg_trgm" in first["extensions"]
    assert first["uuid_generate_v4"] in ("uuid-ossp", "made by gen_random_uuid(): the server has no uuid-ossp")
    assert (first["drift"], first["drifted"]) == (0, "nothing")


def test_schema_names_what_has_drifted(graph: Graph, connection: Connection) -> None:
    connection.execute("ALTER TABLE chatbot.shops ADD note text")
    metadata = graph.run("install_schema").materialized("schema")[None]
    assert metadata["drift"] == 1
    assert "column chatbot.shops.note is not known to this version" in metadata["drifted"]


def test_a_range_of_months_is_one_run_with_metadata_of_its_own_for_each(graph: Graph, connection: Connection) -> None:
    add_conversations(connection, "2024-08-31 23:59+09", "2024-09-01 00:00+09", "2024-09-30 23:59+09")

    by_month = graph.run("monthly_partitions", months("2024-08", "2024-10")).materialized("chatbot", "conversations")

    assert {
        month: (each["dagster/partition_row_count"], each["action"], each["moved_rows"])
        for month, each in by_month.items()
    } == {
        "2024-08-01": (1, "filled", 1),
        "2024-09-01": (2, "filled", 2),
        "2024-10-01": (0, "created", 0),
    }
    september = by_month["2024-09-01"]
    assert september["bytes"] > 0
    assert september["partition"] == "chatbot.conversations_2024_09"
    assert september["lower_bound"] == "2024-09-01T00:00:00+09:00"
    assert september["upper_bound"] == "2024-10-01T00:00:00+09:00"
    assert september["lock_held_ms"] > 0
    assert september["retries"] == 0


def test_one_month_again_is_recognized(graph: Graph) -> None:
    actions = [
        graph.run("monthly_partitions", months("2024-11")).materialized("chatbot", "conversations")["2024-11-01"]
        for _ in range(2)
    ]
    assert [each["action"] for each in actions] == ["created", "recognized"]


def test_months_are_the_same_whatever_the_clients_time_zone(
    graph: Graph, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGTZ", "America/New_York")
    graph.run("monthly_partitions", months("2024-09"))
    connection.execute("SET TimeZone = 'UTC'")
    bounds = "SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname = 'conversations_2024_09'"
    assert one(connection, bounds) == "FOR VALUES FROM ('2024-08-31 15:00:00+00') TO ('2024-09-30 15:00:00+00')"


def test_recent_conversations_hold_seven_days_and_record_when(graph: Graph, connection: Connection) -> None:
    now = datetime.now(UTC)
    ages = [timedelta(days=8), timedelta(days=6), timedelta(minutes=1), timedelta(days=-1)]
    add_conversations(connection, *(str(now - age) for age in ages))

    metadata = graph.materialize(RECENT).materialized(*RECENT.path)[None]

    assert (metadata["dagster/row_count"], metadata["concurrently"]) == (2, True)
    assert metadata["seconds"] > 0
    as_of, rows = every(connection, "SELECT as_of, row_count FROM yumai_pipelines.view_refreshes")[0]
    assert datetime.fromisoformat(metadata["as_of"]) == as_of
    assert now <= as_of
    assert rows == one(connection, "SELECT count(*) FROM chatbot.recent_conversations") == 2


def test_a_view_without_data_is_filled(graph: Graph, connection: Connection) -> None:
    connection.execute("REFRESH MATERIALIZED VIEW chatbot.recent_conversations WITH NO DATA")
    runs = [graph.materialize(RECENT).materialized(*RECENT.path)[None] for _ in range(2)]
    assert [each["concurrently"] for each in runs] == [False, True]


def test_readers_of_the_view_go_on_while_it_is_refreshed(graph: Graph, connection: Connection) -> None:
    with connection.transaction():
        one(connection, "SELECT count(*) FROM chatbot.recent_conversations")  # this lock is held to the end
        assert graph.materialize(RECENT).success


def test_inactive_sessions_are_closed_and_counted(graph: Graph, connection: Connection) -> None:
    connection.execute(
        "INSERT INTO chatbot.session_master (session_start) SELECT now() - make_interval(hours => hours) "
        "FROM unnest(ARRAY[1, 23, 25, 90]) AS hours"
    )
    run = graph.run("daily_upkeep")
    assert run.materialized("chatbot", "inactive_sessions")[None] == {"closed": 2}
    monitoring = run.materialized("chatbot", "session_monitoring")[None]
    assert (monitoring["active"], monitoring["inactive"], monitoring["total"]) == (2, 2, 4)
    assert all(isinstance(value, int) for value in monitoring.values())


def test_sessions_of_today_are_counted_by_seoul_days(graph: Graph, connection: Connection) -> None:
    user = one(connection, "INSERT INTO chatbot.users DEFAULT VALUES RETURNING id")
    connection.execute(
        "INSERT INTO chatbot.session_master (user_id, session_start) SELECT %s, began + offset_ FROM "
        "(SELECT date_trunc('day', now() AT TIME ZONE 'Asia/Seoul') AT TIME ZONE 'Asia/Seoul' AS began) AS today, "
        "unnest(ARRAY['0 s', '-1 s']::interval[]) AS offset_",
        (user,),
    )
    key = dg.AssetKey(["chatbot", "session_monitoring"])
    counts = graph.materialize(key).materialized(*key.path)[None]
    assert (counts["started_today"], counts["users_today"], counts["active_since_before_today"]) == (1, 1, 1)


def test_counting_no_sessions_gives_zeros(graph: Graph) -> None:
    key = dg.AssetKey(["chatbot", "session_monitoring"])
    assert set(graph.materialize(key).materialized(*key.path)[None].values()) == {0}


def test_materializing_the_tables_of_the_chatbot_counts_their_rows(graph: Graph, connection: Connection) -> None:
    add_conversations(connection, "2024-08-01 12:00+09")
    connection.execute(
        "INSERT INTO analytics.user_feedback (session_id, feedback_type) "
        "SELECT session_id, 'text' FROM chatbot.session_master, generate_series(1, 3)"
    )
    run = graph.run("daily_upkeep")
    counted = {
        table.relation.name: run.materialized(table.relation.schema, table.relation.name)[None]["dagster/row_count"]
        for table in TABLES
        if not table.partitioned
    }
    assert counted == dict.fromkeys(counted, 0) | {"session_master": 1, "user_feedback": 3}
    one_of_them = graph.materialize(dg.AssetKey(["chatbot", "shops"]))
    assert one_of_them.materialized("chatbot", "shops")[None] == {"dagster/row_count": 0}
    assert not one_of_them.materialized("chatbot", "users")


def test_connections_say_what_they_are_for(database: str) -> None:
    with PostgresResource(url=database, settings=Settings()).connect("look around") as owner:
        assert one(owner, "SHOW application_name") == "yumai: look around"
        assert one(owner, "SELECT current_user") == "yumai_pipeline"
        assert one(owner, "SHOW TimeZone") == "Asia/Seoul"


def test_everything_materializes_from_nothing(empty_database: str, instance: dg.DagsterInstance) -> None:
    graph = Graph.on(empty_database, instance)
    assert graph.materialize(SCHEMA).success
    assert graph.materialize(CONVERSATIONS, tags=months("2024-08", "2024-10")).success
    assert graph.run("daily_upkeep").success
    assert graph.materialize(FUNNEL, tags=months("2024-08", "2024-10")).success
