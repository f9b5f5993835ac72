"""Whoever cancels a statement or ends a connection in the middle of a step is told from whoever holds a lock."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.support import every
from yumai_pipelines.model.lock_policy import LockPolicy
from yumai_pipelines.model.relations import Relation
from yumai_pipelines.postgres.connections import connect
from yumai_pipelines.postgres.endings import EndedError, explain
from yumai_pipelines.postgres.locks import LockMode, TableLock
from yumai_pipelines.postgres.patience import LockNotObtainedError
from yumai_pipelines.postgres.side_by_side import side_by_side
from yumai_pipelines.postgres.transactions import FrozenError, PatientTransactions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.graph import Graph
    from tests.support import Connection

POLICY = LockPolicy(timedelta(milliseconds=50), timedelta(seconds=0.5))
SHARED = [TableLock(Relation("chatbot", "users"), LockMode.ACCESS_SHARE)]
USERS = [TableLock(Relation("chatbot", "users"), LockMode.ACCESS_EXCLUSIVE)]


@contextmanager
def meanwhile(admin: Connection, act: str, query: str = "pg_sleep") -> Iterator[None]:
    """Do something to the sessions of this database that run a query, again and again."""
    over = threading.Event()

    def call() -> None:
        while not over.wait(0.01):
            every(
                admin,
                f"{act} FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
                "AND query LIKE '%%' || %s || '%%' AND state = 'active'",
                query,
            )

    thread = threading.Thread(target=call)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


CANCEL, END = "SELECT pg_cancel_backend(pid)", "SELECT pg_terminate_backend(pid)"


def test_a_step_that_is_cancelled_each_time_says_so(database: str, connection: Connection) -> None:
    with connect(database, application_name="test") as owner, meanwhile(connection, CANCEL):
        transactions = PatientTransactions(owner, POLICY)
        with pytest.raises(LockNotObtainedError, match=r"'a step' was cancelled: .*pg_cancel_backend") as refusal:
            transactions.run("a step", USERS, lambda: owner.execute("SELECT pg_sleep(60)"))
        assert "gave way" not in str(refusal.value)
        assert refusal.value.blockers == ()
        assert isinstance(refusal.value.__cause__, psycopg.errors.QueryCanceled)


def test_a_step_that_is_cancelled_once_is_done(database: str, connection: Connection) -> None:
    seconds = iter([60, 0])
    with connect(database, application_name="test") as owner, meanwhile(connection, CANCEL):
        PatientTransactions(owner, POLICY).run(
            "a step", USERS, lambda: owner.execute("SELECT pg_sleep(%s)", (next(seconds),))
        )
    assert next(seconds, None) is None


def test_a_holder_of_a_lock_is_named_and_cancelled_attempts_are_counted(database: str, connection: Connection) -> None:
    """A timeout that was set on the way cancels, too."""
    first = iter([True])

    def work() -> None:
        if next(first, False):
            owner.execute("SET LOCAL statement_timeout = 20")
            owner.execute("SELECT pg_sleep(60)")
        owner.execute("LOCK TABLE chatbot.users IN ACCESS EXCLUSIVE MODE")

    with connect(database, application_name="test") as owner, connection.transaction():
        connection.execute("LOCK TABLE chatbot.users IN ACCESS SHARE MODE")
        with pytest.raises(LockNotObtainedError, match=r"attempts, 1 of them cancelled by somebody\)") as refusal:
            PatientTransactions(owner, POLICY).run("a step", SHARED, work)
    assert [blocker.pid for blocker in refusal.value.blockers] == [connection.info.backend_pid]


def test_a_connection_that_is_ended_says_by_whom(database: str, connection: Connection) -> None:
    with connect(database, application_name="test") as owner, meanwhile(connection, END):
        with pytest.raises(EndedError, match=r"lost its connection.*pg_terminate_backend") as refusal:
            PatientTransactions(owner, POLICY).run("a step", USERS, lambda: owner.execute("SELECT pg_sleep(60)"))
        assert "what is done stays done" in str(refusal.value)


def test_a_statement_outside_a_transaction_says_by_whom_it_was_ended(database: str, connection: Connection) -> None:
    statement = psycopg.sql.SQL("SELECT pg_sleep(60)").format()
    for act, error in ((CANCEL, LockNotObtainedError), (END, EndedError)):
        with (
            connect(database, application_name="test") as owner,
            meanwhile(connection, act),
            pytest.raises(error, match=r"'outside' (was cancelled|lost its connection)"),
        ):
            PatientTransactions(owner, POLICY).run_outside("outside", [USERS[0].relation], lambda: statement)


def test_a_run_that_did_nothing_in_its_transaction_is_called_frozen(database: str, connection: Connection) -> None:
    def work() -> None:
        owner.execute("SET LOCAL idle_in_transaction_session_timeout = 20")
        connection.execute("SELECT pg_sleep(0.2)")
        owner.execute("SELECT 1")

    with (
        connect(database, application_name="test") as owner,
        pytest.raises(FrozenError, match="its run did nothing in a transaction"),
    ):
        PatientTransactions(owner, POLICY).run("a step", USERS, work)


def test_what_this_process_cancels_itself_is_not_tried_again(database: str) -> None:
    """A task that fails ends the others at once; else a step of another would be cancelled until patience ends."""
    begun = threading.Event()
    attempts = []

    def fail(_: Connection) -> None:
        begun.wait(30)
        raise ValueError("this task failed")

    def work(lane: Connection) -> None:
        attempts.append(1)
        begun.set()
        lane.execute("SELECT pg_sleep(60)")

    with (
        connect(database, application_name="test") as one,
        connect(database, application_name="test") as other,
        pytest.raises(ValueError, match="this task failed"),
    ):
        side_by_side(
            [one, other],
            [fail, lambda lane: PatientTransactions(lane, LockPolicy()).run("a step", [], lambda: work(lane))],
            connection_of=lambda lane: lane,
        )
    assert len(attempts) == 1


def test_an_end_outside_of_the_steps_is_explained(database: str, connection: Connection) -> None:
    for act, said in ((CANCEL, "A statement was cancelled, by"), (END, "The connection was ended, by somebody")):
        with (
            meanwhile(connection, act),
            pytest.raises(EndedError, match=said) as raised,
            connect(database, application_name="test") as owner,
        ):
            owner.execute("SELECT pg_sleep(60)")
        assert isinstance(raised.value.__cause__, psycopg.OperationalError)
    assert explain(psycopg.errors.DeadlockDetected()) is None


@pytest.mark.parametrize(("act", "said"), [(CANCEL, "pg_cancel_backend"), (END, "pg_terminate_backend")])
def test_a_run_that_is_ended_says_by_whom(graph: Graph, connection: Connection, act: str, said: str) -> None:
    """What closes sessions sleeps here, as it would work on very many."""
    connection.execute(
        "CREATE FUNCTION public.sleep() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "BEGIN PERFORM pg_catalog.pg_sleep(60); RETURN NULL; END $$"
    )
    connection.execute("CREATE TRIGGER sleeps BEFORE UPDATE ON chatbot.session_master EXECUTE FUNCTION public.sleep()")
    with meanwhile(connection, act, "clean_inactive_sessions"):
        run = graph.run("daily_upkeep")
    assert not run.success
    assert any(f"by somebody with {said}()" in error and "what is done stays done" in error for error in run.errors())
