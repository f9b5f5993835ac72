"""Whatever several clients do, in whatever order, every check passes and the database holds what it should.

The clients' transactions overlap. A statement that would wait for another client's lock is given up, so that a run
needs only one thread and is the same each time.
"""

from __future__ import annotations

import logging
from collections import Counter
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import product
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from psycopg import sql
from psycopg.pq import TransactionStatus
from pydantic import SecretStr

from tests.support import Connection, Value, every, one
from yumai_pipelines.archives.store import Store
from yumai_pipelines.defs.partitions.checks import tiling
from yumai_pipelines.defs.views.checks import completeness
from yumai_pipelines.erasure.erase import UnknownUserError, erase_user
from yumai_pipelines.integrity.findings import SAMPLE
from yumai_pipelines.integrity.foreign_keys import Constraints, References, foreign_keys, orphans
from yumai_pipelines.integrity.repair import Broken, Orphans, repair_orphans
from yumai_pipelines.integrity.row_rules import ROW_RULES, find_broken_rows
from yumai_pipelines.integrity.scope import Scope
from yumai_pipelines.integrity.soft_references import soft_references
from yumai_pipelines.integrity.times import misplaced_times
from yumai_pipelines.model.lock_policy import LockPolicy
from yumai_pipelines.model.months import Month
from yumai_pipelines.model.registry import RECENT_CONVERSATIONS
from yumai_pipelines.partitions.ensure import ensure_months
from yumai_pipelines.partitions.tables import describe_partitions
from yumai_pipelines.postgres.connections import connect
from yumai_pipelines.postgres.patience import LockNotObtainedError
from yumai_pipelines.schema.tables import TABLES
from yumai_pipelines.views.completeness import list_differences
from yumai_pipelines.views.refresh import refresh

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.conftest import Databases
    from yumai_pipelines.integrity.findings import Finding

T = TypeVar("T")
DID = logging.getLogger(__name__)

SEOUL = ZoneInfo("Asia/Seoul")
BEGIN = datetime(2024, 8, 30, 12, tzinfo=SEOUL)
"""All rows are in the days after this time, which include the ends of two months."""

MONTHS = [Month(2024, number) for number in (8, 9, 10)]
DAY = timedelta(days=1)
CLIENTS = st.integers(0, 2)
HOURS = st.integers(0, 14).map(lambda half_days: 12 * half_days)
PICK = st.integers(0, 10**6)
PATIENCE = LockPolicy(lock_timeout=timedelta(milliseconds=20), patience=timedelta(milliseconds=60))

WRITES = {
    "conversations": "INSERT INTO conversations (session_id, user_id, conversation_time) "
    "VALUES (%s, %s, %s) RETURNING id",
    "user_interactions": "INSERT INTO user_interactions (session_id, user_id, time_stamp) "
    "VALUES (%s, %s, %s) RETURNING id",
    "recommendations_log": "INSERT INTO recommendations_log (session_id, user_id, time_stamp, recommendations, "
    "recommendation_count) VALUES (%s, %s, %s, '[]', 0) RETURNING id",
    "user_feedback": "INSERT INTO user_feedback (session_id, user_id, time_stamp, related_recommendation_id) "
    "VALUES (%s, %s, %s, %s) RETURNING id",
}


@dataclass
class Session:
    user: int | None
    start: datetime
    active: bool = True
    end: datetime | None = None


@dataclass
class Row:
    session: UUID
    user: int | None
    time: datetime
    recommendation: int | None = None


@dataclass
class State:
    """What the database should hold."""

    users: set[int] = field(default_factory=set)
    sessions: dict[UUID, Session] = field(default_factory=dict)
    rows: dict[str, dict[int, Row]] = field(default_factory=lambda: {table: {} for table in WRITES})
    orders: dict[int, int | None] = field(default_factory=dict)

    def last_activity(self, key: UUID) -> datetime:
        times = [row.time for rows in self.rows.values() for row in rows.values() if row.session == key]
        return max([self.sessions[key].start, *times])

    def close(self, ends: dict[UUID, datetime]) -> None:
        for key, end in ends.items():
            self.sessions[key].active, self.sessions[key].end = False, end

    def delete_sessions(self, keys: set[UUID]) -> None:
        for key in keys:
            del self.sessions[key]
        self._delete_rows(lambda row: row.session in keys)

    def delete_user(self, user: int) -> None:
        """Delete what belongs to the user. An order stays, without its user."""
        self.users.discard(user)
        self.delete_sessions({key for key, session in self.sessions.items() if session.user == user})
        self._delete_rows(lambda row: row.user == user)
        self.orders = {key: None if whose == user else whose for key, whose in self.orders.items()}

    def _delete_rows(self, gone: Callable[[Row], bool]) -> None:
        for table, rows in self.rows.items():
            self.rows[table] = {key: row for key, row in rows.items() if not gone(row)}
        for row in self.rows["user_feedback"].values():
            if row.recommendation not in self.rows["recommendations_log"]:
                row.recommendation = None


@dataclass
class Client:
    """A connection with a transaction that may be open, and the changes made in it so far."""

    connection: Connection
    changes: list[Callable[[State], object]] = field(default_factory=list)
    locked: set[UUID] = field(default_factory=set)
    """Sessions whose row this client has locked, so that nobody else can change them."""


class Clients(RuleBasedStateMachine):
    """Three clients of the chatbot, the pipeline's upkeep, and a model of what the database should hold."""

    def __init__(self, url: str, owner: Connection, did: Counter[str]) -> None:
        super().__init__()
        self.owner, self.did = owner, did
        self.state = State()
        self.closing = ExitStack()
        self.clients = [
            Client(self.closing.enter_context(psycopg.connect(url, autocommit=True, application_name="test: client")))
            for _ in range(3)
        ]
        for client in self.clients:
            client.connection.execute("SET lock_timeout = '20ms'")
        owner.execute("TRUNCATE users, shops RESTART IDENTITY CASCADE")
        for partition in describe_partitions(owner, SEOUL):
            if not partition.is_default:
                owner.execute(sql.SQL("DROP TABLE {}").format(partition.relation.identifier))
        owner.execute("INSERT INTO shops (shop_name) VALUES ('밥집')")
        owner.execute("INSERT INTO users (external_user_id) SELECT n FROM generate_series(1, 4) AS n")
        self.state.users = {1, 2, 3, 4}
        self.missing = list(MONTHS)
        for number in range(3):
            self.open_session(number, number, 12)
            self.finish(number, kept=True)

    def seen_by(self, client: Client) -> State:
        """Return what this client sees: what is committed, and its own changes."""
        state = deepcopy(self.state)
        for change in client.changes:
            change(state)
        return state

    def locked_by_others(self, client: Client) -> set[UUID]:
        return {key for other in self.clients if other is not client for key in other.locked}

    def attempt(self, client: Client, name: str, query: str, *values: object) -> Value:
        """Return the first column of the statement's row, or None if the statement was given up at another's lock."""
        if client.connection.info.transaction_status == TransactionStatus.IDLE:
            client.connection.execute("BEGIN")
        try:
            with client.connection.transaction():
                found = one(client.connection, query, *values)
        except psycopg.errors.LockNotAvailable:
            self.wait_for(each for each in self.clients if each is not client)
            return None
        self.did[name] += 1
        return found

    def wait_for(self, clients: Iterable[Client]) -> None:
        """Commit the clients that may hold the lock."""
        self.did["had to wait"] += 1
        for client in clients:
            self.end_transaction(client, kept=True)

    def end_transaction(self, client: Client, *, kept: bool) -> None:
        client.connection.execute("COMMIT" if kept else "ROLLBACK")
        for change in client.changes if kept else ():
            change(self.state)
        client.changes.clear()
        client.locked.clear()

    def change(self, client: Client, change: Callable[[State], object], *locked: UUID) -> None:
        client.changes.append(change)
        client.locked.update(locked)

    @rule(number=CLIENTS, user=st.one_of(st.none(), PICK), hours=HOURS)
    def open_session(self, number: int, user: int | None, hours: int) -> None:
        """Open a session: on whole days with the function, so that it starts now, else by an INSERT with that start."""
        client = self.clients[number]
        whose = pick(sorted(self.seen_by(client).users), user)
        if hours % 24:
            insert = "INSERT INTO session_master (user_id, session_start) VALUES (%s, %s) RETURNING session_id"
            key = self.attempt(client, "open a session", insert, whose, BEGIN + timedelta(hours=hours))
        else:
            key = self.attempt(client, "start a session", "SELECT start_session(%s)", whose)
        if key:
            start = one(client.connection, "SELECT session_start FROM session_master WHERE session_id = %s", key)
            self.change(client, lambda state: state.sessions.update({key: Session(whose, start)}), key)

    @rule(
        number=CLIENTS,
        session=PICK,
        rows=st.lists(st.tuples(st.sampled_from(sorted(WRITES)), HOURS), min_size=2, max_size=5),
    )
    def write(self, number: int, session: int, rows: list[tuple[str, int]]) -> None:
        client = self.clients[number]
        for table, hours in rows:
            seen = self.seen_by(client)
            key = pick(seen.sessions, session)
            if key:
                self.write_row(client, table, seen, key, hours)

    def write_row(self, client: Client, table: str, seen: State, key: UUID, hours: int) -> None:
        """Write a row of a session. It names the session's user on whole days, and no user on half days."""
        session = seen.sessions[key]
        row = Row(key, None if hours % 24 else session.user, session.start)
        if session.start < BEGIN + 60 * DAY:
            row.time += timedelta(hours=hours)
        values: list[object] = [row.session, row.user, row.time]
        if table == "user_feedback":
            row.recommendation = pick(seen.rows["recommendations_log"], hours)
            values.append(row.recommendation)
        made = self.attempt(client, f"write into {table}", WRITES[table], *values)
        if made:
            self.change(client, lambda state: state.rows[table].update({made: deepcopy(row)}))

    @rule(number=CLIENTS, session=PICK)
    def write_into_a_session_that_is_not_there(self, number: int, session: int) -> None:
        """The session is another client's and not committed, or does not exist at all."""
        client = self.clients[number]
        mine = self.seen_by(client).sessions
        theirs = [key for each in self.clients for key in self.seen_by(each).sessions if key not in mine]
        key = pick(theirs, session) or UUID(int=4711)
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            self.attempt(client, "", WRITES["user_interactions"], key, None, BEGIN)
        self.did["refused for want of a session"] += 1

    @rule(number=CLIENTS, user=PICK)
    def order(self, number: int, user: int) -> None:
        client = self.clients[number]
        whose = pick(sorted(self.seen_by(client).users), user)
        key = self.attempt(
            client, "order", "INSERT INTO orders (user_id, shop_id, price) VALUES (%s, 1, 4000) RETURNING id", whose
        )
        if key:
            self.change(client, lambda state: state.orders.update({key: whose}))

    @rule(number=CLIENTS, session=PICK)
    def end_session(self, number: int, session: int) -> None:
        client = self.clients[number]
        seen = self.seen_by(client)
        key = pick(seen.sessions, session)
        ended = self.attempt(client, "end a session", "SELECT end_session(%s)", key)
        if key is None or ended is None:
            return
        assert ended is seen.sessions[key].active
        if ended:
            end = one(client.connection, "SELECT session_end FROM session_master WHERE session_id = %s", key)
            self.change(client, lambda state: state.close({key: end}), key)

    @rule(number=CLIENTS, hours=HOURS)
    def clean(self, number: int, hours: int) -> None:
        client = self.clients[number]
        seen, locked = self.seen_by(client), self.locked_by_others(client)
        as_of = BEGIN + 3 * DAY + timedelta(hours=2 * hours)
        looked_at = {
            key
            for key, session in seen.sessions.items()
            if session.active and session.start < as_of - DAY and key not in locked
        }
        ends = {key: end for key in looked_at if (end := seen.last_activity(key)) <= as_of - DAY}
        cleaned = self.attempt(
            client, "clean inactive sessions", "SELECT clean_inactive_sessions(p_as_of := %s)", as_of
        )
        if cleaned is not None:
            assert cleaned == len(ends)
            self.did["sessions cleaned"] += cleaned
            query = "SELECT session_id, session_end FROM session_master WHERE session_id = ANY(%s)"
            assert dict(every(client.connection, query, list(ends))) == ends
            self.change(client, lambda state: state.close(ends), *looked_at)

    @rule(number=CLIENTS, session=PICK)
    def delete_session(self, number: int, session: int) -> None:
        client = self.clients[number]
        key = pick(self.seen_by(client).sessions, session)
        query = "WITH gone AS (DELETE FROM session_master WHERE session_id = %s RETURNING 1) SELECT count(*) FROM gone"
        if key and self.attempt(client, "delete a session", query, key):
            self.change(client, lambda state: state.delete_sessions({key}), key)

    @rule(number=CLIENTS, hours=HOURS)
    def delete_old_sessions(self, number: int, hours: int) -> None:
        client = self.clients[number]
        as_of = BEGIN + 3 * DAY + timedelta(hours=2 * hours)
        sessions = self.seen_by(client).sessions.items()
        old = {key for key, session in sessions if session.end and session.end < as_of - 2 * DAY}
        deleted = self.attempt(client, "delete old sessions", "SELECT delete_old_sessions(2, p_as_of := %s)", as_of)
        if deleted is not None:
            assert deleted == len(old)
            self.did["old sessions deleted"] += deleted
            self.change(client, lambda state: state.delete_sessions(old), *old)

    @rule(number=CLIENTS, user=PICK)
    def delete_user(self, number: int, user: int) -> None:
        client = self.clients[number]
        seen = self.seen_by(client)
        whose = pick(sorted(seen.users), user)
        query = "WITH gone AS (DELETE FROM users WHERE id = %s RETURNING 1) SELECT count(*) FROM gone"
        if whose and self.attempt(client, "delete a user", query, whose):
            theirs = [key for key, session in seen.sessions.items() if session.user == whose]
            self.change(client, lambda state: state.delete_user(whose), *theirs)

    @rule(number=CLIENTS, kept=st.sampled_from([True, True, True, False]))
    def finish(self, number: int, kept: bool) -> None:
        self.end_transaction(self.clients[number], kept=kept)

    @rule(user=PICK)
    def erase_user(self, user: int) -> None:
        whose = 1 + user % 5
        self.owner.execute("SET lock_timeout = '20ms'")
        try:
            erase_user(
                self.owner,
                user_id=whose,
                reason="asked for",
                run_id="test",
                zone=SEOUL,
                user_key_secrets=lambda: [SecretStr("secret")],
                store=Store.at("memory://no-archives"),
                policy=LockPolicy(),
            )
        except psycopg.errors.LockNotAvailable:
            self.wait_for(self.clients)
        except UnknownUserError:
            assert whose not in self.state.users
        else:
            self.did["erase a user"] += 1
            self.state.delete_user(whose)
        finally:
            self.owner.execute("RESET lock_timeout")

    @rule(dry_run=st.booleans(), how=st.sampled_from(list(product(Orphans, Broken))))
    def repair(self, dry_run: bool, how: tuple[Orphans, Broken]) -> None:
        """Repair, which finds nothing to do, whatever the clients have open."""
        before = held(self.owner)
        assert repair_orphans(self.owner, run_id="test", dry_run=dry_run, orphans=how[0], broken=how[1]) == []
        assert held(self.owner) == before
        assert one(self.owner, "SELECT count(*) FROM yumai_pipelines.quarantine") == 0
        self.did["look for orphans" if dry_run else "repair orphans"] += 1

    @rule(number=PICK)
    def add_partition(self, number: int) -> None:
        month = pick(self.missing, number)
        if month is None:
            return
        try:
            ensure_months(self.owner, [month], zone=SEOUL, policy=PATIENCE, batch_rows=2)
        except LockNotObtainedError:
            self.wait_for(self.clients)
        else:
            self.did["add a partition"] += 1
            self.missing.remove(month)

    def teardown(self) -> None:
        """Commit all clients. Then the model and the database agree, and every check passes."""
        try:
            for client in self.clients:
                self.end_transaction(client, kept=True)
            assert held(self.owner) == self.state
            ensure_months(self.owner, MONTHS, zone=SEOUL, policy=LockPolicy())
            assert held(self.owner) == self.state
            assert [finding.description for finding in findings(self.owner) if not finding.passed] == []
        finally:
            self.closing.close()


def pick(choices: Iterable[T], number: int | None) -> T | None:
    """Return one of the choices, or None if there is no choice or no number."""
    ordered = list(choices)
    return None if number is None or not ordered else ordered[number % len(ordered)]


def held(connection: Connection) -> State:
    """Read what the database holds."""
    sessions = "SELECT session_id, user_id, session_start, is_active, session_end FROM session_master"
    return State(
        users={key for (key,) in every(connection, "SELECT id FROM users")},
        sessions={key: Session(*values) for key, *values in every(connection, sessions)},
        rows={
            table: {
                key: Row(*values)
                for key, *values in connection.execute(
                    sql.SQL("SELECT id, session_id, user_id, {}, {} FROM {}").format(
                        sql.Identifier("conversation_time" if table == "conversations" else "time_stamp"),
                        sql.SQL("related_recommendation_id" if table == "user_feedback" else "NULL"),
                        sql.Identifier(table),
                    )
                )
            }
            for table in WRITES
        },
        orders=dict(every(connection, "SELECT id, user_id FROM orders")),
    )


def findings(connection: Connection) -> Iterator[Finding]:
    """Run every check on the whole database."""
    for table in TABLES:
        scope = Scope.of(connection, table, None, SEOUL)
        references = References.follow(connection, scope, table.foreign_keys)
        yield foreign_keys(connection, Constraints.read(connection, scope), references, None)
        if table.session_key:
            yield orphans(connection, references, None)
        if table.time:
            yield misplaced_times(connection, scope)[None]
        if table.soft_references:
            yield soft_references(connection, scope, Decimal(0))[None]
        for each in ROW_RULES:
            if each.table == table.relation:
                yield find_broken_rows(connection, scope, each)[None]
    yield tiling(describe_partitions(connection, SEOUL), set(), SEOUL)
    refreshed = refresh(connection, RECENT_CONVERSATIONS)
    differences = list_differences(connection, RECENT_CONVERSATIONS, refreshed.as_of, SAMPLE)
    yield completeness(RECENT_CONVERSATIONS, refreshed.as_of, differences)


def test_any_interleaving_leaves_what_it_should(databases: Databases, template: str) -> None:
    did: Counter[str] = Counter()

    class Here(Clients):
        def __init__(self) -> None:
            super().__init__(url, owner, did)

    with databases.clone(template) as url, connect(url, application_name="test: upkeep") as owner:
        owner.execute("SET search_path = chatbot, ml_features, analytics, public")
        run_state_machine_as_test(
            Here,
            settings=settings(
                derandomize=True,
                database=None,
                deadline=None,
                phases=[Phase.generate],
                max_examples=20,
                stateful_step_count=50,
                suppress_health_check=list(HealthCheck),
            ),
        )
    DID.info("%s", dict(did.most_common()))
    for what in (
        "had to wait",
        "refused for want of a session",
        "erase a user",
        "look for orphans",
        "repair orphans",
        "sessions cleaned",
        "old sessions deleted",
    ):
        assert did[what] > 0, "the runs are not idle"
