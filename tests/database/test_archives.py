"""Past months leave for files that are proven, and come back as they would be had they never been away."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from tests.support import Connection, Value, every, one
from yumai_pipelines.archives.archive import ArchiveReport, archive_months
from yumai_pipelines.archives.restore import RestoreReport, restore_month
from yumai_pipelines.archives.store import Store
from yumai_pipelines.database import connect
from yumai_pipelines.months import Month
from yumai_pipelines.partitions import LockPolicy, ensure_months

if TYPE_CHECKING:
    from pathlib import Path

SEOUL = ZoneInfo("Asia/Seoul")
POLICY = LockPolicy(lock_timeout=timedelta(milliseconds=100), patience=timedelta(seconds=20))
AS_OF = datetime(2025, 3, 15, 12, tzinfo=SEOUL)
AUGUST = Month(2024, 8)
HARD = ["", None, '떡볶이 "2인분", 매운맛', "a\nb\r\n,'\t", "\\N", '"', "NULL", "\x01\x7f \\ \\n 🍜", "{a}", "null"]
"""Texts that get lost in CSV, JSON and array literals."""


def ensure(url: str, *months: str) -> None:
    with connect(url, application_name="test: partitions") as owner:
        ensure_months(owner, [Month.parse(month) for month in months], zone=SEOUL, policy=POLICY)


def archive(url: str, store: Path, *months: str, again: bool = False, as_of: datetime = AS_OF) -> list[ArchiveReport]:
    with connect(url, application_name="test: archives") as owner:
        return list(
            archive_months(
                owner,
                [Month.parse(month) for month in months],
                store=Store.at(str(store)),
                zone=SEOUL,
                policy=POLICY,
                kept=6,
                as_of=as_of,
                again=again,
            )
        )


def restore(url: str, month: str) -> RestoreReport:
    with connect(url, application_name="test: archives") as owner:
        return restore_month(owner, Month.parse(month), zone=SEOUL, policy=POLICY)


def plant(connection: Connection, *, rows: int = 100) -> Value:
    """Rows of August 2024 that make every column hard, and of September; returns their session."""
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
               timestamptz '2024-08-01 00:00+09' + n * interval '37 hours 1.000001 s',
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
    """All rows, printed by PostgreSQL."""
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
