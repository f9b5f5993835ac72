"""How adoption runs its steps: whom they wait for, and which run at once."""

from __future__ import annotations

import time
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql

from tests.clients import in_background, wait_until_waiting
from tests.support import Connection, one
from yumai_pipelines.adoption.steps import StepRecord, Steps, exclusively, stopping_writers
from yumai_pipelines.model.lock_policy import LockPolicy
from yumai_pipelines.model.registry import CONVERSATIONS, FEEDBACK
from yumai_pipelines.postgres.connections import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

POLICY = LockPolicy(lock_timeout=timedelta(milliseconds=100), patience=timedelta(seconds=60))


@pytest.fixture
def records() -> list[StepRecord]:
    return []


@pytest.fixture
def steps(database: str, records: list[StepRecord]) -> Iterator[Steps]:
    with Steps(partial(connect, database, application_name="test: adoption"), POLICY, records.append) as steps:
        yield steps


def test_a_vacuum_is_waited_for_before_writers_are_stopped(
    database: str, connection: Connection, steps: Steps, records: list[StepRecord]
) -> None:
    locks = [*stopping_writers(CONVERSATIONS), *exclusively(FEEDBACK)]
    with psycopg.connect(database) as vacuum:
        vacuum.execute("LOCK TABLE analytics.user_feedback IN SHARE UPDATE EXCLUSIVE MODE")
        with in_background(partial(steps.briefly, "nothing", locks, [sql.SQL("SELECT 1")])):
            wait_until_waiting(connection, steps.connection.info.backend_pid)
            time.sleep(3 * POLICY.lock_timeout.total_seconds())
            vacuum.commit()
    assert [each.step for each in records] == ["nothing"]
    assert records[0].took > 3 * POLICY.lock_timeout
    assert records[0].stopped_writers < POLICY.lock_timeout


def test_what_is_done_at_once_ends_as_soon_as_one_task_fails(steps: Steps, connection: Connection) -> None:
    asleep = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)' AND state = 'active'"

    def sleep(lane: Steps) -> None:
        lane.gently("sleep", sql.SQL("SELECT pg_sleep(600)"))

    def fail(_: Steps) -> None:
        while not one(connection, asleep):
            time.sleep(0.01)
        raise ValueError("it fails")

    started = time.monotonic()
    with pytest.raises(ValueError, match="it fails"):
        steps.at_once([sleep, fail, sleep, sleep])
    assert time.monotonic() - started < 60
    assert one(connection, asleep) == 0


def test_what_is_done_at_once_is_done_on_connections_of_its_own(steps: Steps) -> None:
    def pid(lane: Steps) -> int:
        return lane.connection.info.backend_pid

    pids = steps.at_once([pid] * 4)
    assert len(pids) == 4
    assert steps.connection.info.backend_pid not in pids
