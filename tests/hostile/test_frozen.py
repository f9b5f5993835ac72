"""Runs that are stopped in the middle, or too slow: whoever waits for them goes on, and a sound run is run again."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import psycopg
import pytest

from tests.graph import Graph, months
from tests.processes import PATIENCE, started
from tests.support import Connection, every, one, wait_until
from yumai_pipelines.model.lock_policy import LockPolicy
from yumai_pipelines.model.registry import CONVERSATIONS
from yumai_pipelines.partitions import ensure
from yumai_pipelines.postgres import transactions
from yumai_pipelines.postgres.connections import connect
from yumai_pipelines.postgres.endings import EndedError
from yumai_pipelines.postgres.locks import LockMode, TableLock
from yumai_pipelines.postgres.transactions import FrozenError, PatientTransactions, carry_on
from yumai_pipelines.schema import migrate
from yumai_pipelines.schema.upgrade import upgrade
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    import sqlalchemy

FREEZES = """
import os, signal, sys
from yumai_pipelines.model.lock_policy import LockPolicy
from yumai_pipelines.model.registry import CONVERSATIONS
from yumai_pipelines.postgres.connections import connect
from yumai_pipelines.postgres.locks import LockMode, TableLock
from yumai_pipelines.postgres.transactions import PatientTransactions, carry_on

runs = []

def run():
    runs.append("run")
    with connect(sys.argv[1], application_name="test: freezes") as owner:
        def freeze():
            if len(runs) == 1:
                os.kill(os.getpid(), signal.SIGSTOP)
            owner.execute("SELECT 1")
        locks = [TableLock(CONVERSATIONS, LockMode[sys.argv[2]])]
        PatientTransactions(owner, LockPolicy()).run("freeze", locks, freeze)

carry_on(run)
print(*runs)
"""
pytestmark = pytest.mark.usefixtures("short_pauses")

WRITERS_LOCK = [TableLock(CONVERSATIONS, LockMode.SHARE_ROW_EXCLUSIVE)]
KNOWS_TRANSACTION_TIMEOUT = 170000


def slow_once(monkeypatch: pytest.MonkeyPatch, module: object, name: str) -> list[float]:
    """Let a function of ours take longer than a run may do nothing; the first time, and never again."""
    do: Callable[..., object] = getattr(module, name)
    calls = list[float]()

    def slowly(*arguments: object) -> object:
        calls.append(time.monotonic())
        if len(calls) == 1:
            time.sleep(1.3)
        return do(*arguments)

    monkeypatch.setattr(module, name, slowly)
    return calls


@pytest.mark.parametrize("mode", ["SHARE_ROW_EXCLUSIVE", "ACCESS_EXCLUSIVE"])
def test_writers_go_on_while_a_run_is_frozen_and_it_is_run_again(database: str, mode: str) -> None:
    with started(
        [sys.executable, "-c", FREEZES, database, mode], cwd=Path(__file__).parents[2], stdout=subprocess.PIPE
    ) as frozen:
        wait_until(lambda: psutil.Process(frozen.pid).status() == psutil.STATUS_STOPPED)
        with psycopg.connect(database, options="-c statement_timeout=20s") as writer:
            writer.execute("LOCK TABLE chatbot.conversations IN ROW EXCLUSIVE MODE")
        frozen.send_signal(signal.SIGCONT)
        output, _ = frozen.communicate(timeout=PATIENCE)
    assert output.split() == ["run", "run"]


def test_a_run_that_is_frozen_each_time_says_so() -> None:
    runs = []

    def run() -> None:
        runs.append("run")
        raise FrozenError(f"run {len(runs)}")

    with pytest.raises(FrozenError, match="run 4"):
        carry_on(run)


def test_a_statement_that_stops_writers_for_long_is_ended(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transactions, "STOPPING_WRITERS_STATEMENT", timedelta(milliseconds=100))
    with connect(database, application_name="test") as owner:
        attempt = PatientTransactions(owner, LockPolicy(timedelta(milliseconds=10)))
        with pytest.raises(FrozenError, match=r"Step 'sleep' .* took 0\.11 s, and writers may have waited"):
            attempt.run("sleep", WRITERS_LOCK, lambda: owner.execute("SELECT pg_sleep(60)"))
        assert one(owner, "SHOW statement_timeout") == "0"
        attempt.run("sleep", [], lambda: owner.execute("SELECT pg_sleep(0.3)"))


def test_a_transaction_of_many_short_statements_is_bounded_where_the_server_counts_it(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transactions, "STOPPING_WRITERS", timedelta(milliseconds=1200))

    def work() -> None:
        for _ in range(15):
            owner.execute("SELECT pg_sleep(0.1)")

    with connect(database, application_name="test") as owner:
        monkeypatch.setattr(transactions, "STOPPING_WRITERS_STATEMENT", timedelta(seconds=1))
        attempt = PatientTransactions(owner, LockPolicy(timedelta(milliseconds=10)))
        attempt.run("sleep", [], work)
        counted = owner.info.server_version >= KNOWS_TRANSACTION_TIMEOUT
        ended = pytest.raises(FrozenError, match=r"Step 'sleep' was undone.*longer than transaction_timeout")
        with ended if counted else nullcontext():
            attempt.run("sleep", WRITERS_LOCK, work)
        assert owner.closed is counted


def test_dagster_runs_a_step_again_on_a_machine_that_is_slow_for_a_while(
    graph: Graph, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = slow_once(monkeypatch, ensure, "attach")
    assert graph.run("monthly_partitions", months("2024-08", "2024-09")).success
    assert len(calls) == 3
    parent = "SELECT FROM pg_inherits WHERE inhparent = 'chatbot.conversations'::regclass"
    assert len(every(connection, parent)) == 3


def test_an_upgrade_is_run_again_on_a_machine_that_is_slow_for_a_while(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = slow_once(monkeypatch, migrate, "_run")
    report = upgrade(empty_database, Settings())
    assert len(calls) == len(report.migrations) + 1
    assert report.drift == ()


def test_an_upgrade_whose_connection_is_ended_says_by_whom(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(connection: sqlalchemy.Connection, *_: object) -> None:
        with psycopg.connect(empty_database, autocommit=True) as admin:
            end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE state = 'idle in transaction' "
            assert every(admin, end + "AND datname = current_database()") == [(True,)]
        connection.exec_driver_sql("SELECT 1")

    monkeypatch.setattr(migrate, "_run", end)
    with pytest.raises(EndedError, match=r"by somebody with pg_terminate_backend.*Run again"):
        upgrade(empty_database, Settings())
