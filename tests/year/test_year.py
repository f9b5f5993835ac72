"""A year while nobody watches: extracts are right, months are archived and purged in time, and nothing swells.

`make test` lives two months of it, with a daemon that sleeps most of the time. `make year` lives all fourteen: for
three weeks nothing runs, then there is no daemon for a month, the settings change, and a version with a migration is
deployed. Both log what came of each month.
"""

from __future__ import annotations

import logging
from collections import Counter
from datetime import date, time, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.packaging.adding import copy_and_follow
from tests.year import growth
from tests.year.life import Days, Life, Plan, at, table
from tests.year.world import SEOUL, World
from yumai_pipelines.model.calendar import oldest_kept
from yumai_pipelines.model.months import Month

if TYPE_CHECKING:
    from collections.abc import Iterator

TOLD = logging.getLogger(__name__)

# One worker lives the life, and looks at it.
pytestmark = pytest.mark.xdist_group("year")


def change_settings(world: World) -> None:
    """From now on, groups of fewer than three users are merged, and months leave as soon as they may.

    From then on, recommendations are still chosen from and rated when their month is purged.
    """
    world.settings |= {"YUMAI_MIN_GROUP_USERS": "3", "YUMAI_MONTHS_KEPT": "1"}
    world.restart_daemon()


def deploy(world: World) -> None:
    """Deploy a version with another extract, another table with a session and another view: that of docs/adding.md."""
    world.code = copy_and_follow(world.home / "next-version")
    world.stop_daemon()
    world.install()
    world.start_daemon()


PLANS = {
    "sample": Plan(
        Days(date(2067, 8, 1), date(2067, 10, 2)),
        {"YUMAI_MONTHS_KEPT": "1", "YUMAI_SESSION_DAYS": "7"},
        naps=15,
    ),
    "whole": Plan(
        Days(date(2067, 8, 1), date(2068, 10, 2)),
        {"YUMAI_MONTHS_KEPT": "3"},
        outage=Days(date(2067, 11, 20), date(2067, 12, 10)),
        without_daemon=Days(date(2068, 2, 1), date(2068, 2, 29)),
        events={date(2068, 4, 15): change_settings, date(2068, 6, 10): deploy},
    ),
}


@pytest.fixture(scope="module")
def life(pytestconfig: pytest.Config) -> Iterator[Life]:
    """A life that is over; its world still runs."""
    plan = PLANS[pytestconfig.getoption("--year")]
    with World.begin(at(plan.days.first, time.min), **plan.settings) as world:
        life = Life(plan, world)
        life.live()
        TOLD.info("\n%s", table(life))
        yield life


def test_no_run_and_no_tick_failed(life: Life) -> None:
    assert [(run.job, run.at, run.months, run.errors) for run in life.world.runs if not run.success] == []
    assert life.world.errors == []


def test_on_the_second_day_of_each_month_and_at_the_end_every_extract_was_right(life: Life) -> None:
    assert life.wrong == {}
    assert life.truth.wrong_in_extracts() == []


def test_every_failed_check_is_explained(life: Life) -> None:
    assert life.unexplained() == []


def test_what_came_of_age_was_purged(life: Life) -> None:
    kept = oldest_kept(life.world.now, SEOUL, int(life.world.settings["YUMAI_MONTHS_KEPT"]))
    assert set(life.truth.frozen) == set(life.truth.closed[0].through(kept - 1))
    assert growth.sessions_before(life.world, kept) == 0


def test_what_came_to_purged_months_is_counted(life: Life) -> None:
    assert life.truth.not_counted(life.chatbot.came_later) == []


def test_nothing_swells(life: Life) -> None:
    world, months = life.world, life.truth.closed
    settings = world.pipelines_settings
    # Those kept, the current one, those ahead, and the default partition.
    assert growth.partitions(world) == settings.months_kept + 1 + settings.months_ahead + 1
    assert growth.old_ticks(world) == []
    # Events of the time that Dagster keeps: as many for each run at the end as in the beginning. Older ones are gone,
    # but for the latest of each month and check.
    kept_from = Month.of(world.now - timedelta(days=settings.history_days), SEOUL)
    runs = Counter(Month.of_day(run.day) for run in world.runs)
    noted = [growth.events(world, month) / runs[month] for month in months if runs[month] and month > kept_from]
    assert noted[-1] <= 1.5 * noted[0]
    gone = [growth.events(world, month) / runs[month] for month in months if runs[month] and month < kept_from - 1]
    assert all(few < 0.1 * noted[0] for few in gone)
    assert growth.bloat(world) < 2


def test_archived_months_follow_each_other_and_come_back(life: Life) -> None:
    assert life.truth.wrong_in_archives() == []
    assert life.truth.wrong_after_restoring() == []
