"""Plants each way in which rows get past the foreign keys: the right check fails, and no other check fails wrongly.

With `--log-cli-level=INFO`, each defect is logged as a row of a Markdown table: what was planted, which check caught
it, and how its message begins.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from string import Template
from typing import TYPE_CHECKING
from uuid import UUID

import dagster as dg
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.graph import Graph, advice, follow_the_advice, months
from tests.processes import finished
from tests.support import Connection, one, present_month
from yumai_pipelines.defs.integrity.checks import FOREIGN_KEYS, NO_ORPHANS
from yumai_pipelines.local.server import program
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Databases

TABLE = logging.getLogger(__name__)

FIRST, SECOND = (UUID(int=number) for number in (1, 2))
STRANGER = UUID(int=4711)

WORLD = """
    INSERT INTO users (external_user_id) VALUES ('first'), ('second'), ('third');
    INSERT INTO shops (shop_name) VALUES ('밥집'), ('named softly'), ('of an order');
    INSERT INTO user_profiles (user_id, favorite_shops) VALUES (1, '{1, 2}');
    INSERT INTO orders (user_id, shop_id, price) VALUES (1, 3, 9000);
    INSERT INTO reviews (user_id, shop_id, order_id, rating) VALUES (1, 3, 1, 5);
    INSERT INTO session_master (session_id, user_id, session_start, session_end, is_active) VALUES
        ('$first', 1, now() - interval '20 days', now() - interval '19 days', false),
        ('$second', 2, now() - interval '20 days', NULL, true);
    INSERT INTO conversations (session_id, user_id, conversation_time, recommended_shop_ids)
        VALUES ('$first', 1, now() - interval '20 days', '{1, 2}');
    INSERT INTO user_interactions (session_id, user_id, time_stamp, recommendations)
        VALUES ('$first', 1, now() - interval '20 days', '[1, 2]');
    INSERT INTO recommendations_log (session_id, user_id, shop_id, time_stamp, recommendation_count,
        recommendations, top_recommendation_shop_id, user_selection, selection_timestamp)
        VALUES ('$first', 1, 1, now() - interval '20 days', 2,
        '[{"shop_id": 2, "score": 0.9}, {"shop_id": 1}, {"shop_id": "two"}, 5, null]', 2,
        '{"shop_id": 2, "rank": 1}', now() - interval '19 days');
    INSERT INTO user_feedback (session_id, user_id, related_recommendation_id, time_stamp)
        VALUES ('$first', 1, 1, now() - interval '19 days'), ('$second', 2, 1, now() - interval '18 days');
"""

REPLICA = "SET session_replication_role = replica; {}; RESET session_replication_role"
"""Writes as a restore or a replication worker does: no triggers fire, so no foreign key is checked."""

WITHOUT_TRIGGERS = "ALTER TABLE {table} DISABLE TRIGGER ALL; {statement}; ALTER TABLE {table} ENABLE TRIGGER ALL"

ZONE = Settings().zone
THIS_MONTH = present_month()
PARTITION = f"chatbot.conversations_{(THIS_MONTH - 1).suffix}"
NEXT = THIS_MONTH + 5
"""The first month that has no partition yet. One more than are kept ahead, since this month may end in these tests."""

DROP_ON_ONE_PARTITION = """
    SELECT oid AS key INTO TEMPORARY dropped FROM pg_constraint
    WHERE conrelid = '$partition'::regclass AND conname = 'conversations_session_id_fkey';
    DELETE FROM pg_depend USING pg_trigger AS t
    WHERE classid = 'pg_trigger'::regclass AND objid = t.oid AND t.tgconstraint IN (SELECT key FROM dropped);
    DELETE FROM pg_trigger WHERE tgconstraint IN (SELECT key FROM dropped);
    DELETE FROM pg_depend WHERE 'pg_constraint'::regclass IN (classid, refclassid)
    AND (objid IN (SELECT key FROM dropped) OR refobjid IN (SELECT key FROM dropped));
    DELETE FROM pg_constraint WHERE oid IN (SELECT key FROM dropped);
"""

ATTACH_WITHOUT = """
    ALTER TABLE chatbot.conversations DROP CONSTRAINT conversations_session_id_fkey;
    CREATE TABLE $next PARTITION OF chatbot.conversations
    FOR VALUES FROM ('$next_start') TO ('$next_end');
    DO $$$$
    DECLARE
        v_partition regclass;
    BEGIN
        FOR v_partition IN
            SELECT inhrelid FROM pg_inherits
            WHERE inhparent = 'chatbot.conversations'::regclass
            AND inhrelid <> '$next'::regclass
        LOOP
            EXECUTE format('ALTER TABLE %s ADD CONSTRAINT conversations_session_id_fkey FOREIGN KEY (session_id) '
                'REFERENCES chatbot.session_master ON DELETE CASCADE', v_partition);
        END LOOP;
    END $$$$
"""


def filled_in(statements: str) -> bytes:
    """Fill in the names that the statements leave open."""
    return (
        Template(statements)
        .substitute(
            first=FIRST,
            second=SECOND,
            stranger=STRANGER,
            partition=PARTITION,
            next=f"chatbot.conversations_{NEXT.suffix}",
            next_start=NEXT.start(ZONE),
            next_end=NEXT.end(ZONE),
        )
        .encode()
    )


INSERTS = {
    "chatbot.conversations": "(session_id, conversation_time) VALUES ('$stranger', now() - interval '20 days')",
    "ml_features.user_interactions": "(session_id, time_stamp) VALUES ('$stranger', now() - interval '20 days')",
    "analytics.recommendations_log": "(session_id, time_stamp, recommendations, recommendation_count) "
    "VALUES ('$stranger', now() - interval '20 days', '[]', 0)",
    "analytics.user_feedback": "(session_id, time_stamp) VALUES ('$stranger', now() - interval '20 days')",
}
ORPHAN = {table: f"INSERT INTO {table} {values}" for table, values in INSERTS.items()}


def fails(table: str, **checks: str) -> dict[str, str]:
    """Return the checks of a table, with the texts of their messages."""
    return {f"{table.replace('.', '/')}:{name}": message for name, message in checks.items()}


def orphan_found(table: str) -> dict[str, str]:
    lacks = f"Rows of {table} without a session: 1 (limit 0)."
    return fails(table, no_orphans=lacks, foreign_keys="session_id_fkey, fault rows that refer to nothing: 1 (id ")


WITH_SQL = {
    NO_ORPHANS, FOREIGN_KEYS, "times_in_order", "soft_references", "user_is_the_sessions", "indexes_on_every_partition",
    "only_the_pipeline_creates", "selections_are_readable",
}  # fmt: skip
"""The checks whose failure shows SQL."""

MADE_TO_FAIL_ELSEWHERE = {
    "months_ahead", "months_tile", "reconciled", "valid_rows", "like_the_months_before", "has_the_last_month",
    "every_month_has_its_file", "files_hold_what_was_archived", "no_table_is_left_over", "clocks_agree",
    "of_the_logs_as_they_are", "archives_agree", "extracts_published",
}  # fmt: skip
"""The checks that are made to fail elsewhere. Of these, only months_ahead shows SQL, which is pasted there."""

UNWATCHED = {"schema:schema_has_no_drift": "Objects that differ from what the migrations make: 4 ("}
DRIFT = {"schema:schema_has_no_drift": "Objects that differ from what the migrations make: 1 ("}


@dataclass(frozen=True)
class Defect:
    """What is done to the database, and what the checks say about it. `…` in a message stands for any text."""

    name: str
    statements: str
    caught: dict[str, str]


DEFECTS = [
    Defect(
        "orphans written under session_replication_role",
        REPLICA.format("; ".join(ORPHAN.values())),
        {key: message for table in ORPHAN for key, message in orphan_found(table).items()},
    ),
    *(
        Defect(
            f"orphan written while the triggers of {table} were disabled",
            WITHOUT_TRIGGERS.format(table=table, statement=ORPHAN[table]),
            orphan_found(table) | drift,
        )
        # The triggers that note changes of the logs are on again, but not always: that tells what was done.
        for table, drift in (("chatbot.conversations", {}), ("analytics.user_feedback", UNWATCHED))
    ),
    Defect(
        "session deleted under session_replication_role",
        REPLICA.format("DELETE FROM session_master WHERE session_id = '$first'"),
        {key: message for table in ORPHAN for key, message in orphan_found(table).items()},
    ),
    Defect(
        "triggers left disabled on a table that refers",
        "ALTER TABLE analytics.user_feedback DISABLE TRIGGER ALL",
        fails("analytics.user_feedback", foreign_keys="its triggers are disabled on analytics.user_feedback")
        | UNWATCHED,
    ),
    Defect(
        "triggers left disabled on the table that is referred to",
        "ALTER TABLE chatbot.session_master DISABLE TRIGGER ALL",
        {
            **fails("chatbot.session_master", foreign_keys="its triggers are disabled on chatbot.session_master"),
            **{
                key: message
                for table in ORPHAN
                for key, message in fails(
                    table, foreign_keys="its triggers are disabled on chatbot.session_master"
                ).items()
            },
            "schema:schema_has_no_drift": "Objects that differ",
        },
    ),
    Defect(
        "triggers left disabled on one partition",
        "ALTER TABLE $partition DISABLE TRIGGER ALL",
        fails("chatbot.conversations", foreign_keys=f"table {PARTITION}, foreign_key conversations_session_id_fkey"),
    ),
    Defect(
        "constraint NOT VALID, over an orphan",
        "ALTER TABLE analytics.user_feedback DROP CONSTRAINT user_feedback_session_id_fkey; "
        f"{ORPHAN['analytics.user_feedback']}; "
        "ALTER TABLE analytics.user_feedback ADD CONSTRAINT user_feedback_session_id_fkey FOREIGN KEY (session_id) "
        "REFERENCES chatbot.session_master ON DELETE CASCADE NOT VALID",
        {**orphan_found("analytics.user_feedback"), **DRIFT}
        | fails("analytics.user_feedback", foreign_keys="user_feedback_session_id_fkey, fault is not validated"),
    ),
    Defect(
        "foreign key dropped on one partition",
        DROP_ON_ONE_PARTITION,
        fails(
            "chatbot.conversations", foreign_keys=f"{PARTITION}, foreign_key conversations_session_id_fkey, fault is"
        ),
    ),
    Defect(
        "partition attached without the foreign key",
        ATTACH_WITHOUT,
        fails(
            "chatbot.conversations", foreign_keys=f"conversations_{NEXT.suffix}, foreign_key conversations_session_id"
        )
        | DRIFT,
    ),
    Defect(
        "foreign key dropped",
        "ALTER TABLE recommendations_log DROP CONSTRAINT recommendations_log_user_id_fkey",
        fails("analytics.recommendations_log", foreign_keys="recommendations_log_user_id_fkey, fault is missing")
        | DRIFT,
    ),
    Defect(
        "delete rule changed",
        "ALTER TABLE user_feedback DROP CONSTRAINT user_feedback_related_recommendation_id_fkey, ADD CONSTRAINT "
        "user_feedback_related_recommendation_id_fkey FOREIGN KEY (related_recommendation_id) "
        "REFERENCES analytics.recommendations_log",
        fails("analytics.user_feedback", foreign_keys="fault ON DELETE NO ACTION instead of SET NULL") | DRIFT,
    ),
    Defect(
        "foreign key to another table",
        "ALTER TABLE reviews DROP CONSTRAINT reviews_order_id_fkey, ADD CONSTRAINT reviews_order_id_fkey "
        "FOREIGN KEY (order_id) REFERENCES chatbot.users ON DELETE SET NULL",
        fails("chatbot.reviews", foreign_keys="refers to chatbot.users.id instead of chatbot.orders.id") | DRIFT,
    ),
    Defect(
        "act of a user who is gone",
        REPLICA.format("UPDATE ml_features.user_interactions SET user_id = 4711"),
        fails(
            "ml_features.user_interactions", foreign_keys="user_interactions_user_id_fkey, fault rows that refer to not"
        ),
    ),
    Defect(
        "user deleted under session_replication_role",
        REPLICA.format("DELETE FROM users WHERE id = 2"),
        fails("chatbot.session_master", foreign_keys=f"rows that refer to nothing: 1 (session_id {SECOND}, user_id 2)")
        | fails("analytics.user_feedback", foreign_keys="rows that refer to nothing: 1 (id 2, user_id 2)"),
    ),
    Defect(
        "order at a shop that is gone",
        REPLICA.format("DELETE FROM shops WHERE id = 3"),
        fails("chatbot.orders", foreign_keys="rows that refer to nothing: 1 (id 1, shop_id 3)")
        | fails("chatbot.reviews", foreign_keys="rows that refer to nothing: 1 (id 1, shop_id 3)"),
    ),
    Defect(
        "turn of another user than its session's",
        "UPDATE conversations SET user_id = 3",
        fails("chatbot.conversations", user_is_the_sessions="user_id 3, session_user_id 1"),
    ),
    Defect(
        "selection nested more deeply than can be read",
        "UPDATE recommendations_log SET user_selection = (repeat('[', 5000) || repeat(']', 5000))::json",
        fails("analytics.recommendations_log", selections_are_readable="octets 10000"),
    ),
    Defect(
        "selection that only PostgreSQL's json keeps",
        r"""UPDATE recommendations_log SET user_selection = '{"shop_id": 2, "note": "\u0000"}'""",
        fails("analytics.recommendations_log", selections_are_readable="id 1, time_stamp"),
    ),
    Defect(
        "shop deleted that is named without a foreign key",
        "DELETE FROM shops WHERE id = 2",
        fails("chatbot.conversations", soft_references="Ids in recommended_shop_ids … that is gone: 1 (")
        | fails("ml_features.user_interactions", soft_references="column recommendations, gone 2")
        | fails("chatbot.user_profiles", soft_references="column favorite_shops, gone 2")
        | fails(
            "analytics.recommendations_log",
            soft_references="Ids in top_recommendation_shop_id and recommendations … gone: 2 (",
        ),
    ),
    Defect(
        "turn before its session started",
        "UPDATE session_master SET session_start = now() - interval '19 days 12 hours'",
        fails("chatbot.conversations", times_in_order="fault before its session started")
        | fails("ml_features.user_interactions", times_in_order="fault before its session started")
        | fails("analytics.recommendations_log", times_in_order="fault before its session started"),
    ),
    Defect(
        "feedback from the future",
        "UPDATE user_feedback SET time_stamp = now() + interval '9 hours' WHERE id = 1",
        fails(
            "analytics.user_feedback", times_in_order="Rows of analytics.user_feedback with a time that cannot be: 1 ("
        ),
    ),
    Defect(
        "session that ends before it starts",
        "UPDATE session_master SET session_end = session_start - interval '1 hour' WHERE NOT is_active",
        fails("chatbot.session_master", times_in_order="fault session_end is before session_start"),
    ),
    Defect(
        "choice before its recommendation",
        "UPDATE recommendations_log SET selection_timestamp = time_stamp - interval '1 second'",
        fails("analytics.recommendations_log", times_in_order="fault selection_timestamp is before time_stamp"),
    ),
    Defect(
        "stale view",
        "UPDATE yumai_pipelines.view_refreshes SET as_of = now() - interval '3 days'",
        fails("chatbot.recent_conversations", is_fresh="Views staler than 26 hours … was refreshed 72.0"),
    ),
    Defect(
        "turn that the view has not seen",
        "UPDATE yumai_pipelines.view_refreshes SET as_of = now(); "
        "INSERT INTO conversations (session_id, user_id, conversation_time) "
        "VALUES ('$first', 1, now() - interval '1 hour')",
        fails("chatbot.recent_conversations", is_complete="difference missing from the view, id 2"),
    ),
    Defect(
        "view without data",
        "REFRESH MATERIALIZED VIEW chatbot.recent_conversations WITH NO DATA",
        fails("chatbot.recent_conversations", is_fresh="was never refreshed", is_complete="was never refreshed"),
    ),
    Defect(
        "view of whose refreshes nothing is known",
        "DELETE FROM yumai_pipelines.view_refreshes",
        fails("chatbot.recent_conversations", is_fresh="was never refreshed", is_complete="was never refreshed"),
    ),
    Defect(
        "index that the partitions lack",
        "CREATE INDEX conversations_emotion ON ONLY chatbot.conversations (emotion DESC) WHERE emotion > 0",
        fails("chatbot.conversations", indexes_on_every_partition="index chatbot.conversations_emotion") | DRIFT,
    ),
    Defect(
        "others may create where names are looked up",
        "GRANT CREATE ON SCHEMA public TO PUBLIC",
        {"schema:only_the_pipeline_creates": "schema public, role PUBLIC"},
    ),
    Defect(
        "turn of a month without a partition",
        "INSERT INTO session_master (session_id, session_start) VALUES ('$stranger', '1999-12-31'); "
        "INSERT INTO conversations (session_id, conversation_time) VALUES ('$stranger', '2000-01-01')",
        fails("chatbot.conversations", default_partition_empty="Rows in the default partition … : 1 ("),
    ),
]


@pytest.fixture(scope="module")
def world(databases: Databases, template: str) -> Iterator[str]:
    """The name of a database to be cloned, in which every check passes."""
    with databases.clone(template) as url:
        with psycopg.connect(url, autocommit=True) as connection, dg.DagsterInstance.ephemeral() as instance:
            graph = Graph.on(url, instance)
            graph.run("monthly_partitions", months((THIS_MONTH - 1).key, (NEXT - 1).key))
            connection.execute(filled_in(WORLD))
            graph.materialize(dg.AssetKey(["chatbot", "recent_conversations"]))
        yield databases.name(url)


@pytest.fixture
def database(databases: Databases, world: str) -> Iterator[str]:
    with databases.clone(world) as url:
        yield url


def test_nothing_fails_where_nothing_is_planted(graph: Graph) -> None:
    assert graph.check_everything().failed_checks() == set()


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)
def test_a_planted_defect_is_caught_by_its_checks_and_by_no_other(
    defect: Defect, graph: Graph, connection: Connection, database: str
) -> None:
    connection.execute(filled_in(defect.statements))
    run = graph.check_everything()
    assert run.failed_checks() == defect.caught.keys()
    for check, fragment in defect.caught.items():
        asset, name = check.split(":")
        whole = run.evaluations(*asset.split("/"), name)[None]
        assert whole.description is not None
        assert all(part in whole.description for part in fragment.split(" … "))
        measure, remedy, *rows, cause = whole.description.split("\n\n")
        assert measure.endswith(f" (limit {whole.metadata['limit'].value}).")
        assert (remedy[:12], cause[:7]) == ("What to do: ", "Cause: ")
        if name in (NO_ORPHANS, FOREIGN_KEYS):
            assert (whole.blocking, whole.severity) == (True, dg.AssetCheckSeverity.ERROR)
        if name == NO_ORPHANS:
            assert remedy.startswith("What to do: launch the job repair_orphans: ")
            assert [row[:5] for row in rows] == ["- id "]
            assert "session_replication_role" in cause
            assert (whole.metadata["count"].value, whole.metadata["more_than_shown"].value) == (1, False)
        assert bool(advice(whole)) == (name in WITH_SQL)
        follow_the_advice(database, whole)
        message = " ".join(" ".join([measure, *rows]).split())
        TABLE.info("| %s | %s | %s |", defect.name, check, message)


def test_every_check_with_sql_is_made_to_fail_here(graph: Graph) -> None:
    """So every block of SQL is pasted above. Of the other checks, some need months that are archived or built."""
    caught = {check.partition(":")[2] for defect in DEFECTS for check in defect.caught}
    names = {key.name for key in graph.definitions.resolve_asset_graph().asset_check_keys}
    assert caught >= WITH_SQL
    assert names - caught == MADE_TO_FAIL_ELSEWHERE


def test_pg_restore_without_triggers(database: str, connection: Connection, graph: Graph, tmp_path: Path) -> None:
    """A dump of one table is restored after the sessions of its rows were deleted."""
    parts = conninfo_to_dict(database)
    environment = {
        **os.environ,
        **{f"PG{key.upper()}": str(parts[key]) for key in ("host", "port", "user", "password") if key in parts},
    }
    dump = tmp_path / "feedback"
    name = str(parts["dbname"])

    def run(tool: str, *arguments: str) -> None:
        finished([str(program(tool)), *arguments], env=environment).check_returncode()

    run("pg_dump", "--data-only", "--table=analytics.user_feedback", "--format=custom", f"--file={dump}", name)
    connection.execute("DELETE FROM session_master WHERE session_id = %s", (FIRST,))
    connection.execute("DELETE FROM user_feedback")
    run("pg_restore", "--data-only", "--disable-triggers", f"--dbname={name}", str(dump))
    assert graph.check_everything().failed_checks() == {
        "analytics/user_feedback:no_orphans",
        "analytics/user_feedback:foreign_keys",
        *UNWATCHED,
    }
    assert one(connection, "SELECT count(*) FROM user_feedback") == 2
