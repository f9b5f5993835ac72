"""Generates the rows of the demonstration: a world, and what happens in it month after month.

It uses no clock and no database: the same size, seed and end give the same rows. The rows come in chunks, so that
memory never holds all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from yumai_pipelines.demo.batches import Batch, Numbers, Period
from yumai_pipelines.demo.columns import DAY, HOUR, SECOND, Floats, Ints
from yumai_pipelines.demo.conversations import conversation_rows, nlu_rows, session_rows
from yumai_pipelines.demo.feedback import feedback_rows
from yumai_pipelines.demo.interactions import interaction_rows
from yumai_pipelines.demo.orders import order_batches
from yumai_pipelines.demo.recommendation_rows import recommendation_rows
from yumai_pipelines.demo.stretch import Stretch, happen
from yumai_pipelines.demo.world import make_world, world_batches
from yumai_pipelines.model.months import Month

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

SESSIONS_AT_ONCE = 8192
"""About so many sessions have their rows in memory at once, whatever the size of the demonstration."""

_WORKDAY = (2, 1, 1, 1, 1, 2, 4, 9, 10, 9, 12, 34, 40, 22, 11, 10, 13, 26, 38, 34, 22, 15, 9, 5)
_WEEKEND = (5, 3, 2, 1, 1, 1, 2, 4, 8, 13, 19, 28, 35, 31, 22, 19, 22, 34, 44, 39, 27, 20, 14, 9)
"""Sessions by hour of the day. They peak at lunch and dinner, and later at the weekend."""

_WEEKDAYS = (0.92, 0.90, 0.95, 1.0, 1.25, 1.1, 0.9)
"""Sessions by day of the week, from Monday."""

_GROWTH_A_MONTH = 1.05


@dataclass(frozen=True)
class Size:
    """How much data is made.

    Attributes:
        sessions: number of sessions; each has four turns on average.
        months: number of months, the current one included.
        seed: start of the random numbers. Another seed makes other data.
    """

    sessions: int = 5000
    months: int = 8
    seed: int = 1

    def __post_init__(self) -> None:
        """Refuse a size without sessions or months.

        Raises:
            ValueError: there would be no session or no month.
        """
        if self.sessions < 1 or self.months < 1:
            raise ValueError(f"{self.sessions} sessions in {self.months} months are no data; give 1 or more of each")

    def first_month(self, until: datetime, zone: ZoneInfo) -> Month:
        """Return the first month, if the last one is that of `until`."""
        return Month.of(until, zone) - (self.months - 1)


@dataclass(frozen=True)
class Chunk:
    """The rows of a stretch of time: the number of its sessions, and batches in the order that foreign keys need."""

    sessions: int
    batches: tuple[Batch, ...]


def generate(size: Size, *, until: datetime, zone: ZoneInfo) -> Iterator[Chunk]:
    """Generate all rows: first the world, then what happens in its sessions, in the order of their start.

    Args:
        size: how much data to make.
        until: the present; nothing happens later. Must be aware.
        zone: the business's time zone. People live by its days and weeks.

    Raises:
        ValueError: `until` is naive.
    """
    rng = np.random.default_rng(size.seed)
    since = size.first_month(until, zone).start(zone)
    period = Period(_microseconds(since), _microseconds(until))
    world = make_world(rng, period, size.sessions)
    yield Chunk(0, tuple(world_batches(rng, world)))
    hours, shares = _rhythm(period, zone)
    counts = rng.multinomial(size.sessions, shares)
    stretches = np.cumsum(counts) // SESSIONS_AT_ONCE
    numbers = Numbers()
    for stretch in np.unique(stretches):
        chosen = np.repeat(hours, np.where(stretches == stretch, counts, 0))
        if len(chosen):
            room = np.minimum(period.until - chosen, HOUR)
            starts = np.sort(chosen + (rng.random(len(chosen)) * room).astype(np.int64))
            yield Chunk(len(starts), _rows(rng, happen(rng, world, starts, numbers), numbers))


def _microseconds(instant: datetime) -> int:
    return int(instant.astimezone(UTC).timestamp()) * SECOND


def _rhythm(period: Period, zone: ZoneInfo) -> tuple[Ints, Floats]:
    """Return the hours of the period and their shares of the sessions.

    The shares follow the hour of the day and the day of the week, and grow from month to month.
    """
    hours = np.arange(period.since, period.until + 1, HOUR)  # there is one even if the period is a single instant
    local = [datetime.fromtimestamp(int(hour) // SECOND, zone) for hour in hours]
    day = np.array([(_WEEKEND if each.weekday() >= 5 else _WORKDAY)[each.hour] for each in local])
    week = np.array([_WEEKDAYS[each.weekday()] for each in local])
    growth = _GROWTH_A_MONTH ** ((hours - period.since) / (30 * DAY))
    part = np.minimum(period.until + 1 - hours, HOUR) / HOUR
    shares: Floats = day * week * growth * part
    return hours, shares / shares.sum()


def _rows(rng: np.random.Generator, stretch: Stretch, numbers: Numbers) -> tuple[Batch, ...]:
    """Make the rows of all tables from what happened in a stretch of time."""
    feedback = feedback_rows(rng, stretch, numbers)
    return (
        session_rows(rng, stretch),
        conversation_rows(rng, stretch),
        recommendation_rows(rng, stretch),
        feedback,
        interaction_rows(rng, stretch, feedback, numbers),
        nlu_rows(rng, stretch, numbers),
        *order_batches(rng, stretch, numbers),
    )
