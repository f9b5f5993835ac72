"""Alerts: what goes wrong in a real instance of Dagster, and what somebody hears of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import pytest
from dagster._core.events import JobFailureData, RunFailureReason
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from typer.testing import CliRunner

from tests.watch.conftest import Sensor
from tests.watch.listener import Listener, listening
from yumai_pipelines.cli import app
from yumai_pipelines.definitions import defs
from yumai_pipelines.defs.watch import sensors, watches
from yumai_pipelines.defs.watch.telling import Memory
from yumai_pipelines.defs.watch.trouble import View
from yumai_pipelines.defs.watch.words import KOREAN

if TYPE_CHECKING:
    from tests.support import Connection

RUNBOOK = Path(__file__).parents[2] / "docs" / "operate.md"
CHECK = dg.AssetCheckKey(dg.AssetKey("schema"), "clocks_agree")


@pytest.fixture
def alerts(history: dg.DagsterInstance) -> Sensor:
    return Sensor("alerts", history)


def view(instance: dg.DagsterInstance, now: datetime) -> View:
    return View(instance, defs.get_repository_def(), now)


def run(
    instance: dg.DagsterInstance,
    job: str,
    *,
    fails: bool,
    months: tuple[str, str] | None = None,
    why: RunFailureReason = RunFailureReason.STEP_FAILURE,
) -> str:
    """Note a run of a job as Dagster notes one, from its start to its end."""
    names = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
    tags = dict(zip(names, months, strict=True)) if months else {}
    made = instance.create_run_for_job(defs.resolve_job_def(job), tags=tags)
    failure, success = "PIPELINE_FAILURE", "PIPELINE_SUCCESS"
    data = JobFailureData(error=None, failure_reason=why) if fails else None
    event = dg.DagsterEvent(failure if fails else success, made.job_name, event_specific_data=data)
    instance.report_dagster_event(event, made.run_id)
    return made.run_id


def evaluate(
    instance: dg.DagsterInstance, *, passed: bool, severity: str = "ERROR", partition: str | None = None
) -> None:
    instance.report_runless_asset_event(
        dg.AssetCheckEvaluation(
            asset_key=CHECK.asset_key,
            check_name=CHECK.name,
            passed=passed,
            severity=dg.AssetCheckSeverity[severity],
            description="Seconds: 90 (limit 60).\n\nWhat to do: have both keep their time by NTP.\n\nCause: none.",
            metadata={},
            partition=partition,
        )
    )


def test_a_failed_run_is_told_once_until_it_is_made_good(
    history: dg.DagsterInstance, alerts: Sensor, listener: Listener
) -> None:
    assert alerts.tick() == "No trouble."
    failed = run(history, "daily_upkeep", fails=True)
    alerts.tick()
    (heard,) = listener.heard()
    assert heard["title"] == "YUMAI: A run of daily_upkeep failed."
    assert heard["type"] == "failure"
    assert "What to do: Open the run" in heard["message"]
    assert f"See https://pipelines.example.com/runs/{failed}" in heard["message"]
    assert 'More: docs/operate.md, "failed_run"' in heard["message"]
    assert "\n실행이 실패했습니다: daily_upkeep\n할 일: 링크에서 그 실행을 여세요." in heard["message"]

    alerts.tick()
    assert listener.heard() == []
    run(history, "daily_upkeep", fails=True)
    alerts.tick()
    assert listener.heard() == []

    run(history, "daily_upkeep", fails=False)
    alerts.tick()
    (heard,) = listener.heard()
    assert (heard["title"], heard["type"]) == ("YUMAI: it is over", "success")
    assert heard["message"] == (
        "It is over: A run of daily_upkeep failed.\n해결되었습니다: 실행이 실패했습니다: daily_upkeep"
    )
    alerts.tick()
    assert listener.heard() == []


def test_a_failed_run_of_months_is_made_good_by_a_run_over_these_months(history: dg.DagsterInstance) -> None:
    def told() -> list[str]:
        return [each.what for each in watches.failed_runs(view(history, datetime.now(UTC)))]

    run(history, "monthly_extracts", fails=True, months=("2024-08-01", "2024-09-01"))
    run(history, "monthly_extracts", fails=False, months=("2024-09-01", "2024-09-01"))
    assert told() == ["A run of monthly_extracts for 2024-08 to 2024-09 failed."]
    run(history, "monthly_extracts", fails=False, months=("2024-08-01", "2024-10-01"))
    assert told() == []


def test_a_run_that_is_going_to_be_retried_is_no_trouble_yet(history: dg.DagsterInstance) -> None:
    run(history, "daily_upkeep", fails=True, why=RunFailureReason.RUN_EXCEPTION)
    assert list(watches.failed_runs(view(history, datetime.now(UTC)))) == []
    (trouble,) = watches.failed_runs(view(history, datetime.now(UTC) + timedelta(hours=1)))
    assert trouble.what == "A run of daily_upkeep failed."


def test_a_run_that_dagster_forgot_to_retry_is_told(history: dg.DagsterInstance) -> None:
    """Dagster starts the run of a backfill again only while that goes on, and says of it for ever that it will."""
    backfill = PartitionBackfill(
        "of_the_tests", BulkActionStatus.REQUESTED, from_failure=False, tags={}, backfill_timestamp=0.0
    )
    history.add_backfill(backfill)
    failed = run(history, "monthly_extracts", fails=True, why=RunFailureReason.RUN_EXCEPTION)
    history.add_run_tags(failed, dg.DagsterRun.tags_for_backfill_id("of_the_tests"))
    assert list(watches.failed_runs(view(history, datetime.now(UTC)))) == []
    history.update_backfill(backfill._replace(status=BulkActionStatus.COMPLETED_FAILED))
    (trouble,) = watches.failed_runs(view(history, datetime.now(UTC)))
    assert trouble.path == f"/runs/{failed}"


def test_each_kind_of_trouble_has_its_korean() -> None:
    assert KOREAN.keys() == set(watches.KINDS)


def test_an_alert_of_an_older_version_is_over_without_korean() -> None:
    memory = Memory.read(json.dumps({"told": {"a": {"what": "W.", "ends": True, "at": {}}}, "outages": []}))
    assert memory.told["a"].korean == ""


def test_what_lasts_is_told_again_after_a_day(history: dg.DagsterInstance, alerts: Sensor, listener: Listener) -> None:
    run(history, "daily_upkeep", fails=True)
    alerts.tick()
    assert len(listener.heard()) == 1
    content = json.loads(alerts.cursor or "")
    for each in content["told"].values():
        each["at"] = {name: at - 86_400 for name, at in each["at"].items()}
    alerts.cursor = json.dumps(content)
    alerts.tick()
    assert len(listener.heard()) == 1


def test_who_cannot_be_reached_is_told_later_and_others_are_not_told_twice(
    history: dg.DagsterInstance, alerts: Sensor, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening() as other:
        monkeypatch.setenv("YUMAI_ALERT_URLS", f"{listener.url} {other.url}")
        other.takes = False
        run(history, "daily_upkeep", fails=True)
        assert "Target 2 could not be reached" in alerts.tick()
        assert (len(listener.heard()), len(other.heard())) == (1, 0)
        assert json.loads(alerts.cursor or "")["unreachable"].keys() == {"2"}
        assert str(other.port) not in (alerts.cursor or "")
        other.takes = True
        alerts.tick()
        assert (len(listener.heard()), len(other.heard())) == (0, 1)
        assert json.loads(alerts.cursor or "")["unreachable"] == {}


def test_failed_checks_are_told_with_their_remedy(
    history: dg.DagsterInstance, alerts: Sensor, listener: Listener
) -> None:
    evaluate(history, passed=False)
    alerts.tick()
    (heard,) = listener.heard()
    assert heard["title"] == "YUMAI: The check clocks_agree of schema failed. Seconds: 90 (limit 60)."
    assert "What to do: have both keep their time by NTP." in heard["message"]
    assert "/assets/schema?view=checks&checkDetail=clocks_agree" in heard["message"]
    evaluate(history, passed=True)
    alerts.tick()
    assert [each["type"] for each in listener.heard()] == ["success"]
    evaluate(history, passed=False, severity="WARN")
    alerts.tick()
    (heard,) = listener.heard()
    assert (heard["type"], "clocks_agree of schema warns." in heard["title"]) == ("warning", True)


def test_without_targets_the_sensor_says_that_nobody_is_told(history: dg.DagsterInstance, alerts: Sensor) -> None:
    run(history, "daily_upkeep", fails=True)
    assert alerts.tick() == "1 troubles. YUMAI_ALERT_URLS names nobody, so nobody is told."


def test_an_outage_of_the_daemon_is_told_at_its_next_start(alerts: Sensor, listener: Listener) -> None:
    alerts.tick()
    content = json.loads(alerts.cursor or "")
    content["looked"] -= timedelta(days=1, hours=2).total_seconds()
    alerts.cursor = json.dumps(content)
    alerts.tick()
    (heard,) = listener.heard()
    assert "dagster-daemon did not work from " in heard["title"]
    assert "these schedules should have ticked: " in heard["message"]
    assert "daily_upkeep_schedule" in heard["message"]
    alerts.tick()
    assert listener.heard() == []


def test_a_sick_database_is_told(connection: Connection, history: dg.DagsterInstance, listener: Listener) -> None:
    sensor = Sensor(sensors.EXAMINATIONS, history)
    connection.execute("ALTER TABLE chatbot.users SET (autovacuum_enabled = false)")
    sensor.tick()
    (heard,) = listener.heard()
    assert "bloat: Autovacuum is switched off for chatbot.users." in heard["message"]
    assert "ALTER TABLE chatbot.users RESET (autovacuum_enabled);" in heard["message"]
    connection.execute("ALTER TABLE chatbot.users RESET (autovacuum_enabled)")
    sensor.tick()
    assert "It is over: bloat: Autovacuum is switched off" in listener.heard()[0]["message"]


def test_the_url_for_kakao_work_sends_what_its_webhook_takes(
    history: dg.DagsterInstance, alerts: Sensor, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The webhook of Kakao Work takes JSON with one text."""
    (row,) = [line for line in RUNBOOK.read_text("utf-8").splitlines() if line.startswith("| Kakao Work |")]
    remapped = row.split("`")[1].partition("?")[2]
    monkeypatch.setenv("YUMAI_ALERT_URLS", f"{listener.url}?{remapped}")
    run(history, "daily_upkeep", fails=True)
    alerts.tick()
    (heard,) = listener.heard()
    assert list(heard) == ["text"]
    assert heard["text"].startswith("A run of daily_upkeep failed.\nWhat to do: ")


def test_each_target_is_tried_by_a_command(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YUMAI_ALERT_URLS", f"{listener.url} nonsense://s3cret")
    tried = CliRunner().invoke(app, ["alert", "Hello"])
    assert (tried.exit_code, "s3cret" in tried.output) == (1, False)
    assert "Target 1 has taken it." in tried.output
    assert "Target 2: Apprise knows no such URL." in tried.output
    assert [each["message"] for each in listener.heard()] == ["Hello"]
    monkeypatch.setenv("YUMAI_ALERT_URLS", listener.url)
    assert CliRunner().invoke(app, ["alert"]).exit_code == 0
    monkeypatch.delenv("YUMAI_ALERT_URLS")
    assert CliRunner().invoke(app, ["alert"]).exit_code == 1
