from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from yumai_pipelines.model.months import Month, fixed

SEOUL = ZoneInfo("Asia/Seoul")
NEW_YORK = ZoneInfo("America/New_York")
MOMENT = timedelta(microseconds=1)
ZONES = sorted(available_timezones())
MONTHS = st.builds(Month, st.integers(1840, 2200), st.integers(1, 12))


def test_month_begins_at_seoul_midnight() -> None:
    assert Month(2024, 9).start(SEOUL) == datetime(2024, 8, 31, 15, tzinfo=UTC)
    assert Month(2024, 9).end(SEOUL) == Month(2024, 10).start(SEOUL)


def test_instant_belongs_to_the_month_of_its_local_date() -> None:
    assert Month.of(datetime(2024, 8, 31, 15, tzinfo=UTC), SEOUL) == Month(2024, 9)
    assert Month.of(datetime(2024, 8, 31, 14, 59, 59, tzinfo=UTC), SEOUL) == Month(2024, 8)


def test_naive_instant_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        Month.of(datetime(2024, 8, 31, tzinfo=UTC).replace(tzinfo=None), SEOUL)


def test_daylight_saving_time_moves_the_bound() -> None:
    assert Month(2024, 3).start(NEW_YORK) == datetime(2024, 3, 1, 5, tzinfo=UTC)
    assert Month(2024, 3).end(NEW_YORK) == datetime(2024, 4, 1, 4, tzinfo=UTC)


@given(st.sampled_from(ZONES), MONTHS)
@example("America/Asuncion", Month(2023, 10))  # no midnight
@example("America/Havana", Month(2012, 4))
@example("Asia/Damascus", Month(2011, 4))
@example("America/Havana", Month(2020, 11))  # two midnights
@example("Pacific/Apia", Month(2012, 1))  # no 30 December
@example("Asia/Manila", Month(1845, 1))  # no last of December
@example("Africa/Monrovia", Month(1972, 5))  # offsets in seconds
def test_months_of_every_zone_tile_and_know_their_instants(name: str, month: Month) -> None:
    zone = ZoneInfo(name)
    start, end = month.start(zone), month.end(zone)
    assert start < end
    assert end == (month + 1).start(zone) == fixed(end.astimezone(zone), zone)
    assert end - start == end.astimezone(UTC) - start.astimezone(UTC)
    for instant in (start, start + MOMENT, end - MOMENT):
        assert {Month.of(instant.astimezone(each), zone) for each in (UTC, zone, SEOUL)} == {month}
    assert start.astimezone(zone).date() >= date(month.year, month.number, 1)
    assert start == start.astimezone(UTC)


def test_a_month_without_a_midnight_begins_at_one() -> None:
    start = Month(2023, 10).start(ZoneInfo("America/Asuncion"))
    assert str(start) == "2023-10-01 01:00:00-03:00"


@pytest.mark.parametrize(
    ("month", "steps", "expected"),
    [
        ("2024-12", 1, "2025-01"),
        ("2025-01", -1, "2024-12"),
        ("2024-02", 12, "2025-02"),
        ("2024-08", -20, "2022-12"),
    ],
)
def test_adding_months_crosses_years(month: str, steps: int, expected: str) -> None:
    assert (Month.parse(month) + steps).key == expected


def test_range_includes_both_ends() -> None:
    months = Month(2024, 11).through(Month(2025, 2))
    assert [month.suffix for month in months] == ["2024_11", "2024_12", "2025_01", "2025_02"]


@pytest.mark.parametrize("text", ["2024", "2024-13", "2024-00", "2024-08-02", "August", ""])
def test_what_is_no_month_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="write YYYY-MM"):
        Month.parse(text)
