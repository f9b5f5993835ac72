"""How the time passes in the year: what happens on which day, and the table of what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

from tests.support import every
from tests.year.chatbot import Chatbot
from tests.year.truth import Truth
from tests.year.world import SEOUL, World
from yumai_pipelines.model.months import Month

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

DAY = timedelta(days=1)
NIGHT = time(0, 10), time(7, 0)
"""The chatbot goes on with yesterday's sessions at the first, and all schedules have ticked at the second."""
NOON, LATE = time(12, 30), time(23, 50)

EXPLAINED = {
    "soft_references": "shops close, and stay in the lists of what was recommended before",
    "like_the_months_before": "in some months nothing is written for weeks",
}
"""Checks that may fail, and why."""

OVERSLEPT = {"months_ahead", "has_the_last_month", "of_the_logs_as_they_are"}
"""Checks that may fail on the first day after others on which the daemon did not run: of what it has still to do."""


@dataclass(frozen=True)
class Days:
    """Some days that follow each other."""

    first: date
    last: date

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last


@dataclass(frozen=True)
class Plan:
    """A stretch of time, and what happens in it.

    Attributes:
        days: the stretch. It ends in the morning of its last day.
        settings: the settings with which it begins.
        writes_every: the chatbot writes on each so many-th day, and around each month's end.
        naps: between the second day of a month and the next month, the daemon's machine wakes up only each so many-th
            day, at seven.
        outage: days on which nothing runs, not even the server.
        without_daemon: days on which the daemon does not run.
        events: what else happens, at noon of a day.
    """

    days: Days
    settings: Mapping[str, str]
    writes_every: int = 3
    naps: int = 1
    outage: Days | None = None
    without_daemon: Days | None = None
    events: Mapping[date, Callable[[World], None]] = field(default_factory=dict)


class Life:
    """A world that lives by a plan, day by day, and what was found wrong."""

    def __init__(self, plan: Plan, world: World) -> None:
        self.plan = plan
        self.world = world
        self.chatbot = Chatbot(world, seed=14)
        self.truth = Truth(world, Month.of_day(plan.days.first))
        self.wrong: dict[date, list[str]] = {}
        self._awake: set[date] = set()

    @property
    def _dates(self) -> Iterator[date]:
        first, last = self.plan.days.first, self.plan.days.last
        yield from (first + DAY * number for number in range((last - first).days + 1))

    def live(self) -> None:
        for day in self._dates:
            self._change_what_runs(day)
            if self.world.runs_server:
                self._pass(day)

    def _change_what_runs(self, day: date) -> None:
        world, plan = self.world, self.plan
        out, alone = (span is not None and day in span for span in (plan.outage, plan.without_daemon))
        if world.runs_daemon and (out or alone):
            world.stop_daemon()
        if world.runs_server and out:
            world.stop_server()
        if not world.runs_server and not out:
            world.go_to(at(day, time(0, 1)))
            world.start_server()
            world.connect()
        if not world.runs_daemon and not (out or alone):
            world.go_to(at(day, time(0, 2)))
            world.start_daemon()
            world.look()
            self.truth.follow()

    def _pass(self, day: date) -> None:
        world, plan = self.world, self.plan
        dawn, morning = (at(day, each) for each in NIGHT)
        if day.day == 1:
            world.go_to(dawn)
            self.chatbot.go_on()
        if world.runs_daemon:
            if plan.naps == 1 or day.day <= 2:
                self._awake.add(day)
                for _ in world.tick_until(morning):
                    self.truth.follow()
            elif day.toordinal() % plan.naps == 0:
                world.go_to(morning)
                world.look()
                self.truth.follow()
            if day.day == 2 and (wrong := self.truth.wrong_in_extracts()):
                self.wrong[day] = wrong
        if day < plan.days.last:
            self._write(day)

    def _write(self, day: date) -> None:
        world, plan = self.world, self.plan
        if event := plan.events.get(day):
            world.go_to(at(day, NOON))
            event(world)
        if day.toordinal() % plan.writes_every == 0:
            world.go_to(at(day, NOON))
            self.chatbot.write()
        if (day + DAY).day == 1:
            world.go_to(at(day, LATE))
            self.chatbot.write()
            self.chatbot.leave_open()

    def unexplained(self) -> list[tuple[str, str, str]]:
        """Return the failed checks that should not have failed: when, which, and what they say."""
        return [
            (run.at, check, said)
            for run in self.world.runs
            for check, said in run.failed_checks.items()
            if (name := check.rpartition(":")[2]) not in EXPLAINED
            and (name not in OVERSLEPT or run.day - DAY in self._awake)
        ]


def at(day: date, moment: time) -> datetime:
    """Return a moment of a day in Seoul."""
    return datetime.combine(day, moment, SEOUL)


HEADER = (
    "month", "written", "extracts", "purged", "ratings", "extracts", "late", "archived", "runs", "failed", "red checks",
)  # fmt: skip

COUNTS = """
SELECT
    l.month,
    coalesce(sum(o.recommendations), 0)::bigint,
    coalesce(sum(o.ratings), 0)::bigint,
    max(l.purged_recommendations),
    max(l.late_recommendations + l.late_feedback)
FROM extracts.ledger AS l
LEFT JOIN (
    SELECT month, count(*) AS recommendations, sum(rating_count) AS ratings
    FROM extracts.recommendation_outcomes GROUP BY month
) AS o ON o.month = l.month
WHERE l.extract = 'recommendation_outcomes'
GROUP BY l.month
"""


def table(life: Life) -> str:
    """Tell of each month what was written of it and is in the extracts, was purged and archived; and what ran in it."""
    world, written = life.world, life.chatbot.written
    extracted = {Month.of_day(day): counts for day, *counts in every(world.database, COUNTS)}
    rows: list[tuple[object, ...]] = [HEADER]
    for month in life.truth.closed:
        made, rated, purged, late = extracted.get(month, (0, 0, 0, 0))
        of_month = [run for run in world.runs if Month.of_day(run.day) == month]
        rows.append(
            (
                month,
                written["recommendations_log", month],
                made,
                purged,
                written["ratings", month],
                rated,
                late,
                len(life.truth.files.get(month, [])),
                len(of_month),
                sum(not run.success for run in of_month),
                sum(len(run.failed_checks) for run in of_month),
            )
        )
    return "\n".join("  ".join(f"{cell!s:>9}" for cell in row) for row in rows)
