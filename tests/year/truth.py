"""What should be true in the year, by the memory of everything that was written, and where it is not."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from tests.extracts.oracle import differences, expected, extracted
from tests.support import every
from tests.year.world import SEOUL, USER_KEY, World
from yumai_pipelines.archives.restore import restore_month
from yumai_pipelines.model.lock_policy import LockPolicy
from yumai_pipelines.model.months import Month
from yumai_pipelines.model.registry import EXTRACTS
from yumai_pipelines.partitions import archived
from yumai_pipelines.postgres.connections import connect

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import pandas as pd


Frames = dict[str, "pd.DataFrame"]

IDS = "SELECT id FROM chatbot.conversations WHERE conversation_time >= %s AND conversation_time < %s ORDER BY id"

LATE = "SELECT month, max(late_recommendations), max(late_feedback) FROM extracts.ledger GROUP BY month"
SESSIONS = "SELECT session_id FROM chatbot.session_master"
OF_LATE = "SELECT month, max(late_recommendations), max(late_feedback) FROM extracts.ledger GROUP BY month"
SESSIONS = "SELECT id FROM chatbot.conversations WHERE id = ANY(%s) AND session_id = ANY(%s)"


class Truth:
    """Follows a world: what its extracts should hold, and what its archives should.

    A month that retention has purged is frozen: for ever it should hold what was true of it at that moment. So should
    the file of a month that was archived.
    """

    def __init__(self, world: World, first: Month) -> None:
        self._world = world
        self._first = first
        self.frozen: dict[Month, Frames] = {}
        self.frozen_at: dict[Month, datetime] = {}
        self.files: dict[Month, list[int]] = {}

    @property
    def closed(self) -> list[Month]:
        """The months that are over."""
        return list(self._first.through(Month.of(self._world.now, SEOUL) - 1))

    def follow(self) -> None:
        """See which months have been purged or archived since the last look, and keep what is true of them now."""
        world = self._world
        purged = every(world.database, "SELECT DISTINCT month FROM extracts.ledger WHERE purged_at IS NOT NULL")
        months = sorted({Month.of_day(day) for (day,) in purged} - self.frozen.keys())
        if months:
            self.frozen |= {month: frames for month, frames in self._wanted(months).items() if month in months}
            self.frozen_at |= dict.fromkeys(months, world.now)
        for month, archive in archived.read(world.database).items():
            if archive.state == "archived" and month not in self.files:
                ids = every(world.memory, IDS, month.start(SEOUL), month.end(SEOUL))
                self.files[month] = [number for (number,) in ids]

    def _wanted(self, months: Sequence[Month]) -> dict[Month, Frames]:
        """Return what the extracts of months should hold by the logs as they are."""
        minimum = int(self._world.settings.get("YUMAI_MIN_GROUP_USERS", "1"))
        whole = expected(self._world.memory, list(months[0].through(months[-1])), SEOUL, USER_KEY, minimum)
        return {month: {name: of_month(frame, month) for name, frame in whole.items()} for month in months}

    def wanted(self) -> dict[Month, Frames]:
        """Return what the extracts of all closed months should hold."""
        return {**self._wanted(self.closed), **self.frozen}

    def wrong_in_extracts(self) -> list[str]:
        """Describe each value in which the extracts of the closed months differ from what they should hold."""
        if not self.closed:
            return []
        wanted, told = self.wanted(), []
        for extract in EXTRACTS:
            name, found = extract.relation.name, extracted(self._world.database, extract)
            for month in self.closed:
                told += [
                    f"{month} {name}: {difference}"
                    for difference in differences(of_month(found, month), wanted[month][name], extract.key)
                ]
            told += [
                f"{month} {name}: is not over"
                for month in sorted({Month.of_day(day) for day in found["month"]} - set(self.closed))
            ]
        return told

    def not_counted(self, later: Sequence[tuple[datetime, str, Month]]) -> list[str]:
        """Say of which frozen months the ledger counts fewer late changes than were made, by their time and table."""
        counted = {
            Month.of_day(day): {"recommendations_log": recommendations, "user_feedback": feedback}
            for day, recommendations, feedback in every(self._world.database, LATE)
        }
        made = Counter((month, table) for at, table, month in later if at > self.frozen_at.get(month, at))
        return [
            f"{month}: {counted[month][table]} of {changes} changes of {table}"
            for (month, table), changes in made.items()
            if counted[month][table] < changes
        ]

    def wrong_in_archives(self) -> list[str]:
        """Say which months between the first and the last archived one have no file, or one with other rows."""
        archives = archived.read(self._world.database)
        told = [
            f"{month}: is {archives[month].state if month in archives else 'not archived'}"
            for month in self._first.through(max(archives, default=self._first - 1))
            if month not in archives or archives[month].state != "archived"
        ]
        for month, archive in archives.items():
            ids = pq.read_table(str(archive.uri).removeprefix("file://"), columns=["id"])["id"].to_pylist()
            if sorted(ids) != self.files[month]:
                told.append(f"{month}: the file has {len(ids)} conversations instead of {len(self.files[month])}")
        return told

    def wrong_after_restoring(self) -> list[str]:
        """Bring every archived month back, and say which has not each of its rows whose session is still there."""
        told = []
        with connect(self._world.url, application_name="test: restore") as owner:
            for month, ids in self.files.items():
                restore_month(owner, month, zone=SEOUL, policy=LockPolicy())
                there = {number for (number,) in every(self._world.database, IDS, month.start(SEOUL), month.end(SEOUL))}
                query = (
                    "SELECT c.id FROM chatbot.conversations AS c WHERE c.id = ANY(%s) AND c.session_id = ANY(%s) "
                    "AND c.user_id = ANY(%s)"
                )
                sessions = [
                    key for (key,) in every(self._world.database, "SELECT session_id FROM chatbot.session_master")
                ]
                people = [key for (key,) in every(self._world.database, "SELECT id FROM chatbot.users")]
                living = {number for (number,) in every(self._world.memory, query, ids, sessions, people)}
                if there != living:
                    told.append(f"{month}: {len(there)} conversations came back instead of {len(living)}")
        return told


def of_month(frame: pd.DataFrame, month: Month) -> pd.DataFrame:
    return frame[frame["month"] == month.first_day].reset_index(drop=True) if len(frame) else frame
