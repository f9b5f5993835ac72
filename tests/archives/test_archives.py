"""Past months become files that are proven, and come back as if they had never been away."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import IO, TYPE_CHECKING, ClassVar, LiteralString
from zoneinfo import ZoneInfo

import dagster as dg
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from psycopg import sql
from typer.testing import CliRunner, Result

from tests.archives.interrupted import Interrupted
from tests.graph import CONVERSATIONS, Graph, Run, leaving, months
from tests.support import Connection, Value, every, one
from yumai_pipelines.archives.archive import ArchiveReport, archive_months
from yumai_pipelines.archives.restore import RestoreReport, restore_month
from yumai_pipelines.archives.store import ArchiveError, Store
from yumai_pipelines.cli import app
from yumai_pipelines.local.ui import make_instance
from yumai_pipelines.model.lock_policy import LockPolicy
from yumai_pipelines.model.months import Month
from yumai_pipelines.partitions.ensure import ensure_months
from yumai_pipelines.partitions.tables import ArchivedMonthError
from yumai_pipelines.postgres.connections import connect
from yumai_pipelines.postgres.patience import LockNotObtainedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Databases

SEOUL = ZoneInfo("Asia/Seoul")
POLICY = LockPolicy(lock_timeout=timedelta(milliseconds=100), patience=timedelta(seconds=20))
IMPATIENT = LockPolicy(lock_timeout=timedelta(milliseconds=100), patience=timedelta(seconds=1))
AS_OF = datetime(2025, 6, 15, 12, tzinfo=SEOUL)
HARD = ["", None, '떡볶이 "2인분", 매운맛', "a\nb\r\n,'\t", "\\N", '"', "NULL", "\x01\x7f \\ \\n 🍜", "{a}", "null"]
"""Texts that CSV, JSON and array literals may spoil."""


def ensure(url: str, *months: str) -> None:
    with connect(url, application_name="test: partitions") as owner:
        ensure_months(owner, [Month.parse(month) for month in months], zone=SEOUL, policy=POLICY)


def archive(
    url: str,
    store: Path | Store,
    *months: str,
    again: bool = False,
    as_of: datetime = AS_OF,
    policy: LockPolicy = POLICY,
) -> list[ArchiveReport]:
    with connect(url, application_name="test: archives") as owner:
        return list(
            archive_months(
                owner,
                [Month.parse(month) for month in months],
                store=store if isinstance(store, Store) else Store.at(str(store)),
                zone=SEOUL,
                policy=policy,
                kept=6,
                as_of=as_of,
                again=again,
            )
        )


def restore(url: str, month: str) -> RestoreReport:
    with connect(url, application_name="test: archives") as owner:
        return restore_month(owner, Month.parse(month), zone=SEOUL, policy=POLICY)


def plant(connection: Connection, *, rows: int = 100) -> Value:
    """Plant rows of August 2024 with difficult values in every column, and rows of September. Return their session."""
    user = one(connection, "INSERT INTO chatbot.users (external_user_id) VALUES ('u') RETURNING id")
    shop = one(connection, "INSERT INTO chatbot.shops (shop_name) VALUES ('s') RETURNING id")
    session = one(connection, "INSERT INTO chatbot.session_master (user_id) VALUES (%s) RETURNING session_id", user)
    connection.execute(
        """
        INSERT INTO chatbot.conversations (
            session_id, user_id, conversation_time, input_text, response_text, extracted_intent, intent_confidence,
            emotion, extracted_entities, user_strategy, processing_time_ms, recommended_shop_ids, selected_shop_id,
            applied_coupon_ids
        )
        SELECT %(session)s, CASE WHEN n %% 5 > 0 THEN %(user)s END,
               timestamptz '2024-08-01 00:00+09' + n * interval '38 hours 1.000001 s',
               (%(texts)s::text[])[n %% cardinality(%(texts)s::text[]) + 1],
               repeat('밥', n %% 700), CASE WHEN n %% 3 > 0 THEN 'UNKNOWN' END, (n %% 1001) / 1000.0,
               -n, CASE WHEN n %% 4 > 0 THEN jsonb_build_object('음식', E'"\\n', 'n', n, 'x', 1.10, 'none', NULL) END,
               'normal_mode', 2147483647,
               (ARRAY['{}', '{1,NULL,-3}', NULL])[n %% 3 + 1]::int[],
               CASE WHEN n %% 7 > 0 THEN %(shop)s END,
               CASE WHEN n %% 4 > 0 THEN (%(texts)s::text[])[1 : n %% 9] END
          FROM generate_series(0, %(last)s) AS n
        """,
        {"session": session, "user": user, "shop": shop, "last": rows - 1, "texts": HARD},
    )
    return session


def contents(connection: Connection) -> list[Value]:
    """Return all rows, as PostgreSQL prints them."""
    return every(connection, "SELECT c::text FROM chatbot.conversations AS c ORDER BY id")


def test_a_month_leaves_for_a_file_and_comes_back_the_same(
    database: str, connection: Connection, tmp_path: Path
) -> None:
    ensure(database, "2024-08", "2024-09")
    plant(connection)
    before = contents(connection)
    august = one(connection, "SELECT count(*) FROM chatbot.conversations_2024_08")

    (report,) = archive(database, tmp_path, "2024-08")

    assert (report.action, report.late_rows) == ("archived", 0)
    assert report.archive is not None
    assert report.archive.row_count == august > 10
    assert len(contents(connection)) == len(before) - august
    assert one(connection, "SELECT to_regclass('yumai_pipelines.conversations_2024_08_detached')") is None
    assert one(connection, "SELECT to_regclass('chatbot.conversations_2024_08')") is None

    back = restore(database, "2024-08")

    assert contents(connection) == before
    assert (back.rows, back.archived_rows, back.late_rows) == (august, august, 0)
    assert one(connection, "SELECT count(*) FROM chatbot.conversations_2024_08") == august


def test_the_file_says_what_is_in_it(database: str, connection: Connection, tmp_path: Path) -> None:
    ensure(database, "2024-08")
    plant(connection)
    (report,) = archive(database, tmp_path, "2024-08")
    assert report.archive is not None
    (path,), (manifest_path,) = tmp_path.rglob("*.parquet"), tmp_path.rglob("*.json")
    assert report.archive.uri == f"file://{path}"
    assert sorted(each.name for each in tmp_path.rglob("*") if each.is_file()) == [manifest_path.name, path.name]

    parquet = pq.ParquetFile(path)
    assert {name: str(parquet.schema_arrow.field(name).type) for name in ("id", "input_text", "user_id")} == {
        "id": "int64",
        "input_text": "string",
        "user_id": "int32",
    }
    types = {field.name: field.type for field in parquet.schema_arrow}
    assert types["conversation_time"] == pa.timestamp("us", tz="UTC")
    assert types["intent_confidence"] == pa.decimal128(4, 3)
    assert types["recommended_shop_ids"] == pa.list_(pa.int32())
    assert types["applied_coupon_ids"] == pa.list_(pa.string())
    entities = parquet.schema_arrow.field("extracted_entities")
    assert (entities.type, entities.metadata[b"postgres_type"]) == (pa.string(), b"jsonb")
    assert entities.metadata[b"comment"].startswith(b"Foods")
    assert not parquet.schema_arrow.field("session_id").nullable
    assert parquet.metadata.row_group(0).column(0).compression == "ZSTD"
    times = parquet.read(["conversation_time"])["conversation_time"].to_pylist()
    assert times == sorted(times)

    manifest = json.loads(manifest_path.read_text())
    assert (manifest["month"], manifest["table"], manifest["bytes"]) == (
        "2024-08",
        "chatbot.conversations",
        path.stat().st_size,
    )
    assert manifest["summary"] == {
        "rows": len(times),
        "first": "2024-07-31T15:00:00+00:00",
        "last": times[-1].isoformat(),
        "checksum": report.archive.checksum,
    }
    assert (manifest["lower"], manifest["upper"]) == ("2024-08-01T00:00:00+09:00", "2024-09-01T00:00:00+09:00")
    assert [column["name"] for column in manifest["columns"]] == parquet.schema_arrow.names
    assert manifest["sha256"] == sha256(path.read_bytes()).hexdigest()


def test_columns_of_other_types_come_back_the_same(database: str, connection: Connection, tmp_path: Path) -> None:
    connection.execute(
        """
        ALTER TABLE chatbot.conversations
            ADD a double precision DEFAULT 'NaN', ADD b boolean DEFAULT true, ADD c date DEFAULT '2024-02-29',
            ADD d inet DEFAULT '::1', ADD e bytea DEFAULT '\\x00ff', ADD f numeric(10, 8) DEFAULT 0.00000001,
            ADD g interval DEFAULT '1 month -3 days', ADD h numeric DEFAULT 'Infinity', ADD i smallint[] DEFAULT '{7}',
            ADD j json DEFAULT '{"a":  1}', ADD k real[] DEFAULT '{1e-7}', ADD l smallint DEFAULT -1,
            ADD m char(3) DEFAULT 'a', ADD "n ""o" timestamp DEFAULT 'infinity',
            ADD p int GENERATED ALWAYS AS (conversation_turn + 1) STORED
        """
    )
    ensure(database, "2024-08")
    plant(connection, rows=10)
    connection.execute("UPDATE chatbot.conversations SET a = NULL, b = NULL, c = NULL, l = NULL, f = NULL WHERE id = 1")
    before = contents(connection)
    (report,) = archive(database, tmp_path, "2024-08")
    assert report.action == "archived"
    restore(database, "2024-08")
    assert contents(connection) == before


def test_a_month_without_a_row_is_archived_too(database: str, tmp_path: Path) -> None:
    ensure(database, "2024-08")
    reports = archive(database, tmp_path, "2024-08", "2024-09")
    assert [report.action for report in reports] == ["archived", "no rows"]
    assert restore(database, "2024-08").rows == 0


def test_what_is_done_stays_done(database: str, connection: Connection, tmp_path: Path) -> None:
    ensure(database, "2024-08", "2024-09")
    plant(connection)
    first = archive(database, tmp_path, "2024-09", "2024-08")
    assert [(report.month.key, report.action) for report in first] == [("2024-08", "archived"), ("2024-09", "archived")]
    second = archive(database, tmp_path, "2024-08", "2024-09")
    assert [report.action for report in second] == ["already archived"] * 2
    assert [report.archive for report in second] == [report.archive for report in first]


def test_rows_of_a_past_month_in_the_default_partition_are_archived_too(
    database: str, connection: Connection, tmp_path: Path
) -> None:
    plant(connection)
    (report,) = archive(database, tmp_path, "2024-08")
    assert (report.action, report.late_rows) == ("archived", 0)
    assert report.archive is not None
    assert report.archive.row_count == 20


@pytest.mark.parametrize(
    ("as_of", "oldest"),
    [
        ("2025-03-01 00:00+09", "2024-08"),
        ("2025-02-28 23:59:59.999999+09", "2024-07"),
        ("2025-02-28 15:00+00", "2024-08"),
        ("2025-08-31 12:00+09", "2025-01"),
    ],
)
def test_six_whole_seoul_months_are_kept(database: str, tmp_path: Path, as_of: str, oldest: str) -> None:
    now = datetime.fromisoformat(as_of)
    month = Month.parse(oldest)
    assert [report.action for report in archive(database, tmp_path, month.key, as_of=now)] == ["no rows"]
    with pytest.raises(ArchiveError, match=rf"{month + 1}: not past yet.*from {month + 1} on"):
        archive(database, tmp_path, oldest, (month + 1).key, as_of=now)


def test_neither_the_clients_time_zone_nor_its_date_style_makes_a_difference(
    database: str, connection: Connection, tmp_path: Path
) -> None:
    """The zone has daylight saving time, and the month's first and last instants have different offsets."""
    new_york, march = ZoneInfo("America/New_York"), Month(2025, 3)
    edges = ["2025-03-01 05:00+00", "2025-04-01 03:59:59.999999+00"]
    for time in (*edges, "2025-03-01 04:59:59.999999+00", "2025-04-01 04:00+00"):
        new_turn(connection, time)
    connection.execute(
        sql.SQL("ALTER DATABASE {} SET DateStyle = 'SQL, DMY'").format(sql.Identifier(connection.info.dbname))
    )
    before = contents(connection)
    with connect(database, application_name="test: archives", zone="Asia/Kolkata") as owner:
        store, as_of = Store.at(str(tmp_path)), datetime(2026, 1, 1, tzinfo=new_york)
        (report,) = archive_months(owner, [march], store=store, zone=new_york, policy=POLICY, kept=6, as_of=as_of)
        assert report.archive is not None
        assert (report.archive.first_time, report.archive.last_time) == tuple(map(datetime.fromisoformat, edges))
        (path,) = tmp_path.rglob("*.parquet")
        assert pq.read_metadata(path).num_rows == 2
        assert restore_month(owner, march, zone=new_york, policy=POLICY).rows == 2
    assert contents(connection) == before


def test_two_runs_at_once_archive_a_month_once(database: str, connection: Connection, tmp_path: Path) -> None:
    ensure(database, "2024-08")
    plant(connection)
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(archive, database, tmp_path, "2024-08") for _ in range(2)]
        actions = sorted(report.action for run in runs for report in run.result())
    assert actions == ["already archived", "archived"]


def test_an_archived_month_gets_no_empty_partition(database: str, connection: Connection, tmp_path: Path) -> None:
    ensure(database, "2024-08")
    plant(connection)
    archive(database, tmp_path, "2024-08")
    with pytest.raises(ArchivedMonthError, match=r"2024-08: archived in file://.*\(20 rows\)") as refusal:
        ensure(database, "2024-07", "2024-08")
    assert "`yumai restore-month 2024-08`" in str(refusal.value)
    assert one(connection, "SELECT to_regclass('chatbot.conversations_2024_07')") is None


class Meddling(Store):
    """A store that does something after it has written a Parquet file."""

    meddle: ClassVar[Callable[[Path], None]]

    @contextmanager
    def writing(self, name: str) -> Iterator[IO[bytes]]:
        with super().writing(name) as file:
            yield file
        if name.endswith(".parquet"):
            type(self).meddle(Path(self.root) / name)


def rewrite(path: Path, column: str, change: Callable[[list[Value]], None]) -> None:
    table = pq.read_table(path)
    values = table[column].to_pylist()
    change(values)
    field = table.field(column)
    pq.write_table(table.set_column(table.column_names.index(column), field, pa.array(values, field.type)), path)


def change_a_value(path: Path) -> None:
    rewrite(path, "emotion", lambda values: values.append(values.pop() + 1))


def swap_two_values(path: Path) -> None:
    rewrite(path, "response_text", lambda values: values.insert(3, values.pop(4)))


def repeat_a_row(path: Path) -> None:
    table = pq.read_table(path)
    pq.write_table(pa.concat_tables([table, table.slice(0, 1)]), path)


def lose_a_row(path: Path) -> None:
    pq.write_table(pq.read_table(path).slice(1), path)


def cut_the_file(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def flip_a_bit(path: Path) -> None:
    chunk = pq.ParquetFile(path).metadata.row_group(0).column(0)
    content = bytearray(path.read_bytes())
    content[chunk.data_page_offset + chunk.total_compressed_size // 2] ^= 1
    path.write_bytes(content)


def test_a_file_that_does_not_match_puts_the_month_back(
    database: str, connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure(database, "2024-08")
    plant(connection)
    before = contents(connection)
    for damage in (change_a_value, swap_two_values, repeat_a_row, lose_a_row, cut_the_file, flip_a_bit):
        monkeypatch.setattr(Meddling, "meddle", damage, raising=False)
        with pytest.raises(ArchiveError, match=r"does not hold what|damaged") as refusal:
            archive(database, Meddling.at(str(tmp_path)), "2024-08")
        assert str(refusal.value).endswith("The month is a partition as before.")
        assert contents(connection) == before
    (report,) = archive(database, tmp_path, "2024-08")
    assert report.action == "archived"
    restore(database, "2024-08")
    assert contents(connection) == before


def test_a_store_that_cannot_be_written_keeps_the_month(database: str, connection: Connection, tmp_path: Path) -> None:
    ensure(database, "2024-08")
    plant(connection)
    before = contents(connection)
    (tmp_path / "full").write_text("no directory")
    with pytest.raises(ArchiveError, match=r"full/conversations/2024-08.* cannot be written"):
        archive(database, tmp_path / "full", "2024-08")
    assert contents(connection) == before
    assert one(connection, "SELECT count(*) FROM yumai_pipelines.archives") == 0


@pytest.mark.parametrize(
    "value",
    [
        "intent_confidence = 'NaN'",
        "recommended_shop_ids = '{{1,2},{3,4}}'",
        "recommended_shop_ids = '[0:1]={1,2}'",
        "applied_coupon_ids = '{{a},{b}}'",
        "applied_coupon_ids = '[0:1]={a,b}'",
        "at = 'infinity'",
        "at = '0044-03-15 BC'",
        "at = '294276-12-31 23:59:59.999999+00'",
        "day = '-infinity'",
        "day = '10000-01-01'",
    ],
)
def test_a_value_that_fits_no_arrow_type_comes_back_the_same(
    value: LiteralString, database: str, connection: Connection, tmp_path: Path
) -> None:
    ensure(database, "2024-08")
    plant(connection)
    connection.execute("ALTER TABLE chatbot.conversations ADD at timestamptz, ADD day date")
    connection.execute(sql.SQL("UPDATE chatbot.conversations SET {} WHERE id = 2").format(sql.SQL(value)))
    connection.execute("UPDATE chatbot.conversations SET at = now(), day = now() WHERE id > 2")
    before = contents(connection)
    assert [report.action for report in archive(database, tmp_path, "2024-08")] == ["archived"]
    (path,), (manifest,) = tmp_path.rglob("*.parquet"), tmp_path.rglob("*.json")
    column = value.split()[0]
    field = pq.read_schema(path).field(column)
    assert (field.type, field.metadata[b"form"]) == (pa.string(), b"text")
    assert [each["name"] for each in json.loads(manifest.read_text())["columns"] if each["as_text"]] == [column]
    restore(database, "2024-08")
    assert contents(connection) == before


def test_nobody_but_the_foreign_keys_changes_a_detached_table(
    database: str, connection: Connection, tmp_path: Path
) -> None:
    """Whoever may write conversations could else change rows during each export, and stall the archive for ever."""
    ensure(database, "2024-08")
    plant(connection)
    connection.execute("GRANT SELECT ON chatbot.conversations_2024_08 TO PUBLIC")
    with pytest.raises(KeyboardInterrupt):
        archive(database, Interrupted.at(str(tmp_path)), "2024-08")
    table = "yumai_pipelines.conversations_2024_08_detached"
    assert one(connection, "SELECT has_table_privilege('yumai_app', 'chatbot.conversations', 'UPDATE')")
    for role in ("yumai_app", "yumai_analyst"):
        assert not one(connection, "SELECT has_table_privilege(%s, %s, 'SELECT, INSERT, UPDATE, DELETE')", role, table)
    connection.execute("SET ROLE yumai_app")
    connection.execute("DELETE FROM chatbot.session_master")
    connection.execute("RESET ROLE")
    assert one(connection, "SELECT count(*) FROM yumai_pipelines.conversations_2024_08_detached") == 0


def test_archives_may_be_kept_wherever_fsspec_reaches(database: str, connection: Connection) -> None:
    ensure(database, "2024-08")
    plant(connection)
    before = contents(connection)
    store = Store.at("memory://yumai/archives")
    (report,) = archive(database, store, "2024-08")
    assert report.archive is not None
    assert str(report.archive.uri).startswith("memory://")
    restore(database, "2024-08")
    assert contents(connection) == before
    with pytest.raises(ArchiveError, match="YUMAI_ARCHIVE_URL"):
        Store.at("carrier-pigeon://yumai")


# Deletions during and after the archiving


def delete_session(url: str, session: Value) -> None:
    with psycopg.connect(url, autocommit=True) as other:
        other.execute("DELETE FROM chatbot.session_master WHERE session_id = %s", (session,))


def new_turn(connection: Connection, time: str = "2024-08-20 12:00+09") -> Value:
    """Write a turn in a session of its own, and return the session."""
    session = one(connection, "INSERT INTO chatbot.session_master DEFAULT VALUES RETURNING session_id")
    connection.execute(
        "INSERT INTO chatbot.conversations (session_id, conversation_time) VALUES (%s, %s)", (session, time)
    )
    return session


def test_a_session_that_goes_during_the_export_is_not_in_the_file(
    database: str, connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure(database, "2024-08")
    plant(connection)
    sessions = [new_turn(connection), new_turn(connection)]

    def delete_next(_: Path) -> None:
        if sessions:
            delete_session(database, sessions.pop())

    monkeypatch.setattr(Meddling, "meddle", delete_next, raising=False)
    (report,) = archive(database, Meddling.at(str(tmp_path)), "2024-08")
    assert report.archive is not None
    assert report.archive.row_count == 20
    assert one(connection, "SELECT count(*) FROM yumai_pipelines.archive_changes") == 0
    assert restore(database, "2024-08").archived_rows == 20


def test_a_month_whose_sessions_never_stop_going_is_archived_all_the_same(
    database: str, connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that are deleted during the last of three exports stay in the file, like those deleted afterwards."""
    ensure(database, "2024-08")
    plant(connection)
    sessions = [new_turn(connection) for _ in range(9)]
    monkeypatch.setattr(Meddling, "meddle", lambda _: delete_session(database, sessions.pop()), raising=False)
    (report,) = archive(database, Meddling.at(str(tmp_path)), "2024-08")
    assert report.archive is not None
    assert (report.archive.row_count, len(sessions)) == (27, 6)
    delete_session(database, sessions.pop())
    back = restore(database, "2024-08")
    assert (back.rows, back.gone["conversations_session_id_fkey"]) == (25, 2)


def test_a_month_that_somebody_goes_on_writing_to_is_put_back(
    database: str, connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure(database, "2024-08")
    plant(connection)
    gone = new_turn(connection)

    def change(_: Path) -> None:
        connection.execute("UPDATE yumai_pipelines.conversations_2024_08_detached SET emotion = 1 WHERE id = 7")

    monkeypatch.setattr(Meddling, "meddle", change, raising=False)
    with pytest.raises(ArchiveError, match="changed during each of 3 exports"):
        archive(database, Meddling.at(str(tmp_path)), "2024-08")
    delete_session(database, gone)
    assert one(connection, "SELECT count(*) FROM chatbot.conversations_2024_08") == 20
    assert one(connection, "SELECT emotion FROM chatbot.conversations WHERE id = 7") == 1
    connection.execute("DELETE FROM chatbot.session_master")
    assert contents(connection) == []


def test_what_was_deleted_since_does_not_come_back(database: str, connection: Connection, tmp_path: Path) -> None:
    ensure(database, "2024-08")
    plant(connection)
    new_turn(connection)
    gone = new_turn(connection)
    user = one(connection, "INSERT INTO chatbot.users DEFAULT VALUES RETURNING id")
    new_turn(connection)
    connection.execute(
        "UPDATE chatbot.conversations SET user_id = %s WHERE id = (SELECT max(id) FROM chatbot.conversations)", (user,)
    )
    archive(database, tmp_path, "2024-08")
    delete_session(database, gone)
    connection.execute("DELETE FROM chatbot.users WHERE id = %s", (user,))
    connection.execute("DELETE FROM chatbot.shops")

    back = restore(database, "2024-08")

    assert (back.archived_rows, back.rows) == (23, 21)
    assert back.gone == {"conversations_session_id_fkey": 1, "conversations_user_id_fkey": 1}
    assert back.cleared == {"conversations_selected_shop_id_fkey": 17}
    keys = (
        "SELECT count(*) FROM pg_constraint "
        "WHERE conrelid = 'chatbot.conversations_2024_08'::regclass AND contype = 'f' AND convalidated"
    )
    assert one(connection, keys) == 3
    connection.execute("DELETE FROM chatbot.session_master")
    assert one(connection, "SELECT count(*) FROM chatbot.conversations_2024_08") == 0


def test_rows_that_come_late_join_the_month_when_it_comes_back(
    database: str, connection: Connection, tmp_path: Path
) -> None:
    ensure(database, "2024-08")
    plant(connection)
    archive(database, tmp_path, "2024-08")
    new_turn(connection)
    (report,) = archive(database, tmp_path, "2024-08")
    assert (report.action, report.late_rows) == ("already archived", 1)

    back = restore(database, "2024-08")

    assert (back.rows, back.archived_rows, back.late_rows) == (21, 20, 1)
    assert one(connection, "SELECT count(*) FROM chatbot.conversations_2024_08") == 21
    (kept,) = archive(database, tmp_path, "2024-08")
    assert kept.action == "restored, left alone"
    (again,) = archive(database, tmp_path, "2024-08", again=True)
    assert again.action == "archived"
    assert again.archive is not None
    assert again.archive.row_count == 21
    assert restore(database, "2024-08").rows == 21


def test_a_month_is_restored_from_the_command_line(database: str, connection: Connection, tmp_path: Path) -> None:
    plant(connection)
    gone = new_turn(connection)
    archive(database, tmp_path, "2024-08")
    delete_session(database, gone)
    new_turn(connection)

    def yumai(month: str) -> Result:
        return CliRunner().invoke(app, ["restore-month", month], env={"YUMAI_DATABASE_URL": database})

    assert "is no month; write YYYY-MM" in yumai("August").stderr
    refusal = yumai("2024-09").exception
    assert isinstance(refusal, ArchiveError)
    assert "Archived are: 2024-08" in str(refusal)
    assert yumai("2024-08").stdout.splitlines() == [
        "2024-08 is back as chatbot.conversations_2024_08: 21 rows, of 21 archived ones.",
        "1 did not come back, since what conversations_session_id_fkey names is gone.",
        "1 rows had come in the meantime, and are there as well.",
    ]


@pytest.mark.usefixtures("kept_for")
def test_a_restored_month_is_shown_as_one(
    graph: Graph,
    connection: Connection,
    database: str,
    databases: Databases,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plant(connection, rows=40)
    with databases.create() as history:
        for name, value in (("DATABASE", database), ("DAGSTER", databases.url(history))):
            monkeypatch.setenv(f"YUMAI_{name}_URL", value)
        monkeypatch.setenv("YUMAI_HOME", str(tmp_path))
        with dg.DagsterInstance.from_config(str(make_instance(tmp_path))) as instance:
            there = replace(graph, instance=instance)
            assert there.run("monthly_partitions", months("2024-08", "2024-09")).success
            assert there.run("monthly_archive", **leaving("2024-08", "2024-09")).success
            assert instance.get_dynamic_partitions("archived_months") == ["2024-08-01", "2024-09-01"]
            done = CliRunner().invoke(app, ["restore-month", "2024-08"])
            assert done.exit_code == 0, done.output
            assert instance.get_dynamic_partitions("archived_months") == ["2024-09-01"]
            (latest,) = instance.fetch_materializations(
                dg.AssetRecordsFilter(CONVERSATIONS, asset_partitions=["2024-08-01"]), limit=1
            ).records
            assert latest.asset_materialization is not None
            assert latest.asset_materialization.metadata["action"].value == "restored"


# What stops an archiving or a restore


def test_only_what_is_archived_can_be_restored(database: str, tmp_path: Path) -> None:
    ensure(database, "2024-08", "2024-09")
    with pytest.raises(ArchiveError, match=r"2024-08 is not archived.*Archived are: none"):
        restore(database, "2024-08")
    archive(database, tmp_path, "2024-08", "2024-09")
    restore(database, "2024-08")
    with pytest.raises(ArchiveError, match=r"2024-08 is not archived.*Archived are: 2024-09"):
        restore(database, "2024-08")


def test_a_damaged_file_is_not_restored(database: str, connection: Connection, tmp_path: Path) -> None:
    ensure(database, "2024-08")
    plant(connection)
    before = contents(connection)
    archive(database, tmp_path, "2024-08")
    (path,) = tmp_path.rglob("*.parquet")
    copy = path.read_bytes()
    for damage in (lose_a_row, swap_two_values, cut_the_file, Path.unlink):
        damage(path)
        with pytest.raises(ArchiveError, match=r"damaged|cannot be read") as refusal:
            restore(database, "2024-08")
        assert path.name in str(refusal.value)
        assert len(contents(connection)) == len(before) - 20
        path.write_bytes(copy)
    restore(database, "2024-08")
    assert contents(connection) == before


def test_a_partition_made_by_hand_is_named_and_left_alone(
    database: str, connection: Connection, tmp_path: Path
) -> None:
    ensure(database, "2024-08")
    plant(connection)
    archive(database, tmp_path, "2024-08")
    connection.execute(
        "CREATE TABLE chatbot.by_hand PARTITION OF chatbot.conversations "
        "FOR VALUES FROM ('2024-08-01 00:00+09') TO ('2024-09-01 00:00+09')"
    )
    new_turn(connection)
    with pytest.raises(ArchiveError, match=r"chatbot\.by_hand is its partition"):
        restore(database, "2024-08")
    connection.execute(
        """
        ALTER TABLE chatbot.conversations DETACH PARTITION chatbot.by_hand;
        INSERT INTO chatbot.conversations OVERRIDING SYSTEM VALUE SELECT * FROM chatbot.by_hand;
        DROP TABLE chatbot.by_hand
        """
    )
    assert restore(database, "2024-08").rows == 21


def test_a_row_that_was_inserted_again_is_not_restored_over(
    database: str, connection: Connection, tmp_path: Path
) -> None:
    ensure(database, "2024-08")
    plant(connection)
    archive(database, tmp_path, "2024-08")
    session = one(connection, "SELECT session_id FROM chatbot.session_master")
    connection.execute(
        "INSERT INTO chatbot.conversations (id, conversation_time, session_id) OVERRIDING SYSTEM VALUE "
        "VALUES (1, '2024-08-01 00:00+09', %s)",
        (session,),
    )
    with pytest.raises(ArchiveError, match=r"1 rows of 2024-08 are in chatbot\.conversations_default as well"):
        restore(database, "2024-08")


def test_columns_that_are_gone_are_named(database: str, connection: Connection, tmp_path: Path) -> None:
    ensure(database, "2024-08")
    plant(connection)
    archive(database, tmp_path, "2024-08")
    connection.execute("ALTER TABLE chatbot.conversations ADD added int DEFAULT 7, DROP emotion CASCADE")
    with pytest.raises(ArchiveError, match='column "emotion"'):
        restore(database, "2024-08")
    connection.execute("ALTER TABLE chatbot.conversations ADD emotion int")
    assert restore(database, "2024-08").rows == 20
    assert one(connection, "SELECT sum(added) FROM chatbot.conversations_2024_08") == 140


def test_who_reads_is_waited_for_and_named(database: str, connection: Connection, tmp_path: Path) -> None:
    ensure(database, "2024-08")
    with psycopg.connect(database, application_name="a long report") as reader:
        reader.execute("SELECT count(*) FROM chatbot.conversations")
        with pytest.raises(LockNotObtainedError, match="a long report"):
            archive(database, tmp_path, "2024-08", policy=IMPATIENT)
        assert one(connection, "SELECT to_regclass('chatbot.conversations_2024_08')") is not None
    assert [report.action for report in archive(database, tmp_path, "2024-08")] == ["archived"]


def test_without_a_default_partition_nobody_is_stopped(database: str, connection: Connection, tmp_path: Path) -> None:
    """This uses DETACH … CONCURRENTLY. If somebody reads for longer than it may wait, the next run finalizes it."""
    ensure(database, "2024-08", "2024-09")
    plant(connection, rows=30)
    connection.execute("DROP TABLE chatbot.conversations_default")
    with psycopg.connect(database, application_name="a long report") as reader:
        one(reader, "SELECT count(*) FROM chatbot.conversations")
        with pytest.raises(LockNotObtainedError, match="a long report"):
            archive(database, tmp_path, "2024-08", policy=IMPATIENT)
        assert one(
            connection,
            "SELECT inhdetachpending FROM pg_inherits WHERE inhrelid = 'chatbot.conversations_2024_08'::regclass",
        )
        new_turn(connection, "2024-09-20 12:00+09")
    (report,) = archive(database, tmp_path, "2024-08")
    assert report.archive is not None
    assert (report.action, report.archive.row_count, report.lock_held_ms > 0) == ("archived", 20, True)
    assert [each.action for each in archive(database, tmp_path, "2024-09")] == ["archived"]
    assert (restore(database, "2024-08").rows, restore(database, "2024-09").rows) == (20, 11)


# The graph


ARCHIVED = dg.AssetKey(["chatbot", "archived_conversations"])


def archive_again(graph: Graph, month: str) -> Run:
    """Run the job for a month that was restored, with the order to archive it again."""
    return graph.run("monthly_archive", **leaving(month, again=True))


@pytest.fixture
def kept_for(_environment: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Set the directory of the graph's archives."""
    monkeypatch.setenv("YUMAI_ARCHIVE_URL", str(tmp_path))


@pytest.mark.usefixtures("kept_for")
def test_a_range_of_months_is_archived_in_one_run_and_shows_each(
    graph: Graph, connection: Connection, database: str
) -> None:
    ensure(database, "2024-08", "2024-09")
    plant(connection, rows=75)

    run = graph.run("monthly_archive", **leaving("2024-08", "2024-11"))

    assert run.success
    by_month = run.materialized(*ARCHIVED.path)
    assert {month: (each["action"], each.get("dagster/partition_row_count")) for month, each in by_month.items()} == {
        "2024-08-01": ("archived", 20),
        "2024-09-01": ("archived", 19),
        "2024-10-01": ("archived", 20),
        "2024-11-01": ("archived", 16),
    }
    august = by_month["2024-08-01"]
    assert august["uri"].startswith("file://")
    assert august["checksum"] == one(
        connection, "SELECT checksum FROM yumai_pipelines.archives WHERE month = '2024-08-01'"
    )
    assert august["first_time"] == "2024-08-01 00:00:00+09:00"
    assert august["bytes"] > 0
    assert (august["late_rows"], august["retries"]) == (0, 0)


@pytest.mark.usefixtures("kept_for")
def test_a_range_leaves_archived_months_alone_and_a_run_for_one_fails(
    graph: Graph, connection: Connection, database: str
) -> None:
    plant(connection, rows=20)
    assert graph.run("monthly_partitions", months("2024-08", "2024-10")).success
    assert graph.run("monthly_archive", **leaving("2024-09")).success
    assert graph.run("monthly_archive", **leaving("2024-08")).success

    run = graph.run("monthly_partitions", months("2024-08", "2024-11"))

    assert run.failed_checks() == {"chatbot/conversations:months_ahead"}
    actions = {month: each["action"] for month, each in run.materialized("chatbot", "conversations").items()}
    assert actions == {
        "2024-08-01": "left alone",
        "2024-09-01": "left alone",
        "2024-10-01": "recognized",
        "2024-11-01": "created",
    }
    august = run.materialized("chatbot", "conversations")["2024-08-01"]
    assert "archived in file://" in august["rows_are"]
    restore(database, "2024-08")
    assert graph.check("chatbot", "conversations", "months_tile").failed_checks() == set()
    connection.execute("DELETE FROM yumai_pipelines.archives")
    assert graph.check("chatbot", "conversations", "months_tile").failed_checks() == {
        "chatbot/conversations:months_tile"
    }


@pytest.mark.usefixtures("kept_for")
def test_a_run_for_an_archived_month_alone_fails_and_names_the_file(graph: Graph, connection: Connection) -> None:
    plant(connection, rows=20)
    assert graph.run("monthly_archive", **leaving("2024-08")).success
    run = graph.run("monthly_partitions", months("2024-08"))
    assert not run.success
    (failure,) = (each.step_failure_data.error for each in run.outcome.get_step_failure_events())
    assert failure is not None
    assert "`yumai restore-month 2024-08` brings one back" in str(failure.cause or failure)


@pytest.mark.usefixtures("kept_for")
def test_a_restored_month_is_archived_anew_when_a_run_is_told_so(
    graph: Graph, connection: Connection, database: str
) -> None:
    plant(connection, rows=20)
    assert graph.run("monthly_archive", **leaving("2024-08")).success
    restore(database, "2024-08")
    actions = [
        run.materialized(*ARCHIVED.path)["2024-08-01"]["action"]
        for run in (graph.run("monthly_archive", **leaving("2024-08")), archive_again(graph, "2024-08"))
    ]
    assert actions == ["restored, left alone", "archived"]


@pytest.mark.usefixtures("kept_for")
def test_a_file_that_is_gone_and_a_month_that_waits_are_found(
    graph: Graph, connection: Connection, tmp_path: Path
) -> None:
    check = ("chatbot", "archived_conversations", "every_month_has_its_file")
    plant(connection, rows=50)
    assert graph.run("monthly_archive", **leaving("2024-08", "2024-10")).success
    evaluation = graph.check(*check).evaluation(*check)
    assert evaluation.passed
    august, september = (
        next((tmp_path / "conversations" / month).glob("*.parquet")) for month in ("2024-08", "2024-09")
    )
    august.unlink()
    cut_the_file(september)
    connection.execute("UPDATE yumai_pipelines.archives SET state = 'detached', uri = NULL WHERE month = '2024-10-01'")
    evaluation = graph.check(*check).evaluation(*check)
    assert evaluation.description is not None
    assert not evaluation.passed
    assert evaluation.metadata["count"].value == 3
    assert f"file://{august} is not there" in evaluation.description
    assert f"bytes instead of {september.stat().st_size + 100:,}" in evaluation.description
    assert "conversations_2024_10_detached" in evaluation.description


@pytest.mark.usefixtures("kept_for")
def test_a_person_is_erased_from_every_file(
    graph: Graph, connection: Connection, database: str, tmp_path: Path
) -> None:
    plant(connection, rows=39)
    for time in ("2024-08-20 12:00+09", "2024-09-20 12:00+09"):
        new_turn(connection, time)
    others = every(connection, "SELECT id FROM chatbot.conversations WHERE user_id IS NULL AND id > 39")
    assert graph.run("monthly_archive", **leaving("2024-08", "2024-09")).success
    restore(database, "2024-08")
    connection.execute("UPDATE chatbot.conversations SET emotion = 5 WHERE id = 1")
    assert archive_again(graph, "2024-08").success
    assert len(list(tmp_path.rglob("*.parquet"))) == 3
    user = one(connection, "SELECT id FROM chatbot.users")
    connection.execute("DELETE FROM chatbot.users")

    (tmp_path / "conversations" / "2024-09" / "1234.parquet.partial").touch()

    assert [graph.run("erase_user", user_id=user, reason="asked for", dry_run=False).success for _ in range(2)] == [
        True,
        False,
    ]

    assert every(connection, "SELECT counts FROM yumai_pipelines.erasures") == [
        ({"archive of 2024-08": 40, "archive of 2024-09": 19},)
    ]
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} == {".parquet", ".json"}
    assert len(list(tmp_path.rglob("*.parquet"))) == len(list(tmp_path.rglob("*.json"))) == 2
    left = [i for path in tmp_path.rglob("*.parquet") for i in pq.read_table(path)["id"].to_pylist()]
    assert sorted(left) == sorted(i for (i,) in others)
    assert all(json.loads(path.read_text())["summary"]["rows"] == 1 for path in tmp_path.rglob("*.json"))
    assert [restore(database, month).rows for month in ("2024-08", "2024-09")] == [1, 1]
    assert sorted(i for (i,) in every(connection, "SELECT id FROM chatbot.conversations")) == sorted(left)
