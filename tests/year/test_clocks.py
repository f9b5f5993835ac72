"""Clocks that jump, or disagree: nothing is lost, built twice or deleted too early, and it is said."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.support import one
from tests.year.chatbot import Chatbot
from tests.year.truth import Truth
from tests.year.world import SEOUL, Run, World
from yumai_pipelines.model.months import Month

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.xdist_group("clocks")

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
FIRST = Month(2067, 8)
AGREE = "schema:clocks_agree"
SESSIONS = "SELECT count(*) FROM chatbot.session_master"
CONVERSATIONS = "SELECT count(*) FROM chatbot.conversations"


class Scene:
    """A world that the tests of this file share. Each of them takes its next month."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.chatbot = Chatbot(world, seed=7)
        self.truth = Truth(world, FIRST)
        self._month = FIRST

    def next_month(self) -> Month:
        """Let the chatbot write in the next month, until its last minutes, and return the month."""
        month, self._month = self._month, self._month + 1
        self.world.put_server_ahead(timedelta(0))
        for instant in (month.start(SEOUL) + 10 * DAY, month.start(SEOUL) + 20 * DAY, month.end(SEOUL) - 10 * MINUTE):
            self.world.go_to(instant)
            self.chatbot.write()
        self.chatbot.leave_open()
        return month

    def until(self, instant: datetime) -> list[Run]:
        """Let the daemon work until an instant, and return its runs."""
        runs = [run for looked in self.world.tick_until(instant) for run in looked]
        self.truth.follow()
        return runs


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with World.begin(FIRST.start(SEOUL), YUMAI_MONTHS_KEPT="2") as world:
        yield Scene(world)


@pytest.mark.parametrize(
    "ahead",
    [timedelta(minutes=7), pytest.param(timedelta(minutes=-7), marks=pytest.mark.whole_year)],
    ids=["ahead", "behind"],
)
def test_a_server_whose_clock_differs_by_minutes_at_the_end_of_a_month(scene: Scene, ahead: timedelta) -> None:
    world, month = scene.world, scene.next_month()
    midnight = month.end(SEOUL)
    world.put_server_ahead(ahead)
    world.go_to(midnight + MINUTE)
    runs = world.run("monthly_extracts", month, month)
    # By a server's clock that is behind, this is still written in the month that has just been built.
    scene.chatbot.write()
    scene.chatbot.go_on()
    runs += scene.until(midnight + 3 * HOUR)
    assert [run for run in runs if not run.success] == []
    assert {run.job for run in runs if AGREE in run.failed_checks} == {"daily_upkeep"}
    assert scene.truth.wrong_in_extracts() == []


@pytest.mark.whole_year
def test_clocks_that_are_put_back_an_hour(scene: Scene) -> None:
    month = scene.next_month()
    night = month.end(SEOUL)
    first = scene.until(night + 2.5 * HOUR)
    scene.world.go_to(night + 1.5 * HOUR)
    # What the chatbot writes now has an earlier time than the build of the month.
    scene.chatbot.write()
    scene.chatbot.go_on()
    again = scene.until(night + 3 * HOUR)
    assert [run for run in first + again if not run.success] == []
    built = [run for run in first + again if run.job == "monthly_extracts" and month.key in run.months]
    assert len(built) == 1
    scene.until(night + DAY + 3 * HOUR)
    assert scene.truth.wrong_in_extracts() == []


@pytest.mark.whole_year
def test_clocks_that_are_put_forward_a_day_and_right_again(scene: Scene) -> None:
    """The daemon does what is to be done on the first of a month before the month before it is over."""
    world, month = scene.world, scene.next_month()
    world.go_to(world.now + DAY)
    early = world.look()
    world.go_to(month.end(SEOUL) - 5 * MINUTE)
    scene.chatbot.write()
    runs = early + scene.until(month.end(SEOUL) + DAY + 5 * HOUR)
    assert [run for run in runs if not run.success] == []
    # Dagster looks at no time twice. It goes on when the clock is where it was before.
    assert [run.day.day for run in runs if run.job == "daily_upkeep"] == [1, 2]
    assert scene.truth.wrong_in_extracts() == []


def test_a_pipeline_whose_clock_is_a_year_ahead_takes_nothing_away(scene: Scene) -> None:
    world = scene.world
    scene.next_month()
    sessions, conversations = (one(world.database, count) for count in (SESSIONS, CONVERSATIONS))
    purged = set(scene.truth.frozen)
    world.clock.put(timedelta(days=365))
    runs = world.look()
    scene.truth.follow()
    assert {run.job for run in runs if not run.success} == {"monthly_archive", "monthly_retention"}
    assert AGREE in next(run for run in runs if run.job == "daily_upkeep").failed_checks
    assert [one(world.database, count) for count in (SESSIONS, CONVERSATIONS)] == [sessions, conversations]
    assert set(scene.truth.frozen) == purged
