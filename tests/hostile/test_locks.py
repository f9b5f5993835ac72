"""Logins that have no business with the pipeline's locks take what they can, and keep no run from its own."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta
from threading import Barrier, Thread
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.support import every, login, one
from yumai_pipelines.model.lock_policy import LockPolicy
from yumai_pipelines.postgres.connections import OWNER_ROLE, connect
from yumai_pipelines.postgres.locks import AdvisoryLock, advisory_lock, every_advisory_lock, nobody_else
from yumai_pipelines.postgres.patience import LockNotObtainedError

if TYPE_CHECKING:
    from tests.support import Connection

IMPATIENT = LockPolicy(timedelta(milliseconds=5), timedelta(milliseconds=50))
STRANGERS = ["", "IN ROLE yumai_analyst", "IN ROLE yumai_app"]
HELD = (
    "SELECT classid, objid FROM pg_locks WHERE locktype = 'advisory' AND database = "
    "(SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY classid, objid"
)


@pytest.fixture
def owner(database: str) -> Connection:
    return connect(database, application_name="a run")


@pytest.mark.parametrize("options", STRANGERS)
def test_a_stranger_keeps_no_run_from_its_locks(
    database: str, connection: Connection, owner: Connection, options: str
) -> None:
    """They take each key that a run has shown, and others that look like one, for themselves or shared."""
    with (
        owner,
        login(connection, database, options) as url,
        psycopg.connect(url, autocommit=True) as stranger,
        connect(database, application_name="another run") as other,
    ):
        for lock in AdvisoryLock:
            stranger.execute("SELECT pg_advisory_lock(hashtext(%s), 0)", (lock.value,))
            stranger.execute("SELECT pg_advisory_lock_shared(hashtext(%s), 1)", (lock.value,))
            stranger.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", (lock.value,))
        with every_advisory_lock(owner, IMPATIENT):
            seen = every(stranger, HELD)
        for key in seen:
            stranger.execute("SELECT pg_advisory_lock(%s::int8::bit(32)::int4, %s::int8::bit(32)::int4)", key)
        for lock in AdvisoryLock:
            with advisory_lock(owner, lock, IMPATIENT):
                with pytest.raises(LockNotObtainedError) as failure, advisory_lock(other, lock, IMPATIENT):
                    raise AssertionError("two have it")
                assert [each.application_name for each in failure.value.blockers] == ["a run"]


def test_no_stranger_can_name_a_key_before_it_is_held(connection: Connection, owner: Connection) -> None:
    with owner:
        keys = set()
        for _ in range(8):
            with advisory_lock(owner, AdvisoryLock.EXTRACTS, IMPATIENT):
                keys |= set(every(connection, HELD))
    assert len(keys) == 8
    assert len({lock for lock, _ in keys}) == 1


@pytest.mark.parametrize("options", ["SUPERUSER", f"IN ROLE {OWNER_ROLE}"])
def test_a_login_of_the_pipeline_is_waited_for_and_named(
    database: str, connection: Connection, owner: Connection, options: str
) -> None:
    with (
        owner,
        login(connection, database, options) as url,
        psycopg.connect(url, autocommit=True, application_name="by hand") as other,
    ):
        other.execute("SELECT pg_advisory_lock(hashtext(%s), 1)", (AdvisoryLock.EXTRACTS.value,))
        with (
            pytest.raises(LockNotObtainedError, match=r"by hand.*advisory lock yumai_pipelines: extracts") as failure,
            advisory_lock(owner, AdvisoryLock.EXTRACTS, IMPATIENT),
        ):
            raise AssertionError("two have it")
        assert [each.pid for each in failure.value.blockers] == [other.info.backend_pid]
        with advisory_lock(owner, AdvisoryLock.ARCHIVES, IMPATIENT):
            pass


def test_a_run_in_a_database_without_the_schema_is_waited_for(empty_database: str) -> None:
    with (
        connect(empty_database, application_name="an installation", role=None) as first,
        connect(empty_database, application_name="another", role=None) as second,
        advisory_lock(first, AdvisoryLock.SCHEMA, IMPATIENT),
        pytest.raises(LockNotObtainedError, match="an installation"),
        advisory_lock(second, AdvisoryLock.SCHEMA, IMPATIENT),
    ):
        raise AssertionError("two have it")


def test_runs_that_come_at_the_same_moment_go_one_by_one(database: str) -> None:
    begin, inside, most = Barrier(4), [0], list[int]()
    policy = LockPolicy(timedelta(milliseconds=1), timedelta(seconds=60))

    def run(connection: Connection) -> None:
        begin.wait()
        for _ in range(10):
            with advisory_lock(connection, AdvisoryLock.EXTRACTS, policy):
                inside[0] += 1
                most.append(inside[0])
                one(connection, "SELECT pg_sleep(0.001)")
                inside[0] -= 1

    with ExitStack() as connections:
        runs = [
            Thread(target=run, args=(connections.enter_context(connect(database, application_name="a run")),))
            for _ in range(4)
        ]
        for each in runs:
            each.start()
        for each in runs:
            each.join()
    assert max(most) == 1
    assert len(most) == 40


def test_the_locks_have_an_order(owner: Connection) -> None:
    with owner, advisory_lock(owner, AdvisoryLock.ARCHIVES, IMPATIENT):
        with advisory_lock(owner, AdvisoryLock.PARTITIONS, IMPATIENT):
            pass
        with (
            pytest.raises(RuntimeError, match="EXTRACTS is to be taken before ARCHIVES"),
            advisory_lock(owner, AdvisoryLock.EXTRACTS, IMPATIENT),
        ):
            raise AssertionError("out of order")


def test_a_lock_whose_step_failed_is_given_back(connection: Connection, owner: Connection) -> None:
    with owner:
        with pytest.raises(ValueError, match="a step"), advisory_lock(owner, AdvisoryLock.REPAIR, IMPATIENT):
            raise ValueError("a step")
        assert every(connection, HELD) == []


def test_runs_hold_different_parts_of_a_lock_at_the_same_time(database: str, owner: Connection) -> None:
    lock = AdvisoryLock.EXTRACTS
    with owner, connect(database, application_name="another run") as other:
        with advisory_lock(owner, lock, IMPATIENT, ["2024-08", "2024-09"]):
            with advisory_lock(other, lock, IMPATIENT, ["2024-10"]), nobody_else(other, lock) as alone:
                assert not alone
            for parts in (["2024-09", "2024-10"], []):
                with (
                    pytest.raises(LockNotObtainedError) as failure,
                    advisory_lock(other, lock, IMPATIENT, parts),
                ):
                    raise AssertionError("two have it")
                assert [each.application_name for each in failure.value.blockers] == ["a run"]
        with (
            advisory_lock(owner, lock, IMPATIENT),
            pytest.raises(LockNotObtainedError, match="a run"),
            advisory_lock(other, lock, IMPATIENT, ["2024-08"]),
        ):
            raise AssertionError("a part of what another has")


def test_who_is_alone_with_parts_of_a_lock_lets_nobody_in(database: str, owner: Connection) -> None:
    lock = AdvisoryLock.EXTRACTS
    with (
        owner,
        connect(database, application_name="another run") as other,
        advisory_lock(owner, lock, IMPATIENT, ["2024-08"]),
    ):
        with (
            nobody_else(owner, lock) as alone,
            pytest.raises(LockNotObtainedError),
            advisory_lock(other, lock, IMPATIENT, ["2024-10"]),
        ):
            raise AssertionError("somebody came in")
        assert alone
        with advisory_lock(other, lock, IMPATIENT, ["2024-10"]):
            pass
