"""Months are made and filled while others read and write. Nobody is refused, cancelled, kept waiting or shown half.

Some tests first do the same with plain DDL, to show what goes wrong without the lock discipline.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg import IsolationLevel, sql

from tests.clients import GENEROUS, clients_of, in_background, wait_until_waiting
from tests.support import Connection, Value, one
from yumai_pipelines.archives.archive import archive_months
from yumai_pipelines.archives.restore import restore_month
from yumai_pipelines.archives.store import Store
from yumai_pipelines.model.lock_policy import LockPolicy
from yumai_pipelines.model.months import Month
from yumai_pipelines.model.relations import Relation
from yumai_pipelines.partitions.ensure import MonthReport, ensure_months
from yumai_pipelines.postgres.connections import connect
from yumai_pipelines.postgres.locks import AdvisoryLock, LockMode, TableLock, advisory_lock
from yumai_pipelines.postgres.patience import LockNotObtainedError
from yumai_pipelines.postgres.transactions import PatientTransactions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from random import Random

SEOUL = ZoneInfo("Asia/Seoul")
POLICY = LockPolicy(lock_timeout=timedelta(milliseconds=100), patience=timedelta(seconds=60))
IMPATIENT = LockPolicy(lock_timeout=timedelta(milliseconds=100), patience=timedelta(seconds=1))
START = datetime(2024, 8, 1, tzinfo=SEOUL)
MEASURED = logging.getLogger(__name__)
ATTACH = """
    CREATE TABLE chatbot.plain (LIKE chatbot.conversations INCLUDING ALL EXCLUDING IDENTITY);
    ALTER TABLE chatbot.conversations ATTACH PARTITION chatbot.plain
      FOR VALUES FROM ('2024-09-01 00:00+09') TO ('2024-10-01 00:00+09')
"""


def ensure(url: str, *months: str, policy: LockPolicy = POLICY, batch_rows: int = 200) -> list[MonthReport]:
    with connect(url, application_name="test: partitions") as owner:
        return ensure_months(owner, [Month.parse(m) for m in months], zone=SEOUL, policy=policy, batch_rows=batch_rows)


def ids(connection: Connection) -> Counter[int]:
    return Counter(i for (i,) in connection.execute("SELECT id FROM chatbot.conversations"))


def new_session(connection: Connection) -> Value:
    return one(connection, "INSERT INTO chatbot.session_master DEFAULT VALUES RETURNING session_id")


def fill_default(connection: Connection, rows: int) -> Value:
    """Insert rows of August to October 2024, and one of 1970, into the default partition. Return their session."""
    session = new_session(connection)
    connection.execute(
        "INSERT INTO chatbot.conversations (session_id, conversation_time, input_text) "
        "SELECT %s, %s + (n %% 90) * interval '1 day', 'planted' FROM generate_series(1, %s) AS n",
        (session, START, rows),
    )
    connection.execute(
        "INSERT INTO chatbot.conversations (session_id, conversation_time) VALUES (%s, '1970-01-01 00:00+00')",
        (session,),
    )
    return session


def log(reports: list[MonthReport]) -> None:
    for r in reports:
        MEASURED.info(
            "%s %s, %d rows moved, %.0f ms, %d retries", r.month, r.action, r.moved_rows, r.lock_held_ms, r.retries
        )


def test_every_row_of_four_writers_is_there_once_while_months_are_made_and_filled(
    database: str, connection: Connection
) -> None:
    fill_default(connection, 3000)
    planted = ids(connection)
    written: Counter[int] = Counter()

    def insert(writer: Connection, random: Random) -> None:
        at = START + timedelta(days=random.randrange(150))
        with writer.transaction():
            session = new_session(writer)
            written[
                one(
                    writer,
                    "INSERT INTO chatbot.conversations (session_id, conversation_time) VALUES (%s, %s) RETURNING id",
                    session,
                    at,
                )
            ] += 1

    def write_long(writer: Connection, random: Random) -> None:
        with writer.transaction():
            insert(writer, random)
            time.sleep(0.3)
        time.sleep(0.3)

    def read_long(reader: Connection, _random: Random) -> None:
        with reader.transaction():
            one(reader, "SELECT count(*) FROM chatbot.conversations")
            time.sleep(0.3)
        time.sleep(0.3)

    with clients_of(database) as clients:
        for _ in range(4):
            clients.add(insert)
        reports = ensure(database, "2024-08")
        clients.add(write_long)
        clients.add(read_long)
        reports += ensure(database, "2024-12", "2024-09", "2024-10", "2024-11")
    log(reports)
    assert ids(connection) == planted + written
    assert set(ids(connection).values()) == {1}
    assert one(connection, "SELECT count(*) FROM chatbot.conversations_default") == 1


def test_rows_that_change_and_go_during_the_move_end_up_as_they_were_left(
    database: str, connection: Connection
) -> None:
    """Updates within and across months, deletes, and cascades of sessions, at both isolation levels."""
    connection.execute(
        "CREATE TABLE public.model (id bigint PRIMARY KEY, conversation_time timestamptz, input_text text)"
    )
    fill_default(connection, 2000)
    for _ in range(6):
        fill_default(connection, 100)

    def change(writer: Connection, random: Random) -> None:
        target = random.randrange(1, 2700)
        moved = START + timedelta(days=random.randrange(100), seconds=random.randrange(9999))
        with writer.transaction(force_rollback=random.random() < 0.2):
            one(writer, "SELECT 1")
            time.sleep(random.choice([0, 0, 0, 0.03]))
            if random.random() < 0.3:
                writer.execute("DELETE FROM chatbot.conversations WHERE id = %s", (target,))
            else:
                writer.execute(
                    "UPDATE chatbot.conversations SET conversation_time = %s, input_text = 'changed' WHERE id = %s",
                    (moved, target),
                )

    def change_if_free(writer: Connection, random: Random) -> None:
        try:
            change(writer, random)
        except psycopg.errors.SerializationFailure:
            return  # two writers took the same row, one moved it to another month: this happens without us too

    def end_session(writer: Connection, _random: Random) -> None:
        time.sleep(0.05)
        session = one(writer, "INSERT INTO chatbot.session_master DEFAULT VALUES RETURNING session_id")
        writer.execute(
            "INSERT INTO chatbot.conversations (session_id, conversation_time) VALUES (%s, %s)", (session, START)
        )
        time.sleep(0.02)
        writer.execute("DELETE FROM chatbot.session_master WHERE session_id = %s", (session,))

    connection.execute(
        """
        CREATE FUNCTION public.keep_model() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
        BEGIN
            IF TG_OP <> 'INSERT' THEN DELETE FROM public.model WHERE id = OLD.id; END IF;
            IF TG_OP <> 'DELETE' THEN
                INSERT INTO public.model VALUES (NEW.id, NEW.conversation_time, NEW.input_text);
            END IF;
            RETURN NULL;
        END $$;
        INSERT INTO public.model SELECT id, conversation_time, input_text FROM chatbot.conversations;
        CREATE TRIGGER keep_model AFTER INSERT OR UPDATE OR DELETE ON chatbot.conversations
           FOR EACH ROW EXECUTE FUNCTION public.keep_model()
        """
    )
    with clients_of(database) as clients:
        clients.add(change_if_free)
        clients.add(change_if_free)
        clients.add(change_if_free, isolation=IsolationLevel.REPEATABLE_READ)
        clients.add(change_if_free, isolation=IsolationLevel.REPEATABLE_READ)
        clients.add(end_session)
        reports = ensure(database, "2024-09", batch_rows=50)
        reports += ensure(database, "2024-08", "2024-10", batch_rows=50)
    log(reports)
    rows = "SELECT id, conversation_time, input_text FROM {} ORDER BY id"
    left, right = (
        connection.execute(sql.SQL(rows).format(sql.Identifier(*table))).fetchall()
        for table in (("chatbot", "conversations"), ("public", "model"))
    )
    assert left == right


def test_every_snapshot_counts_each_row_once(database: str, connection: Connection) -> None:
    """One reader's snapshot is older than the exchange, and reads the conversations only after it."""
    fill_default(connection, 3000)
    session = new_session(connection)
    connection.execute("CREATE TABLE public.tally (n bigint)")
    connection.execute("INSERT INTO public.tally SELECT count(*) FROM chatbot.conversations")

    def look(reader: Connection, random: Random) -> None:
        with reader.transaction():
            expected = one(reader, "SELECT n FROM public.tally")
            time.sleep(random.choice([0, 0.01, 0.05]))
            assert one(reader, "SELECT count(*) FROM chatbot.conversations") == expected
            assert one(reader, "SELECT count(DISTINCT id) FROM chatbot.conversations") == expected

    def write(writer: Connection, random: Random) -> None:
        with writer.transaction():
            writer.execute("UPDATE public.tally SET n = n + 1")
            writer.execute(
                "INSERT INTO chatbot.conversations (session_id, conversation_time) VALUES (%s, %s)",
                (session, START + timedelta(days=random.randrange(90))),
            )
        time.sleep(0.005)

    with clients_of(database) as clients:
        for _ in range(4):
            clients.add(look, isolation=IsolationLevel.REPEATABLE_READ)
        clients.add(write)
        time.sleep(0.1)
        for month in ("2024-08", "2024-09", "2024-10"):
            (report,) = ensure(database, month)
            log([report])


def test_a_snapshot_older_than_the_copy_is_waited_for(database: str, connection: Connection) -> None:
    fill_default(connection, 300)
    with psycopg.connect(database, application_name="an old report") as reader:
        reader.isolation_level = IsolationLevel.REPEATABLE_READ
        one(reader, "SELECT 1")  # takes the snapshot, and no lock on the conversations
        with pytest.raises(LockNotObtainedError, match="an old report") as failure:
            ensure(database, "2024-08", policy=IMPATIENT)
        assert failure.value.step == "wait for old snapshots"
        assert one(reader, "SELECT count(*) FROM chatbot.conversations") == 301
    assert [r.action for r in ensure(database, "2024-08")] == ["filled"]
    assert one(connection, "SELECT count(*) FROM chatbot.conversations") == 301


def test_a_change_by_a_snapshot_older_than_the_copy_is_not_lost(database: str, connection: Connection) -> None:
    """The old transaction cannot see the copied rows or change them. So the rows are compared again at the end."""
    fill_default(connection, 300)
    with psycopg.connect(database) as old, ThreadPoolExecutor(1) as pool:
        old.isolation_level = IsolationLevel.REPEATABLE_READ
        one(old, "SELECT 1")  # takes the snapshot
        run = pool.submit(ensure, database, "2024-08", "2024-10")
        copied = "SELECT coalesce(pg_relation_size(to_regclass('yumai_pipelines.conversations_default_next')), 0) > 0"
        deadline = time.monotonic() + GENEROUS
        while not one(connection, copied) and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.2)
        old.execute("DELETE FROM chatbot.conversations WHERE id % 3 = 0")
        old.execute("UPDATE chatbot.conversations SET input_text = 'changed' WHERE id % 3 = 1")
        old.execute(
            "UPDATE chatbot.conversations SET conversation_time = %s WHERE id = 5", (START + timedelta(days=70),)
        )
        assert not run.done()
        old.commit()
        run.result(timeout=60)
    assert sum(ids(connection).values()) == 301 - 100
    assert one(connection, "SELECT count(*) FROM chatbot.conversations WHERE input_text = 'changed'") == 101
    assert one(connection, "SELECT count(*) FROM chatbot.conversations_2024_10 WHERE id = 5") == 1


@pytest.mark.parametrize("planted", [0, 300])
def test_statements_prepared_before_find_the_new_partition(database: str, connection: Connection, planted: int) -> None:
    session = fill_default(connection, planted)
    insert = "INSERT INTO chatbot.conversations (session_id, conversation_time) VALUES (%s, %s)"
    count = "SELECT count(*) FROM chatbot.conversations WHERE conversation_time >= %s"
    with psycopg.connect(database, autocommit=True, prepare_threshold=0) as old:
        old.execute("SET plan_cache_mode = force_generic_plan")
        for _ in range(3):
            old.execute(insert, (session, START))
            one(old, count, START)
        ensure(database, "2024-08")
        old.execute(insert, (session, START))
        assert one(old, count, START) == planted + 4
    assert (
        one(connection, "SELECT count(*) FROM chatbot.conversations_2024_08 WHERE conversation_time = %s", START) >= 4
    )


def test_an_insert_between_routing_and_attach_is_refused_by_plain_ddl_only(
    database: str, connection: Connection
) -> None:
    """This is why the parent is locked: under ATTACH alone, a writer chooses the default partition and is refused."""
    session = new_session(connection)
    insert = "INSERT INTO chatbot.conversations (session_id, conversation_time) VALUES (%s, '2024-09-10 00:00+09')"

    def write(other: Connection, _random: Random) -> None:
        other.execute(insert, (session,))

    with psycopg.connect(database) as plain, psycopg.connect(database, autocommit=True) as writer:
        plain.execute(ATTACH)
        with ThreadPoolExecutor(1) as pool:
            refused = pool.submit(writer.execute, insert, (session,))
            wait_until_waiting(connection, writer.info.backend_pid)
            plain.commit()
            with pytest.raises(psycopg.errors.CheckViolation):
                refused.result(timeout=GENEROUS)
        connection.execute("DROP TABLE chatbot.plain")
        with clients_of(database) as clients:
            clients.add(write)
            clients.add(write)
            ensure(database, "2024-09")
    assert one(connection, "SELECT count(*) FROM chatbot.conversations_default") == 0


def test_a_long_read_holds_up_nobody_else(database: str, connection: Connection) -> None:
    """pg_partman issue 359: maintenance waits behind a long SELECT, and everybody else waits behind maintenance."""
    session = new_session(connection)

    def write(writer: Connection, _random: Random) -> None:
        writer.execute(
            "INSERT INTO chatbot.conversations (session_id, conversation_time) VALUES (%s, '1970-01-01')", (session,)
        )
        time.sleep(0.002)

    def stall(maintenance: Callable[[], Any]) -> float:
        with psycopg.connect(database) as reader:
            reader.execute("SELECT * FROM chatbot.conversations")
            with in_background(maintenance), clients_of(database) as clients:
                clients.add(write)
                time.sleep(1.2)
                reader.rollback()
        return max(clients.waits["write"])

    def plain_ddl() -> None:
        with psycopg.connect(database, autocommit=True) as plain:
            plain.execute(ATTACH)

    ensure(database, "2024-08")
    plain, ours = stall(plain_ddl), stall(lambda: ensure(database, "2024-10"))
    MEASURED.info("longest wait of a writer: plain DDL %.0f ms, ours %.0f ms", plain * 1000, ours * 1000)
    assert plain > 1
    assert ours < plain


def test_no_lock_order_of_others_ends_in_a_deadlock(database: str, connection: Connection) -> None:
    """pg_partman issues 796 and 804: maintenance has a partition and wants the parent, a reader does the reverse."""
    with psycopg.connect(database) as plain, psycopg.connect(database) as reader:
        plain.execute("LOCK TABLE chatbot.conversations_default IN ACCESS EXCLUSIVE MODE")
        reader.execute("LOCK TABLE ONLY chatbot.conversations IN ACCESS SHARE MODE")
        with ThreadPoolExecutor(1) as pool:
            reading = pool.submit(reader.execute, "SELECT count(*) FROM chatbot.conversations")
            wait_until_waiting(connection, reader.info.backend_pid)
            try:
                plain.execute("LOCK TABLE ONLY chatbot.conversations IN ACCESS EXCLUSIVE MODE")
                reading.result(timeout=GENEROUS)
            except psycopg.errors.DeadlockDetected:
                plain.rollback()
            else:
                pytest.fail("plain DDL got away with it")

    def contrary(other: Connection, random: Random) -> None:
        """Take locks in a random order, and hold them."""
        tables = ["conversations", "conversations_default", "session_master", "users"]
        random.shuffle(tables)
        with other.transaction():
            for table in tables[:2]:
                other.execute(sql.SQL("SELECT 1 FROM {} LIMIT 1").format(sql.Identifier("chatbot", table)))
                time.sleep(0.01)
            other.execute("UPDATE chatbot.session_master SET is_active = is_active WHERE false")
            other.execute("DELETE FROM chatbot.conversations WHERE false")
        time.sleep(random.uniform(0.02, 0.1))

    fill_default(connection, 200)
    with clients_of(database) as clients:
        for _ in range(2):
            clients.add(contrary)
        ensure(database, "2024-08", "2024-12")
        ensure(database, "2024-09", "2024-10")
    assert one(connection, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") <= 1


def test_no_attempt_takes_a_lock_that_it_has_not_taken_first(
    database: str, connection: Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """DDL that strengthens a lock it holds causes deadlocks at once. `deadlock_timeout` does not help the others."""
    held = """
        SELECT n.nspname, c.relname, l.mode FROM pg_locks AS l JOIN pg_class AS c ON c.oid = l.relation
          JOIN pg_namespace AS n ON n.oid = c.relnamespace
         WHERE l.pid = pg_backend_pid() AND c.relkind IN ('r', 'p') AND n.nspname = 'chatbot'
           AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
    """
    undeclared: list[tuple[str, str, str]] = []
    run = PatientTransactions.run

    def watched_run(
        transactions: PatientTransactions,
        step: str,
        locks: list[TableLock],
        work: Callable[[], object],
        **others: tuple[type[psycopg.Error], ...],
    ) -> object:
        declared = {(str(lock.relation), lock.mode.statement.as_string().replace(" ", "").lower()) for lock in locks}
        there = {str(relation) for relation in relations(transactions.connection)}

        def watched() -> object:
            result = work()
            for schema, name, mode in transactions.connection.execute(held).fetchall():
                table, mode = f"{schema}.{name}", mode.removesuffix("Lock").lower()
                covered = {(table, mode), (table, "accessexclusive")} & declared
                if table in there and not covered:
                    undeclared.append((step, table, mode))
            return result

        return run(transactions, step, locks, watched, **others)

    monkeypatch.setattr(PatientTransactions, "run", watched_run)
    fill_default(connection, 100)
    ensure(database, "2024-08", "2024-12")
    ensure(database, "2024-09")
    with connect(database, application_name="test: archives") as owner:
        store, as_of = Store.at(str(tmp_path)), datetime(2025, 6, 1, tzinfo=SEOUL)
        list(archive_months(owner, [Month(2024, 8)], store=store, zone=SEOUL, policy=POLICY, kept=6, as_of=as_of))
        restore_month(owner, Month(2024, 8), zone=SEOUL, policy=POLICY)
    assert undeclared == []


def relations(connection: Connection) -> list[Relation]:
    query = "SELECT n.nspname, c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
    return [Relation(*row) for row in connection.execute(query)]


def test_the_error_names_who_holds_the_lock(database: str, connection: Connection) -> None:
    with psycopg.connect(database, application_name="forgotten psql") as forgotten:
        forgotten.execute("SELECT count(*) FROM chatbot.conversations")
        with pytest.raises(LockNotObtainedError, match="forgotten psql, idle in transaction") as failure:
            ensure(database, "2024-08", policy=IMPATIENT)
        (blocker,) = failure.value.blockers
        assert blocker.pid == forgotten.info.backend_pid
        may_read = one(connection, "SELECT pg_has_role('yumai_pipeline', 'pg_read_all_stats', 'USAGE')")
        query = "SELECT count(*) FROM chatbot.conversations"
        assert blocker.query == (query if may_read else "<insufficient privilege>")
        assert blocker.transaction_age is not None
        assert blocker.transaction_age > timedelta(milliseconds=100)
    ensure(database, "2024-08")
    assert one(connection, "SELECT count(*) FROM pg_class WHERE relname = 'conversations_2024_08'") == 1


def test_a_second_run_waits_its_turn(database: str, connection: Connection) -> None:
    with (
        advisory_lock(connection, AdvisoryLock.PARTITIONS, IMPATIENT),
        pytest.raises(LockNotObtainedError, match="advisory lock"),
    ):
        ensure(database, "2024-08", policy=IMPATIENT)
    fill_default(connection, 500)
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(ensure, database, "2024-08", "2024-09") for _ in range(2)]
        actions = sorted(report.action for run in runs for report in run.result())
    assert actions == ["filled", "filled", "recognized", "recognized"]


def test_an_attempt_is_bounded_as_a_whole(database: str, connection: Connection) -> None:
    """`lock_timeout` alone counts each lock separately: waiting for three locks may take three times as long."""
    tables = [Relation("chatbot", name) for name in ("users", "shops", "session_master")]
    with psycopg.connect(database) as holder:
        holder.execute("LOCK TABLE chatbot.session_master IN ROW EXCLUSIVE MODE")
        with connect(database, application_name="test: bounded") as owner:
            transactions = PatientTransactions(owner, IMPATIENT)
            with pytest.raises(LockNotObtainedError):
                transactions.run(
                    "lock three", [TableLock(table, LockMode.ACCESS_EXCLUSIVE) for table in tables], lambda: None
                )
    MEASURED.info("%d attempts, longest hold %s", transactions.statistics.attempts, transactions.statistics.longest)
    assert transactions.statistics.retries == transactions.statistics.attempts > 1
    assert transactions.statistics.longest.total_seconds() < GENEROUS
    exclusive = """
        SELECT count(*) FROM pg_locks JOIN pg_database AS d ON d.oid = database
         WHERE mode = 'AccessExclusiveLock' AND datname = current_database()
    """
    assert one(connection, exclusive) == 0
