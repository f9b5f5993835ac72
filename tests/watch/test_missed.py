"""What did not happen: schedules that did not tick, or could not be evaluated, and checks that nobody evaluated."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import InProcessCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    ScheduleInstigatorData,
    TickData,
    TickStatus,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster_shared.error import SerializableErrorInfo

from yumai_pipelines.definitions import defs
from yumai_pipelines.defs.watch import watches
from yumai_pipelines.defs.watch.trouble import View

if TYPE_CHECKING:
    import dagster as dg

SEOUL = ZoneInfo("Asia/Seoul")
NOON = datetime(2026, 3, 10, 12, tzinfo=SEOUL)
"""When somebody looks; daily_upkeep should have ticked at four."""

AT_FOUR = datetime(2026, 3, 10, 4, tzinfo=SEOUL)
LONG_AGO = datetime(2026, 1, 1, tzinfo=SEOUL)
NAME = "daily_upkeep_schedule"


class Clockwork:
    """The schedules as the daemon has noted them."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance

    def notice(
        self, name: str = NAME, since: datetime = LONG_AGO, status: InstigatorStatus = InstigatorStatus.DECLARED_IN_CODE
    ) -> None:
        """Note that the daemon has known a schedule since then."""
        definition = defs.resolve_schedule_def(name)
        assert isinstance(definition.cron_schedule, str)
        data = ScheduleInstigatorData(definition.cron_schedule, start_timestamp=since.timestamp())
        self.instance.add_instigator_state(InstigatorState(self._origin(name), InstigatorType.SCHEDULE, status, data))

    def tick(self, at: datetime, status: TickStatus = TickStatus.SUCCESS, error: str | None = None) -> None:
        """Note a tick of the schedule."""
        origin = self._origin(NAME)
        self.instance.create_tick(
            TickData(
                instigator_origin_id=origin.get_id(),
                instigator_name=NAME,
                instigator_type=InstigatorType.SCHEDULE,
                status=status,
                timestamp=at.timestamp(),
                run_ids=[],
                error=SerializableErrorInfo(error, [], None) if error else None,
                selector_id=origin.get_selector().get_id(),
            )
        )

    def told(self, at: datetime = NOON) -> dict[str, str]:
        """What the watch of the schedules finds, by kind."""
        view = View(self.instance, defs.get_repository_def(), at)
        return {each.kind: each.what for each in watches.missed_schedules(view)}

    @staticmethod
    def _origin(name: str) -> RemoteInstigatorOrigin:
        target = LoadableTargetOrigin(executable_path=sys.executable, module_name="yumai_pipelines.definitions")
        location = InProcessCodeLocationOrigin(target, location_name="yumai_pipelines")
        return RemoteInstigatorOrigin(RemoteRepositoryOrigin(location, "__repository__"), name)


@pytest.fixture
def clockwork(history: dg.DagsterInstance) -> Clockwork:
    return Clockwork(history)


def test_a_schedule_that_did_not_tick_is_told_until_it_ticks(clockwork: Clockwork) -> None:
    assert clockwork.told() == {}
    clockwork.notice()
    clockwork.tick(AT_FOUR - timedelta(days=1))
    assert clockwork.told(AT_FOUR + timedelta(minutes=20)) == {}
    assert clockwork.told() == {
        "missed_schedule": f"The schedule {NAME} should have ticked at 2026-03-10 04:00 (Asia/Seoul), and did not."
    }
    clockwork.tick(AT_FOUR, TickStatus.SKIPPED)
    assert clockwork.told() == {}


def test_a_schedule_that_was_noticed_or_switched_off_after_its_time_has_missed_nothing(clockwork: Clockwork) -> None:
    clockwork.notice(since=AT_FOUR + timedelta(hours=1))
    clockwork.notice("monthly_partitions_schedule", status=InstigatorStatus.STOPPED)
    assert clockwork.told() == {}


def test_a_schedule_that_could_not_be_evaluated_is_told(clockwork: Clockwork) -> None:
    clockwork.notice()
    clockwork.tick(AT_FOUR, TickStatus.FAILURE, "psycopg.OperationalError: no answer\nand more")
    assert clockwork.told() == {
        "failed_schedule": f"The schedule {NAME} could not be evaluated. psycopg.OperationalError: no answer"
    }


def test_checks_that_nobody_evaluated_are_told(clockwork: Clockwork) -> None:
    clockwork.notice()
    now = datetime.now(UTC)
    view = View(clockwork.instance, defs.get_repository_def(), now)
    (told,) = watches.missed_checks(view)
    assert told.key == "daily_upkeep"
    assert "checks of daily_upkeep were not evaluated since" in told.what
    assert "Launch it." in told.remedy
    clockwork_is_new = View(clockwork.instance, defs.get_repository_def(), LONG_AGO)
    assert list(watches.missed_checks(clockwork_is_new)) == []
