"""Integrity checks by month, the repairs that they advise, and what failed checks stop.

That every defect is found is tested in `test_defects`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import dagster as dg
import psycopg
import pytest
from psycopg import sql

from tests.graph import CONVERSATIONS, FUNNEL, Graph, follow_the_advice, months
from tests.support import Connection, one
from yumai_pipelines.defs.evaluations import metadata_of
from yumai_pipelines.defs.integrity.checks import integrity_checks
from yumai_pipelines.defs.partitions.checks import runway
from yumai_pipelines.defs.resources import RESOURCES, PostgresResource
from yumai_pipelines.defs.views.checks import freshness
from yumai_pipelines.integrity.findings import SAMPLE, Finding, Severity
from yumai_pipelines.model.lock_policy import LockPolicy
from yumai_pipelines.model.months import Month
from yumai_pipelines.model.registry import RECENT_CONVERSATIONS, RECOMMENDATIONS, SESSIONS
from yumai_pipelines.model.relations import Relation
from yumai_pipelines.partitions.ensure import ensure_months
from yumai_pipelines.partitions.tables import Partition
from yumai_pipelines.postgres.connections import connect
from yumai_pipelines.schema import tables
from yumai_pipelines.schema.tables import SESSION_CHILDREN, ForeignKey, OnDelete, Table, table_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Databases
    from tests.graph import Run

SEOUL = ZoneInfo("Asia/Seoul")

NOT_OF_THIS_YEAR = {"chatbot/conversations:months_ahead"}
"""The months in these tests are of 2024, so this check fails everywhere except in its own tests."""

REFERENCES = [
    (table, key)
    for table in (table_of(SESSIONS), *SESSION_CHILDREN)
    for key in table.foreign_keys
    if key.referenced != SESSIONS
]


def name_of(value: object) -> str:
    match value:
        case Table(relation=relation):
            return relation.name
        case ForeignKey(column=column):
            return column
    return str(value)


WORLD = """
    SET TimeZone = 'Asia/Seoul';
    INSERT INTO chatbot.users (external_user_id) VALUES ('u1'), ('u2');
    INSERT INTO chatbot.shops (shop_name, category) VALUES ('김밥', '분식'), ('국수', '한식');
    INSERT INTO chatbot.session_master (session_id, user_id, session_start, session_end, is_active)
    SELECT ('00000000-0000-0000-0000-00000000000' || n)::uuid, 1 + n % 2, day, day + interval '1 hour', false
      FROM generate_series(1, 6) AS n,
           LATERAL (SELECT timestamptz '2024-08-05' + n * interval '14 days') AS t (day);
    INSERT INTO chatbot.conversations (session_id, user_id, conversation_time, selected_shop_id)
    SELECT session_id, user_id, session_start, 1 FROM chatbot.session_master;
    INSERT INTO ml_features.user_interactions (session_id, user_id, time_stamp)
    SELECT session_id, user_id, session_start FROM chatbot.session_master;
    INSERT INTO analytics.recommendations_log
           (session_id, user_id, shop_id, time_stamp, recommendations, recommendation_count, recommendation_method)
    SELECT session_id, user_id, 1, session_start, '[]', 0, 'rag' FROM chatbot.session_master;
    INSERT INTO analytics.user_feedback (session_id, user_id, related_recommendation_id, time_stamp, feedback_type)
    SELECT session_id, user_id, id, time_stamp, 'rating' FROM analytics.recommendations_log;
"""


@pytest.fixture(scope="module")
def world(databases: Databases, template: str) -> Iterator[str]:
    """The name of a database to be cloned. It has three months of a small world without defects."""
    with databases.clone(template) as url:
        with connect(url, application_name="test: world") as owner:
            ensure_months(owner, [*Month(2024, 8).through(Month(2024, 10))], zone=SEOUL, policy=LockPolicy())
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(WORLD.encode())
        yield databases.name(url)


@pytest.fixture
def database(databases: Databases, world: str) -> Iterator[str]:
    with databases.clone(world) as url:
        yield url


@pytest.fixture
def connection(connection: Connection) -> Connection:
    connection.execute("SET TimeZone = 'Asia/Seoul'")
    return connection


def bypass(connection: Connection, *statements: str) -> None:
    """Run statements without any check of foreign keys."""
    with connection.transaction():
        connection.execute("SET LOCAL session_replication_role = replica")
        for statement in statements:
            connection.execute(statement)


def break_reference(connection: Connection, table: Table, key: ForeignKey, rows: str = "true") -> None:
    """Make rows of the table refer to something that does not exist."""
    nothing = "gen_random_uuid()" if key.referenced == SESSIONS else "999999"
    with connection.transaction():
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute(
            sql.SQL("UPDATE {} SET {} = {} WHERE {}").format(
                table.relation.identifier, sql.Identifier(key.column), sql.SQL(nothing), sql.SQL(rows)
            )
        )


def failed(run: Run) -> set[str]:
    return run.failed_checks() - NOT_OF_THIS_YEAR


def test_nothing_is_wrong_with_a_sound_database(graph: Graph) -> None:
    for run in (graph.run("daily_upkeep"), graph.run("monthly_partitions", months("2024-08", "2024-10"))):
        assert failed(run) == set()
    assert graph.run("monthly_extracts", months("2024-08", "2024-10")).failed_checks() == set()


# Rows


@pytest.mark.parametrize("way", ["recover", "quarantine"])
@pytest.mark.parametrize("table", SESSION_CHILDREN, ids=name_of)
def test_orphans_are_repaired_as_advised(
    graph: Graph, connection: Connection, database: str, table: Table, way: str
) -> None:
    check = (table.relation.schema, table.relation.name, "no_orphans")
    assert table.session_key
    break_reference(connection, table, table.session_key, "id > 3")
    evaluation = graph.check(*check).evaluations(*check)[None]

    follow_the_advice(database, evaluation, but="or " if way == "recover" else "either ")

    assert graph.check(*check).evaluations(*check)[None].passed
    left = one(connection, sql.SQL("SELECT count(*) FROM {}").format(table.relation.identifier).as_string())
    assert left == (6 if way == "recover" else 3)
    recovered = "SELECT count(user_id) FROM chatbot.session_master WHERE session_metadata ->> 'recovered' = 'true'"
    assert one(connection, recovered) == (3 if way == "recover" else 0)
    assert one(connection, "SELECT count(*) FROM yumai_pipelines.quarantine WHERE NOT still_there") == (
        0 if way == "recover" else 3
    )


@pytest.mark.parametrize(("table", "key"), REFERENCES, ids=name_of)
def test_row_that_violates_a_foreign_key_is_found_and_repaired_as_advised(
    graph: Graph, connection: Connection, database: str, table: Table, key: ForeignKey
) -> None:
    check = (table.relation.schema, table.relation.name, "foreign_keys")
    rows = "session_id::text LIKE '%1'"
    break_reference(connection, table, key, rows)
    if (table.relation, key.column) == (SESSIONS, "user_id"):
        bypass(connection, "UPDATE chatbot.conversations SET user_id = NULL")

    run = graph.run("daily_upkeep")

    evaluation = run.evaluations(*check)[None]
    assert failed(run) - {"chatbot/conversations:user_is_the_sessions"} == {":".join(("/".join(check[:2]), check[2]))}
    assert evaluation.description is not None
    assert f"foreign_key {key.name}, fault rows that refer to nothing: 1 (" in evaluation.description
    assert f"{key.column} 999999)" in evaluation.description
    follow_the_advice(database, evaluation)
    assert graph.check(*check).evaluations(*check)[None].passed
    left = one(connection, sql.SQL("SELECT count(*) FROM {}").format(table.relation.identifier).as_string())
    assert left == (6 if key.on_delete is OnDelete.SET_NULL else 5)


def test_sample_is_bounded_and_says_so(graph: Graph, connection: Connection) -> None:
    bypass(
        connection,
        "INSERT INTO ml_features.user_interactions (session_id, time_stamp) "
        "SELECT gen_random_uuid(), '2024-08-10' FROM generate_series(1, 2500)",
    )
    evaluation = graph.check("ml_features", "user_interactions", "no_orphans").evaluation(
        "ml_features", "user_interactions", "no_orphans"
    )
    assert evaluation.metadata["count"].value == 2500
    sample = evaluation.metadata["sample"]
    assert isinstance(sample, dg.TableMetadataValue)
    assert len(sample.records) == SAMPLE
    assert evaluation.metadata["more_than_shown"].value is True
    assert evaluation.description is not None
    assert "and 2,490 more" in evaluation.description


def test_orphan_of_no_month_is_shown(graph: Graph, connection: Connection) -> None:
    bypass(
        connection,
        "INSERT INTO chatbot.conversations (session_id, conversation_time) VALUES (gen_random_uuid(), 'infinity')",
    )
    run = graph.run("daily_upkeep")
    assert run.failed_checks() >= {
        f"chatbot/conversations:{check}" for check in ("no_orphans", "default_partition_empty")
    }
    for check, said in (
        ("no_orphans", "conversation_time infinity"),
        ("default_partition_empty", "month infinity, rows 1"),
    ):
        assert said in str(run.evaluations("chatbot", "conversations", check)[None].description)


def test_conversation_of_another_user_is_found(graph: Graph, connection: Connection, database: str) -> None:
    check = ("chatbot", "conversations", "user_is_the_sessions")
    connection.execute("UPDATE chatbot.conversations SET user_id = 3 - user_id WHERE id = 4")
    connection.execute("UPDATE chatbot.conversations SET user_id = NULL WHERE id = 5")  # no user is no contradiction

    run = graph.run("daily_upkeep")

    assert failed(run) == {"chatbot/conversations:user_is_the_sessions"}
    evaluation = run.evaluations(*check)[None]
    assert evaluation.description is not None
    assert "- id 4, conversation_time 2024-09-30 00:00:00+09, " in evaluation.description
    assert "user_id 2, session_user_id 1" in evaluation.description
    assert [month for month, each in run.evaluations(*check).items() if not each.passed] == ["2024-09-01", None]
    follow_the_advice(database, evaluation)
    assert graph.check(*check).failed_checks() == set()


# Months


def test_a_run_for_months_evaluates_each_of_them(graph: Graph, connection: Connection) -> None:
    break_reference(connection, SESSION_CHILDREN[0], SESSION_CHILDREN[0].foreign_keys[0], "id IN (2, 3)")

    run = graph.run("monthly_partitions", months("2024-08", "2024-10"))

    for check in ("no_orphans", "foreign_keys"):
        evaluations = run.evaluations(*CONVERSATIONS.path, check)
        counted = {month: each.metadata["count"].value for month, each in evaluations.items()}
        assert counted == {"2024-08-01": 0, "2024-09-01": 2 if check == "no_orphans" else 1, "2024-10-01": 0}
    targets = [each.target_materialization_data for each in evaluations.values()]
    assert {target.run_id for target in targets if target} == {run.outcome.run_id}
    assert not run.success


def test_a_months_evaluation_counts_for_its_latest_materialization(graph: Graph) -> None:
    """Dagster shows the evaluation of a month that names the month's latest materialization."""
    check = ("chatbot", "conversations", "no_orphans")
    materialized = graph.run("monthly_partitions", months("2024-08", "2024-09")).outcome.run_id
    (evaluation,) = graph.check(*check, tags=months("2024-09")).evaluations(*check).values()
    assert evaluation.target_materialization_data is not None
    assert evaluation.target_materialization_data.run_id == materialized
    (info,) = graph.instance.event_log_storage.get_asset_check_partition_info(
        [dg.AssetCheckKey(CONVERSATIONS, "no_orphans")], partition_keys=["2024-09-01"]
    )
    assert info.is_current


def test_a_months_check_does_not_touch_other_months(graph: Graph, connection: Connection) -> None:
    check = ("chatbot", "conversations", "no_orphans")
    with connection.transaction():
        connection.execute("LOCK TABLE ONLY chatbot.conversations_2024_08 IN ACCESS EXCLUSIVE MODE")
        connection.execute("LOCK TABLE ONLY chatbot.conversations_default IN ACCESS EXCLUSIVE MODE")
        (evaluation,) = graph.check(*check, tags=months("2024-09")).evaluations(*check).values()
    assert evaluation.passed


def test_a_month_has_its_orphans_and_none_of_sessions_that_began_long_before(
    graph: Graph, connection: Connection
) -> None:
    connection.execute("UPDATE chatbot.session_master SET session_start = '2020-01-01' WHERE user_id = 1")
    bypass(
        connection,
        "INSERT INTO chatbot.conversations (session_id, conversation_time) SELECT session_id, time FROM "
        "(VALUES ('2024-08-15'::timestamptz), ('2024-09-15'), ('2024-09-16')) AS t (time), "
        "(SELECT gen_random_uuid() UNION ALL SELECT session_id FROM chatbot.session_master) AS s (session_id)",
    )
    check = ("chatbot", "conversations", "no_orphans")
    expected = {"2024-08-01": 1, "2024-09-01": 2, "2024-10-01": 0}
    for tags, shown in ((months("2024-09"), {"2024-09-01"}), (months("2024-08", "2024-10"), set(expected))):
        found = graph.check(*check, tags=tags).evaluations(*check)
        counts = {month: each.metadata["count"].value for month, each in found.items()}
        assert counts == {month: expected[month] for month in shown}


def test_a_run_without_months_evaluates_all_and_the_rows_of_no_month(graph: Graph, connection: Connection) -> None:
    bypass(
        connection,
        "INSERT INTO chatbot.conversations (session_id, conversation_time) VALUES "
        "(gen_random_uuid(), '2024-07-31 23:59:59'), (gen_random_uuid(), '2024-11-01')",
    )
    evaluations = graph.check("chatbot", "conversations", "no_orphans").evaluations(
        "chatbot", "conversations", "no_orphans"
    )
    assert {month: each.metadata["count"].value for month, each in evaluations.items()} == {
        "2024-08-01": 0,
        "2024-09-01": 0,
        "2024-10-01": 0,
        None: 2,
    }


# Constraints


@pytest.mark.parametrize(
    ("defect", "asset", "fault"),
    [
        (
            "ALTER TABLE analytics.user_feedback DROP CONSTRAINT user_feedback_user_id_fkey",
            "analytics/user_feedback",
            "user_feedback_user_id_fkey, fault is missing",
        ),
        (
            "ALTER TABLE analytics.user_feedback DROP CONSTRAINT user_feedback_user_id_fkey; "
            "ALTER TABLE analytics.user_feedback ADD CONSTRAINT user_feedback_user_id_fkey FOREIGN KEY (user_id) "
            "REFERENCES chatbot.users ON DELETE CASCADE NOT VALID; "
            "COMMENT ON CONSTRAINT user_feedback_user_id_fkey ON analytics.user_feedback IS "
            "'Cascades: an opinion is personal data of its user. The older system refused to delete such a user.'",
            "analytics/user_feedback",
            "user_feedback_user_id_fkey, fault is not validated",
        ),
        (
            "ALTER TABLE ml_features.user_interactions DROP CONSTRAINT user_interactions_session_id_fkey; "
            "ALTER TABLE ml_features.user_interactions ADD FOREIGN KEY (session_id) REFERENCES chatbot.session_master",
            "ml_features/user_interactions",
            "user_interactions_session_id_fkey, fault ON DELETE NO ACTION instead of CASCADE",
        ),
        (
            "ALTER TABLE analytics.recommendations_log DROP CONSTRAINT recommendations_log_shop_id_fkey; "
            "ALTER TABLE analytics.recommendations_log ADD FOREIGN KEY (shop_id) REFERENCES chatbot.users "
            "ON DELETE SET NULL",
            "analytics/recommendations_log",
            "recommendations_log_shop_id_fkey, fault refers to chatbot.users.id instead of chatbot.shops.id",
        ),
        (
            "ALTER TABLE chatbot.session_master DROP CONSTRAINT session_master_user_id_fkey; "
            "ALTER TABLE chatbot.session_master ADD FOREIGN KEY (user_id) REFERENCES chatbot.users ON DELETE SET NULL",
            "chatbot/session_master",
            "session_master_user_id_fkey, fault ON DELETE SET NULL instead of CASCADE",
        ),
        (
            "ALTER TABLE analytics.user_feedback DISABLE TRIGGER ALL",
            "analytics/user_feedback",
            "user_feedback_user_id_fkey, fault its triggers are disabled on analytics.user_feedback",
        ),
        (
            "ALTER TABLE chatbot.conversations DROP CONSTRAINT conversations_user_id_fkey",
            "chatbot/conversations",
            "table chatbot.conversations_2024_09, foreign_key conversations_user_id_fkey, fault is missing",
        ),
        (
            "ALTER TABLE chatbot.conversations DROP CONSTRAINT conversations_session_id_fkey; "
            "ALTER TABLE chatbot.conversations ADD FOREIGN KEY (session_id) REFERENCES chatbot.session_master",
            "chatbot/conversations",
            "table chatbot.conversations_default, foreign_key conversations_session_id_fkey, fault ON DELETE NO ACTION",
        ),
        (
            "ALTER TABLE chatbot.conversations_2024_09 DISABLE TRIGGER ALL",
            "chatbot/conversations",
            "table chatbot.conversations_2024_09, foreign_key conversations_session_id_fkey, fault its triggers are",
        ),
    ],
)
def test_fault_of_a_constraint_is_found_and_repaired_as_advised(
    graph: Graph, connection: Connection, database: str, defect: str, asset: str, fault: str
) -> None:
    path = asset.split("/")
    connection.execute(defect)

    run = graph.run("daily_upkeep")

    assert failed(run) - {"schema:schema_has_no_drift"} == {f"{asset}:foreign_keys"}
    evaluation = run.evaluations(*path, "foreign_keys")[None]
    assert evaluation.description is not None
    assert fault in evaluation.description
    assert (evaluation.blocking, evaluation.severity) == (True, dg.AssetCheckSeverity.ERROR)
    follow_the_advice(database, evaluation)
    assert failed(graph.run("daily_upkeep")) == set()


def test_triggers_disabled_on_the_table_referred_to_are_found(
    graph: Graph, connection: Connection, database: str
) -> None:
    """These triggers do the cascades: without them, deleting a session leaves orphans."""
    connection.execute("ALTER TABLE chatbot.session_master DISABLE TRIGGER ALL")
    children = {"/".join((table.relation.schema, table.relation.name)) for table in SESSION_CHILDREN}
    expected = {f"{child}:foreign_keys" for child in (*children, "chatbot/session_master")}
    run = graph.run("daily_upkeep")
    assert failed(run) - {"schema:schema_has_no_drift"} == expected
    for child in children:
        evaluation = run.evaluations(*child.split("/"), "foreign_keys")[None]
        assert evaluation.description is not None
        assert "its triggers are disabled on chatbot.session_master" in evaluation.description
    follow_the_advice(database, run.evaluations(*next(iter(children)).split("/"), "foreign_keys")[None])
    assert failed(graph.run("daily_upkeep")) == set()


@pytest.mark.parametrize(
    ("defect", "fault"),
    [
        ("DELETE FROM pg_constraint WHERE {this}", "fault is missing"),
        ("UPDATE pg_constraint SET convalidated = false WHERE {this}", "fault is not validated"),
        ("UPDATE pg_constraint SET confdeltype = 'r' WHERE {this}", "fault ON DELETE RESTRICT instead of CASCADE"),
        (
            "DELETE FROM pg_trigger WHERE tgconstraint = (SELECT oid FROM pg_constraint WHERE {this})",
            "fault has 0 of its 2 triggers",
        ),
    ],
)
def test_fault_on_one_partition_is_found_in_its_month(
    graph: Graph, connection: Connection, defect: str, fault: str
) -> None:
    """PostgreSQL has no statement that makes this fault: only a change of the catalogue by hand, or damage, does."""
    this = "conrelid = 'chatbot.conversations_2024_09'::regclass AND conname = 'conversations_user_id_fkey'"
    connection.execute("SET allow_system_table_mods = on")
    connection.execute(defect.format(this=this))

    run = graph.check("chatbot", "conversations", "foreign_keys", tags=months("2024-08", "2024-10"))

    evaluations = run.evaluations("chatbot", "conversations", "foreign_keys")
    assert {month for month, each in evaluations.items() if not each.passed} == {"2024-09-01"}
    description = evaluations["2024-09-01"].description
    assert description is not None
    assert f"- table chatbot.conversations_2024_09, foreign_key conversations_user_id_fkey, {fault}" in description


def test_a_check_that_breaks_raises(graph: Graph, connection: Connection) -> None:
    connection.execute(
        "ALTER TABLE analytics.user_feedback RENAME COLUMN related_recommendation_id TO recommendation_id"
    )
    run = graph.check("analytics", "user_feedback", "foreign_keys")
    assert not run.success
    assert run.outcome.get_asset_check_evaluations() == []
    (failure,) = run.outcome.get_step_failure_events()
    assert "related_recommendation_id does not exist" in str(failure.step_failure_data.error)


def test_a_table_gets_its_checks_by_its_line_in_the_registry(
    database: str, instance: dg.DagsterInstance, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection.execute(
        """
        CREATE TABLE analytics.clicks (
            id bigint PRIMARY KEY, at timestamptz, session_id uuid REFERENCES chatbot.session_master ON DELETE CASCADE
        );
        ALTER TABLE analytics.clicks OWNER TO yumai_pipeline;
        """
    )
    bypass(connection, "INSERT INTO analytics.clicks VALUES (7, now(), gen_random_uuid())")
    relation = Relation("analytics", "clicks")
    key = ForeignKey("clicks_session_id_fkey", relation, "session_id", SESSIONS, "session_id", OnDelete.CASCADE)
    clicks = Table(relation, ("id",), (key,), time="at", session_child=True)
    monkeypatch.setattr(tables, "TABLES", (*tables.TABLES, clicks))
    definitions = dg.Definitions(
        assets=[dg.AssetSpec(["analytics", "clicks"])],
        asset_checks=[integrity_checks(clicks)],
        resources={**RESOURCES, "postgres": PostgresResource(url=database)},
    )
    run = Graph(definitions, instance).check("analytics", "clicks", "no_orphans")
    assert run.failed_checks() == {"analytics/clicks:no_orphans"}


# What failed checks stop


@pytest.mark.parametrize(
    "defect",
    [
        "UPDATE analytics.recommendations_log SET session_id = gen_random_uuid() WHERE id = 1",
        "UPDATE analytics.user_feedback SET session_id = gen_random_uuid() WHERE id = 1",
        "UPDATE analytics.user_feedback SET related_recommendation_id = 999999 WHERE id = 1",
        "ALTER TABLE analytics.recommendations_log DISABLE TRIGGER ALL",
        "ALTER TABLE analytics.user_feedback DROP CONSTRAINT user_feedback_session_id_fkey",
    ],
)
def test_failed_integrity_holds_back_the_extracts(graph: Graph, connection: Connection, defect: str) -> None:
    bypass(connection, defect)
    run = graph.run("monthly_extracts", months("2024-08", "2024-10"))
    assert not run.success
    assert run.failed_checks()
    assert run.materialized(*FUNNEL.path) == {}
    assert one(connection, "SELECT count(*) FROM extracts.recommendation_funnel") == 0


def test_failed_integrity_of_the_conversations_holds_back_the_view(graph: Graph, connection: Connection) -> None:
    break_reference(connection, SESSION_CHILDREN[0], SESSION_CHILDREN[0].foreign_keys[0], "id = 1")
    run = graph.run("daily_upkeep")
    assert run.materialized("chatbot", "recent_conversations") == {}
    assert run.materialized("chatbot", "session_monitoring")[None]["total"] == 6


# Partitions


@pytest.mark.parametrize(
    ("defect", "said"),
    [
        (
            "CREATE TABLE chatbot.conversations_2025_04 PARTITION OF chatbot.conversations "
            "FOR VALUES FROM ('2025-04-01 00:00+00') TO ('2025-05-01 00:00+00')",
            "conversations_2025_04, fault holds 2025-04-01 09:00:00+09:00 to 2025-05-01 09:00:00+09:00",
        ),
        (
            "CREATE TABLE chatbot.conversations_2024_12 PARTITION OF chatbot.conversations "
            "FOR VALUES FROM ('2024-12-01 00:00+09') TO ('2025-01-01 00:00+09')",
            "conversations_2024_10 and chatbot.conversations_2024_12, fault a gap from 2024-11-01 00:00:00+09:00 to",
        ),
        (
            "CREATE TABLE chatbot.later PARTITION OF chatbot.conversations "
            "FOR VALUES FROM ('2024-11-01 00:00+09') TO (MAXVALUE)",
            "chatbot.later, fault holds 2024-11-01 00:00:00+09:00 to None",
        ),
    ],
)
def test_bounds_that_do_not_tile_the_months_are_found(
    graph: Graph, connection: Connection, defect: str, said: str
) -> None:
    connection.execute(defect)
    run = graph.run("daily_upkeep")
    assert failed(run) - {"schema:schema_has_no_drift"} == {"chatbot/conversations:months_tile"}
    description = run.evaluation("chatbot", "conversations", "months_tile").description
    assert description is not None
    assert said in description


def test_rows_in_the_default_partition_are_found_by_month(graph: Graph, connection: Connection) -> None:
    session = one(connection, "SELECT min(session_id::text) FROM chatbot.session_master")
    connection.execute(
        "INSERT INTO chatbot.conversations (session_id, conversation_time) SELECT %s, time::timestamptz FROM "
        "unnest(ARRAY['2024-12-31 23:59:59+09', '2025-01-01 00:00+09', '2025-01-31 23:59+09']) AS time",
        (session,),
    )
    run = graph.run("daily_upkeep")
    assert failed(run) == {"chatbot/conversations:default_partition_empty"}
    evaluation = run.evaluation("chatbot", "conversations", "default_partition_empty")
    assert evaluation.description is not None
    assert "Rows in the default partition chatbot.conversations_default: 3" in evaluation.description
    assert "- month 2024-12, rows 1\n- month 2025-01, rows 2" in evaluation.description
    assert evaluation.severity == dg.AssetCheckSeverity.WARN
    assert graph.materialize(CONVERSATIONS, tags=months("2024-11", "2025-01")).success
    assert failed(graph.run("daily_upkeep")) == set()


def test_missing_default_partition_is_found(graph: Graph, connection: Connection) -> None:
    connection.execute("ALTER TABLE chatbot.conversations DETACH PARTITION chatbot.conversations_default")
    connection.execute("DROP TABLE chatbot.conversations_default")
    run = graph.run("daily_upkeep")
    assert failed(run) - {"schema:schema_has_no_drift"} == {"chatbot/conversations:default_partition_empty"}
    evaluation = run.evaluation("chatbot", "conversations", "default_partition_empty")
    assert evaluation.description is not None
    assert "is refused" in evaluation.description
    assert evaluation.severity == dg.AssetCheckSeverity.ERROR
    assert graph.materialize(CONVERSATIONS, tags=months("2024-10")).success
    assert failed(graph.run("daily_upkeep")) == set()


def test_index_that_partitions_lack_is_found_and_made_as_advised(
    graph: Graph, connection: Connection, database: str
) -> None:
    connection.execute(
        "CREATE INDEX conversations_emotion ON ONLY chatbot.conversations USING btree (emotion DESC) WHERE emotion > 0"
    )
    run = graph.run("daily_upkeep")
    assert failed(run) - {"schema:schema_has_no_drift"} == {"chatbot/conversations:indexes_on_every_partition"}
    evaluation = run.evaluation("chatbot", "conversations", "indexes_on_every_partition")
    assert evaluation.metadata["count"].value == 4
    assert evaluation.description is not None
    assert "- partition chatbot.conversations_2024_08, index chatbot.conversations_emotion" in evaluation.description
    follow_the_advice(database, evaluation)
    assert failed(graph.run("daily_upkeep")) == {"schema:schema_has_no_drift"}
    assert one(
        connection, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'chatbot.conversations_emotion'::regclass"
    )


def partitions(*months: str) -> list[Partition]:
    return [
        Partition(
            Relation("chatbot", f"conversations_{Month.parse(month).suffix}"),
            is_default=False,
            lower=Month.parse(month).start(SEOUL),
            upper=Month.parse(month).end(SEOUL),
            rows_estimate=0,
            bytes=0,
            month=Month.parse(month),
        )
        for month in months
    ]


@pytest.mark.parametrize(
    ("present", "missing", "severity"),
    [
        (("2024-08", "2024-09", "2024-10", "2024-11"), 0, Severity.WARN),
        (("2024-08", "2024-09", "2024-10"), 1, Severity.WARN),
        (("2024-08", "2024-09", "2024-11"), 1, Severity.WARN),
        (("2024-08",), 3, Severity.ERROR),
        (("2024-09", "2024-10", "2024-11"), 1, Severity.ERROR),
        ((), 4, Severity.ERROR),
    ],
)
def test_runway(present: tuple[str, ...], missing: int, severity: Severity) -> None:
    finding = runway(partitions(*present), Month(2024, 8), wanted=3)
    assert finding.count == missing
    assert finding.passed or finding.severity == severity
    assert finding.passed or "materialize the partitions 2024-" in finding.description


def test_runway_that_is_too_short_is_found(graph: Graph, database: str) -> None:
    run = graph.check("chatbot", "conversations", "months_ahead")
    evaluation = run.evaluation("chatbot", "conversations", "months_ahead")
    assert not evaluation.passed
    assert evaluation.metadata["months_ahead"].value == 0
    assert evaluation.metadata["months_wanted"].value == 3
    follow_the_advice(database, evaluation)
    assert (
        graph.check("chatbot", "conversations", "months_ahead")
        .evaluation("chatbot", "conversations", "months_ahead")
        .passed
    )


def test_a_row_whose_month_was_not_made_is_moved_by_psql_alone(
    graph: Graph, connection: Connection, database: str
) -> None:
    connection.execute(
        "INSERT INTO chatbot.conversations (session_id, conversation_time) "
        "SELECT session_id, t FROM unnest('{2025-01-15,1999-01-15}'::timestamptz[]) AS t, "
        "(SELECT session_id FROM chatbot.session_master LIMIT 1) AS s"
    )
    key = ("chatbot", "conversations", "default_partition_empty")
    evaluation = graph.check(*key).evaluation(*key)
    assert evaluation.metadata["count"].value == 2
    follow_the_advice(database, evaluation)
    assert one(connection, "SELECT count(*) FROM chatbot.conversations_2025_01") == 1
    # A row decades off stays until somebody corrects its time: its month is none of the pipeline's.
    assert graph.check(*key).evaluation(*key).metadata["count"].value == 1


# The view


def test_view_that_misses_rows_is_found(graph: Graph, connection: Connection) -> None:
    graph.run("daily_upkeep")
    session = one(connection, "SELECT min(session_id::text) FROM chatbot.session_master")
    added = one(
        connection,
        "INSERT INTO chatbot.conversations (session_id, conversation_time) VALUES (%s, now() - interval '3 days') "
        "RETURNING id",
        session,
    )
    run = graph.check("chatbot", "recent_conversations", "is_complete")
    evaluation = run.evaluation("chatbot", "recent_conversations", "is_complete")
    assert not evaluation.passed
    assert evaluation.description is not None
    assert f"- difference missing from the view, id {added}" in evaluation.description
    assert graph.materialize(dg.AssetKey(["chatbot", "recent_conversations"])).failed_checks() == set()

    connection.execute("DELETE FROM chatbot.conversations WHERE id = %s", (added,))
    run = graph.check("chatbot", "recent_conversations", "is_complete")
    description = run.evaluation("chatbot", "recent_conversations", "is_complete").description
    assert description is not None
    assert f"- difference only in the view, id {added}" in description


@pytest.mark.parametrize(("hours", "passed"), [(25.9, True), (26.1, False)])
def test_freshness_has_a_limit(hours: float, passed: bool) -> None:
    now = datetime(2024, 9, 2, tzinfo=UTC)
    assert freshness(RECENT_CONVERSATIONS, now - timedelta(hours=hours), now).passed is passed


# The schema


def test_drift_is_found(graph: Graph, connection: Connection) -> None:
    connection.execute("DROP INDEX chatbot.idx_session_master_user")
    run = graph.run("daily_upkeep")
    assert failed(run) == {"schema:schema_has_no_drift"}
    evaluation = run.evaluation("schema", "schema_has_no_drift")
    assert evaluation.severity == dg.AssetCheckSeverity.WARN
    assert evaluation.description is not None
    assert "idx_session_master_user is missing" in evaluation.description


def test_finding_shows_measure_and_limit() -> None:
    assert Finding("orphans", 0).description == "Orphans: 0 (limit 0)."
    assert metadata_of(Finding("orphans", 0, metadata={"rows": 12})) == {"count": 0, "limit": "0", "rows": 12}
    assert table_of(RECOMMENDATIONS).session_key is not None


@pytest.mark.parametrize(
    ("tolerance", "gone", "passes"),
    [(None, 2, True), (None, 3, False), ("0", 0, True), ("0", 1, False), ("0.29", 58, True), ("0.29", 59, False)],
)
def test_a_share_of_the_ids_may_name_shops_that_are_gone_and_is_counted(
    graph: Graph,
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
    *,
    tolerance: str | None,
    gone: int,
    passes: bool,
) -> None:
    """Shops close, and nobody needs a warning for each of them."""
    if tolerance is not None:
        monkeypatch.setenv("YUMAI_SOFT_REFERENCE_TOLERANCE", tolerance)
    connection.execute(
        "INSERT INTO chatbot.user_profiles (user_id, favorite_shops) VALUES (1, %s)",
        ([1] * (200 - gone) + [99] * gone,),
    )
    evaluation = graph.check("chatbot", "user_profiles", "soft_references").evaluation(
        "chatbot", "user_profiles", "soft_references"
    )
    limit = int(200 * Decimal(tolerance or "0.01"))
    assert evaluation.passed is passes
    assert evaluation.severity == dg.AssetCheckSeverity.WARN
    assert evaluation.metadata["count"].value == evaluation.metadata["favorite_shops (gone)"].value == gone
    assert evaluation.metadata["limit"].value == str(limit)
    assert str(evaluation.description).startswith(
        f"Ids in favorite_shops of chatbot.user_profiles that name a shop that is gone: {gone} (limit {limit})."
    )
