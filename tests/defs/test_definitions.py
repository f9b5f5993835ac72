"""What Dagster loads: a snapshot of the graph, which is loaded without a connection to the database."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from tests.processes import finished
from tests.support import one
from yumai_pipelines.definitions import build_definitions, defs
from yumai_pipelines.defs.resources import RESOURCES, PostgresResource
from yumai_pipelines.defs.schedules import JOBS, SCHEDULES
from yumai_pipelines.extracts.code import code_version
from yumai_pipelines.model.registry import EXTRACTS
from yumai_pipelines.schema import snapshot
from yumai_pipelines.schema.tables import SESSION_CHILDREN, TABLES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support import Connection
    from yumai_pipelines.model.relations import Relation

    Tick = Callable[[str, str, dict[str, list[str]]], list[tuple[str, str]] | str]

SEOUL = ZoneInfo("Asia/Seoul")
TAKES_ROWS_OUT = {"monthly_archive", "monthly_retention", "erase_user", "repair_orphans", "adopt_database"}
GRAPH = defs.resolve_asset_graph()
ASSETS = sorted(GRAPH.get_all_asset_keys())


def job_of(name: str) -> dg.JobDefinition:
    return defs.resolve_job_def(name)


def months_asked_for(request: dg.RunRequest) -> tuple[str, str]:
    """Return the first and the last month of a request, which takes rows out only if it is one of a schedule."""
    for op in request.run_config.get("ops", {}).values():
        options = op["config"]
        assert options["dry_run"] is False
        return f"{options['first']}-01", f"{options['last']}-01"
    return request.tags["dagster/asset_partition_range_start"], request.tags["dagster/asset_partition_range_end"]


def assets_of(job: str) -> set[str]:
    return {key.to_user_string() for key in job_of(job).asset_layer.selected_asset_keys}


def checks_of(job: str) -> set[str]:
    return {
        f"{key.asset_key.to_user_string()}:{key.name}" for key in job_of(job).asset_layer.asset_graph.asset_check_keys
    }


def test_asset_keys() -> None:
    assert {key.to_user_string() for key in ASSETS} == {
        "schema",
        "chatbot/recent_conversations",
        "chatbot/inactive_sessions",
        "chatbot/session_monitoring",
        "chatbot/archived_conversations",
        "chatbot/expired_sessions",
        "extracts/monthly_report",
        "extracts/published",
        *("/".join((table.relation.schema, table.relation.name)) for table in TABLES),
        *("/".join((extract.relation.schema, extract.relation.name)) for extract in EXTRACTS),
    }


def test_assets_of_each_job() -> None:
    assert {job.name: assets_of(job.name) for job in JOBS if job.name not in TAKES_ROWS_OUT} == {
        "install_schema": {"schema"},
        "monthly_partitions": {"chatbot/conversations"},
        "daily_upkeep": {
            "chatbot/recent_conversations",
            "chatbot/inactive_sessions",
            "chatbot/session_monitoring",
            "extracts/published",
            *("/".join((table.relation.schema, table.relation.name)) for table in TABLES if not table.partitioned),
        },
        "monthly_extracts": {
            "extracts/monthly_report",
            "extracts/published",
            *("/".join((extract.relation.schema, extract.relation.name)) for extract in EXTRACTS),
        },
    }


@pytest.mark.parametrize("job", sorted(TAKES_ROWS_OUT))
def test_what_takes_rows_out_is_launched_as_a_job_and_is_a_dry_run_by_default(job: str) -> None:
    definition = job_of(job)
    assert not definition.asset_layer.selected_asset_keys
    op = definition.nodes_in_topological_order[0].definition
    assert isinstance(op, dg.OpDefinition)
    fields = op.config_schema.config_type.fields  # type: ignore[union-attr]
    assert fields["dry_run"].default_value is True


def test_the_big_button_takes_no_rows_out() -> None:
    assert {key.to_user_string() for key in ASSETS if not GRAPH.get(key).is_executable} == {
        "chatbot/archived_conversations",
        "chatbot/expired_sessions",
    }
    roots = {key for key in ASSETS if GRAPH.get(key).is_executable and not GRAPH.get(key).parent_keys}
    # With one root that has no months, the UI asks for no months, which it could not apply to all.
    assert roots == {dg.AssetKey("schema")}


def test_checks_of_each_job() -> None:
    everything = {f"{key.asset_key.to_user_string()}:{key.name}" for key in GRAPH.asset_check_keys}
    of_extracts = {check for check in everything if check.startswith("extracts/")}
    assert checks_of("install_schema") == {
        f"schema:{name}" for name in ("schema_has_no_drift", "only_the_pipeline_creates", "clocks_agree")
    }
    assert checks_of("monthly_partitions") == {
        check for check in everything if check.startswith("chatbot/conversations:")
    }
    daily = (":has_the_last_month", ":of_the_logs_as_they_are", ":extracts_published")
    of_today = {check for check in of_extracts if check.endswith(daily)}
    assert checks_of("daily_upkeep") == everything - of_extracts | of_today
    assert checks_of("monthly_extracts") >= of_extracts | {
        f"analytics/{table}:{check}"
        for table in ("recommendations_log", "user_feedback")
        for check in ("no_orphans", "foreign_keys")
    }


def test_integrity_checks_block() -> None:
    blocking = {
        (key.asset_key.path[-1], key.name) for key in GRAPH.asset_check_keys if GRAPH.get_check_spec(key).blocking
    }
    assert blocking >= {(table.relation.name, "no_orphans") for table in SESSION_CHILDREN}
    assert blocking >= {(table.relation.name, "foreign_keys") for table in TABLES if table.foreign_keys}
    assert blocking >= {(extract.relation.name, "reconciled") for extract in EXTRACTS}


def test_schedules() -> None:
    assert {each.name: (each.job_name, each.cron_schedule) for each in SCHEDULES} == {
        "monthly_partitions_schedule": ("monthly_partitions", "0 1 * * *"),
        "daily_upkeep_schedule": ("daily_upkeep", "0 4 * * *"),
        "monthly_extracts_schedule": ("monthly_extracts", "0 2 * * *"),
        "monthly_archive_schedule": ("monthly_archive", "0 5 * * *"),
        "monthly_retention_schedule": ("monthly_retention", "0 6 * * *"),
    }
    assert {each.execution_timezone for each in SCHEDULES} == {"Asia/Seoul"}
    assert all(each.description for each in SCHEDULES)
    assert {each.name for each in SCHEDULES if each.default_status != dg.DefaultScheduleStatus.RUNNING} == {
        "monthly_archive_schedule",
        "monthly_retention_schedule",
    }


def test_months_are_seouls() -> None:
    conversations = GRAPH.get(dg.AssetKey(["chatbot", "conversations"])).partitions_def
    assert isinstance(conversations, dg.MonthlyPartitionsDefinition)
    keys = conversations.get_partition_keys(current_time=datetime(2024, 9, 30, 15, tzinfo=UTC))  # October in Seoul
    assert keys == [f"2024-{month:02}-01" for month in range(8, 13)] + ["2025-01-01"]
    window = conversations.time_window_for_partition_key("2024-09-01")
    assert window.start == datetime(2024, 8, 31, 15, tzinfo=UTC)
    funnel = GRAPH.get(dg.AssetKey(["extracts", "recommendation_funnel"])).partitions_def
    assert isinstance(funnel, dg.MonthlyPartitionsDefinition)
    assert funnel.get_partition_keys(current_time=datetime(2024, 9, 30, 15, tzinfo=UTC)) == ["2024-08-01", "2024-09-01"]


@pytest.mark.parametrize(
    "key", [key for key in ASSETS if GRAPH.get(key).is_partitioned and GRAPH.get(key).is_executable], ids=str
)
def test_a_range_of_months_is_one_run(key: dg.AssetKey) -> None:
    policy = GRAPH.get(key).backfill_policy
    assert policy is not None
    assert policy.max_partitions_per_run is None


@pytest.mark.parametrize("key", ASSETS, ids=str)
def test_every_asset_says_what_it_is(key: dg.AssetKey) -> None:
    node = GRAPH.get(key)
    assert node.description
    assert node.owners
    assert node.group_name != "default"
    assert "postgres" in node.kinds
    assert "document_section" in node.tags


RELATIONS = [table.relation for table in TABLES] + [extract.relation for extract in EXTRACTS]


@pytest.mark.parametrize("relation", RELATIONS, ids=str)
def test_every_table_shows_its_columns(relation: Relation) -> None:
    metadata = GRAPH.get(dg.AssetKey([relation.schema, relation.name])).metadata
    columns, expected = metadata["dagster/column_schema"], snapshot.columns(relation)
    assert isinstance(columns, dg.TableSchema)
    assert [column.name for column in columns.columns] == [each.name for each in expected]
    assert [column.description for column in columns.columns] == [each.description for each in expected]
    assert metadata["dagster/table_name"] == str(relation)


@pytest.mark.parametrize("key", sorted(GRAPH.asset_check_keys, key=str), ids=str)
def test_every_check_says_what_must_be_true(key: dg.AssetCheckKey) -> None:
    assert GRAPH.get_check_spec(key).description


@pytest.fixture
def tick(tmp_path: Path, database: str) -> Tick:
    """Evaluate a job's schedule at a time in Seoul, after some months of some assets have been materialized."""

    def evaluate(job: str, at: str, made: dict[str, list[str]]) -> list[tuple[str, str]] | str:
        schedule = defs.resolve_schedule_def(f"{job}_schedule")
        home = tmp_path / at
        home.mkdir()
        with dg.DagsterInstance.local_temp(str(home)) as instance:
            for asset, months in made.items():
                for month in months:
                    event = dg.AssetMaterialization(dg.AssetKey(asset.split("/")), partition=f"{month}-01")
                    instance.report_runless_asset_event(event)
            time = datetime.fromisoformat(at).replace(tzinfo=SEOUL)
            given = {"settings": RESOURCES["settings"], "postgres": PostgresResource(url=database)}
            with dg.build_schedule_context(instance, scheduled_execution_time=time, resources=given) as context:
                outcome = schedule.evaluate_tick(context)
        if outcome.skip_message:
            return outcome.skip_message
        return [months_asked_for(request) for request in outcome.run_requests or []]

    return evaluate


def test_partitions_are_asked_for_from_the_new_month_on(tick: Tick) -> None:
    made = {"chatbot/conversations": ["2024-08", "2024-09", "2024-10", "2024-11"]}
    assert tick("monthly_partitions", "2024-11-01 01:00", made) == [("2024-11-01", "2025-02-01")]


def test_a_month_that_was_missed_is_made_up_for(tick: Tick) -> None:
    made = {"chatbot/conversations": ["2024-08", "2024-10"]}
    assert tick("monthly_partitions", "2024-11-01 01:00", made) == [("2024-09-01", "2025-02-01")]
    assert tick("monthly_partitions", "2024-08-01 01:00", {}) == [("2024-08-01", "2024-11-01")]


def test_partitions_are_asked_for_on_any_day_that_one_is_missing(tick: Tick) -> None:
    made = ["2024-08", "2024-09", "2024-10", "2024-11", "2024-12", "2025-01"]
    months = {"chatbot/conversations": made}
    assert tick("monthly_partitions", "2024-10-31 01:00", months) == "Every month to 2025-01 has its partition."
    assert tick("monthly_partitions", "2024-11-02 01:00", months) == [("2024-11-01", "2025-02-01")]
    assert tick("monthly_partitions", "2025-02-15 01:00", months) == [("2025-02-01", "2025-05-01")]


def _built(connection: Connection, *months: str, purged: bool = False) -> dict[str, list[str]]:
    """Note months of all extracts as built and proven, and return them as Dagster knows them."""
    for extract in EXTRACTS:
        connection.execute(
            "INSERT INTO extracts.ledger (extract, month, row_count, source_recommendations, source_feedback, "
            "source_hash, min_group_users, code_version, checks_passed, purged_at) "
            "SELECT %s, (month || '-01')::date, 0, 0, 0, 0, 1, %s, true, CASE WHEN %s THEN now() END "
            "FROM unnest(%s::text[]) AS month",
            (extract.relation.name, code_version(extract), purged, list(months)),
        )
    return {f"extracts/{each.relation.name}": list(months) for each in EXTRACTS}


def test_extracts_are_asked_for_when_a_month_has_closed(tick: Tick, connection: Connection) -> None:
    built = _built(connection, "2024-08", "2024-09", "2024-10")
    assert tick("monthly_extracts", "2024-11-30 02:00", built) == "Every month to 2024-10 is of the logs as they are."
    assert tick("monthly_extracts", "2024-12-01 02:00", built) == [("2024-11-01", "2024-11-01")]


def test_extracts_that_were_never_built_or_are_stale_are_made_up_for(tick: Tick, connection: Connection) -> None:
    built = _built(connection, "2024-08", "2024-10", "2024-11", "2024-12")
    assert tick("monthly_extracts", "2025-02-01 02:00", built) == [
        ("2024-09-01", "2024-09-01"),
        ("2025-01-01", "2025-01-01"),
    ]
    session = one(connection, "SELECT chatbot.start_session(NULL)")
    connection.execute(
        "INSERT INTO analytics.recommendations_log (session_id, time_stamp, recommendations, recommendation_count) "
        "VALUES (%s, '2024-11-15', '[]', 0)",
        (session,),
    )
    assert tick("monthly_extracts", "2025-02-02 02:00", built) == [
        ("2024-09-01", "2024-09-01"),
        ("2024-11-01", "2024-11-01"),
        ("2025-01-01", "2025-01-01"),
    ]


def test_months_that_retention_has_deleted_from_are_left_alone(tick: Tick, connection: Connection) -> None:
    _built(connection, "2024-08", purged=True)
    assert tick("monthly_extracts", "2024-10-01 02:00", {}) == [("2024-09-01", "2024-09-01")]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE extracts.ledger SET code_version = 'another' WHERE extract = 'shop_performance'",
        "UPDATE extracts.ledger SET min_group_users = 5",
        "UPDATE extracts.ledger SET checks_passed = NULL",
        "UPDATE extracts.ledger SET checks_passed = false WHERE extract = 'score_calibration'",
        "DELETE FROM extracts.ledger WHERE extract = 'feedback_summary'",
    ],
)
def test_what_is_not_as_it_would_be_built_now_is_asked_for(tick: Tick, connection: Connection, change: str) -> None:
    built = _built(connection, "2024-08")
    connection.execute(change.encode())
    assert tick("monthly_extracts", "2024-09-15 02:00", built) == [("2024-08-01", "2024-08-01")]


def test_no_extract_is_asked_for_before_the_history_begins(tick: Tick) -> None:
    assert tick("monthly_extracts", "2024-08-01 02:00", {}) == (
        "2024-07 is before the first month of the history, 2024-08."
    )
    assert tick("monthly_extracts", "2024-09-01 02:00", {}) == [("2024-08-01", "2024-08-01")]


def test_sessions_of_months_that_have_come_of_age_are_asked_to_be_deleted(
    tick: Tick, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("YUMAI_ARCHIVE_URL")
    assert tick("monthly_retention", "2024-09-01 06:00", {}) == (
        "No month has come of age: the history begins with 2024-08."
    )
    assert tick("monthly_retention", "2024-12-01 06:00", {}) == [("2024-08-01", "2024-10-01")]
    purged = {"chatbot/expired_sessions": ["2024-08", "2024-09", "2024-10"]}
    assert (
        tick("monthly_retention", "2024-12-15 06:00", purged) == "The sessions of every month to 2024-10 are deleted."
    )
    assert tick("monthly_retention", "2025-01-01 06:00", purged) == [("2024-11-01", "2024-11-01")]
    connection.execute(
        "INSERT INTO chatbot.session_master (session_start, session_end) VALUES ('2024-09-05', '2024-09-06')"
    )
    assert tick("monthly_retention", "2025-01-02 06:00", purged) == [("2024-09-01", "2024-11-01")]


def test_retention_waits_for_archives_where_there_is_somewhere_for_them(
    tick: Tick, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YUMAI_ARCHIVE_URL", "s3://archive")
    assert tick("monthly_retention", "2025-02-01 06:00", {}) == (
        "No month has come of age: the history begins with 2024-08."
    )
    waits = " waits until its conversations are archived, by the job monthly_archive."
    archived = {"chatbot/archived_conversations": ["2024-08"]}
    assert tick("monthly_retention", "2025-04-01 06:00", {}) == f"2024-08{waits}"
    assert tick("monthly_retention", "2025-04-02 06:00", archived) == [("2024-08-01", "2024-08-01")]
    done = archived | {"chatbot/expired_sessions": ["2024-08"]}
    assert tick("monthly_retention", "2025-04-03 06:00", done) == f"2024-09{waits}"
    archived["chatbot/archived_conversations"].append("2024-09")
    assert tick("monthly_retention", "2025-04-04 06:00", archived) == [("2024-08-01", "2024-09-01")]
    # Nobody archives: the run is to say so.
    assert tick("monthly_retention", "2025-06-01 06:00", {}) == [("2024-08-01", "2024-09-01")]
    monkeypatch.setenv("YUMAI_PURGE_ARCHIVED_ONLY", "false")
    assert tick("monthly_retention", "2025-05-01 06:00", {}) == [("2024-08-01", "2025-03-01")]


def test_every_past_month_is_asked_to_be_archived(tick: Tick) -> None:
    assert tick("monthly_archive", "2025-02-28 23:59", {}) == ("No month is past yet: the history begins with 2024-08.")
    assert tick("monthly_archive", "2025-03-01 05:00", {}) == [("2024-08-01", "2024-08-01")]
    assert tick("monthly_archive", "2025-06-01 05:00", {}) == [("2024-08-01", "2024-11-01")]
    archived = {"chatbot/archived_conversations": ["2024-08", "2024-09", "2024-11"]}
    assert tick("monthly_archive", "2025-06-02 05:00", archived) == [("2024-10-01", "2024-11-01")]
    archived["chatbot/archived_conversations"].append("2024-10")
    assert tick("monthly_archive", "2025-06-03 05:00", archived) == "Every month to 2024-11 is archived."


def test_resources_can_be_replaced() -> None:
    assert build_definitions({"postgres": "something else"}).resources == {**RESOURCES, "postgres": "something else"}


def test_loading_opens_no_connection() -> None:
    """It runs in a process of its own that names a server which does not exist and cannot even make a socket."""
    program = """
import socket, subprocess
def refuse(*_, **__):
    raise AssertionError("loading the definitions opened a connection or started a process")
import dagster, psycopg
socket.socket.connect = socket.create_connection = psycopg.connect = psycopg.Connection.connect = refuse
subprocess.Popen.__init__ = refuse
from yumai_pipelines.definitions import defs
assert defs.get_repository_def().get_all_jobs()
"""
    outcome = finished(
        [sys.executable, "-W", "error", "-c", program],
        env={"YUMAI_DATABASE_URL": "postgresql://nobody:nothing@127.0.0.1:1/none", "YUMAI_HOME": "/nonexistent"},
    )
    assert outcome.returncode == 0, outcome.stderr


def test_every_run_stays_in_its_process() -> None:
    jobs = [*(job_of(job.name) for job in JOBS), defs.resolve_implicit_global_asset_job_def()]
    assert {job.executor_def.name for job in jobs} == {"in_process"}
