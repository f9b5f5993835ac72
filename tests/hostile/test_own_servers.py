"""What only a server of one's own shows: a standby, a prepared transaction in the way, a server that is stopped."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import psycopg
import pytest
from pydantic import SecretStr

from tests.graph import Graph
from tests.hostile.test_clear_words import COMMANDS, yumai
from tests.standby import standby_of
from tests.support import server_home
from yumai_pipelines.extracts.reading import NeverBuiltError, read_extract
from yumai_pipelines.local.server import LocalServer
from yumai_pipelines.model.lock_policy import LockPolicy
from yumai_pipelines.model.relations import Relation
from yumai_pipelines.postgres.connections import connect
from yumai_pipelines.postgres.dagster_database import dagster_url
from yumai_pipelines.postgres.endings import EndedError
from yumai_pipelines.postgres.errors import StandbyError
from yumai_pipelines.postgres.locks import AdvisoryLock, LockMode, TableLock, advisory_lock
from yumai_pipelines.postgres.patience import LockNotObtainedError
from yumai_pipelines.postgres.transactions import PatientTransactions
from yumai_pipelines.schema.upgrade import upgrade
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    import dagster as dg

pytestmark = pytest.mark.xdist_group("a server of one's own")

USERS = Relation("chatbot", "users")
IMPATIENT = LockPolicy(timedelta(milliseconds=50), timedelta(seconds=0.4))


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    """A server with the schema, which lets transactions be prepared."""
    with server_home() as home:
        server = LocalServer(home)
        server.start()
        try:
            with psycopg.connect(server.url(), autocommit=True) as admin:
                admin.execute("ALTER SYSTEM SET max_prepared_transactions = 4")
            server.stop()
            server.start()
            upgrade(server.url(), Settings())
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="module")
def standby(server: LocalServer) -> Iterator[str]:
    """The URL of the schema's database on a hot standby of the server."""
    with standby_of(server) as follower:
        yield follower.url()


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_standby_is_called_one(standby: str, command: list[str]) -> None:
    outcome = yumai(*command, YUMAI_DATABASE_URL=standby)
    assert outcome.returncode == 1
    assert "is a standby, which takes no writes. Point YUMAI_DATABASE_URL at the primary" in outcome.stderr


def test_the_status_of_a_standby_says_so(standby: str) -> None:
    outcome = yumai("status", YUMAI_DATABASE_URL=standby)
    assert outcome.returncode == 0, outcome.stderr
    assert ", a standby, which takes no writes" in outcome.stdout


def test_a_run_on_a_standby_says_so(standby: str, instance: dg.DagsterInstance) -> None:
    for job in ("install_schema", "daily_upkeep"):
        run = Graph.on(standby, instance).run(job)
        assert not run.success
        assert any("is a standby" in error for error in run.errors())
    with pytest.raises(StandbyError, match="YUMAI_DATABASE_URL at the primary"):
        dagster_url(Settings(database_url=SecretStr(standby)))
    with pytest.raises(StandbyError, match="YUMAI_DAGSTER_URL at the primary"):
        dagster_url(Settings(dagster_url=SecretStr(standby)))


def test_extracts_are_read_on_a_standby(standby: str) -> None:
    with pytest.raises(NeverBuiltError):
        read_extract("shop_performance", url=standby)


@pytest.fixture
def prepared(server: LocalServer) -> Iterator[str]:
    """The URL of a database in which a prepared transaction has locks, one of a table, one like a repair's."""
    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute("BEGIN")
        admin.execute("INSERT INTO chatbot.users (external_user_id) VALUES ('somebody')")
        admin.execute("SELECT pg_advisory_xact_lock(hashtext(%s), 1)", (AdvisoryLock.REPAIR.value,))
        admin.execute("PREPARE TRANSACTION 'left by a ''coordinator'")
        try:
            yield server.url()
        finally:
            admin.execute("ROLLBACK PREPARED 'left by a ''coordinator'")


ENDED = r"prepared transaction 'left by a ''coordinator' of yumai_admin.*ROLLBACK PREPARED 'left by a ''coordinator'"


def test_a_prepared_transaction_in_the_way_is_named(prepared: str) -> None:
    with connect(prepared, application_name="test") as owner:
        transactions = PatientTransactions(owner, IMPATIENT)
        with pytest.raises(LockNotObtainedError, match=ENDED + ", or COMMIT PREPARED") as refusal:
            transactions.run("a step", [TableLock(USERS, LockMode.ACCESS_EXCLUSIVE)], lambda: None)
        assert "RowExclusiveLock on chatbot.users" in str(refusal.value)
        with advisory_lock(owner, AdvisoryLock.REPAIR, IMPATIENT):
            pass  # No run of ours prepares transactions.


def test_an_upgrade_names_who_was_in_its_way(server: LocalServer) -> None:
    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute("BEGIN; LOCK TABLE yumai_pipelines.alembic_version; PREPARE TRANSACTION 'in the way'")
        try:
            with pytest.raises(LockNotObtainedError, match="ROLLBACK PREPARED 'in the way'"):
                upgrade(server.url(), Settings(lock_patience_s=0.5))
        finally:
            admin.execute("ROLLBACK PREPARED 'in the way'")


def test_a_server_that_is_stopped_in_the_middle_of_a_step_is_named(server: LocalServer) -> None:
    with connect(server.url(), application_name="test") as owner:
        stopping = threading.Timer(0.0, server.stop)

        def work() -> None:
            stopping.start()
            owner.execute("SELECT pg_sleep(60)")

        try:
            with pytest.raises(EndedError, match="lost its connection") as raised:
                PatientTransactions(owner, IMPATIENT).run("a step", [], work)
            assert "or by a server that is stopped" in str(raised.value)
        finally:
            stopping.join()
            server.start()
