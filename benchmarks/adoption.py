"""Adopts an older database of up to three million conversations while its application writes.

The other side does the same with plain statements, as in section 8.2 of the database document with its errors
corrected: the sessions in one INSERT, ALTER COLUMN TYPE, CREATE INDEX, and ALTER TABLE … ADD FOREIGN KEY on each table.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from benchmarks.runner import Benchmark, Measure, Scale, seconds
from yumai_pipelines.adoption import adopt
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

LEGACY = Path(__file__).parents[1] / "tests" / "adoption" / "legacy"
PLAIN = Path(__file__).with_name("adopt_plainly.sql")
CONVERSATIONS = {Scale.SMALL: 100_000, Scale.MEDIUM: 1_000_000, Scale.LARGE: 3_000_000}
WRITERS = 4
INTERVAL = 0.01
TURNS = 10

ROWS = (
    "INSERT INTO chatbot.users (external_user_id) SELECT 'u' || n FROM generate_series(1, 20000) AS n",
    "INSERT INTO chatbot.shops (shop_name) SELECT 'shop ' || n FROM generate_series(1, 1000) AS n",
    """
    INSERT INTO chatbot.conversations
           (session_id, user_id, conversation_time, input_text, response_text, selected_shop_id)
    SELECT md5('session ' || s)::uuid, 1 + s %% 20000,
           m.start + (s %% 28) * interval '1 day' + (s / 7 + n) * interval '1 s',
           repeat('배고파요 ', 6), repeat('근처 식당을 찾았어요 ', 4), 1 + s %% 1000
      FROM generate_series(1, %(conversations)s / %(turns)s) AS s
     CROSS JOIN generate_series(1, %(turns)s) AS n
      JOIN (SELECT row_number() OVER () - 1 AS number, start FROM unnest(ARRAY[
            '2024-08-01 00:00+09', '2024-09-01 00:00+09', '2024-10-01 00:00+09', '2024-11-01 00:00+09',
            '2025-01-01 00:00+09', '2025-02-01 00:00+09', '2025-03-01 00:00+09']::timestamptz[]) AS start) AS m
        ON m.number = s %% 7
    """,
    """
    INSERT INTO ml_features.user_interactions (user_id, session_id, time_stamp, interaction_type)
    SELECT 1 + s %% 20000, CASE WHEN s %% 1000 > 0 THEN md5('session ' || s)::uuid END,
           timestamp '2024-08-01' + s * interval '1 minute', 'text_input'
      FROM generate_series(1, %(conversations)s / %(turns)s) AS s
    """,
    """
    INSERT INTO analytics.recommendations_log (user_id, shop_id, session_id, time_stamp, recommendations,
           recommendation_count, user_selection, selection_timestamp)
    SELECT 1 + s %% 20000, 1 + s %% 1000, md5('session ' || s)::uuid, timestamp '2024-08-01' + s * interval '1 minute',
           '[{"shop_id": 1, "score": 0.9, "reason": "near"}]', 1, '{"shop_id": 1}',
           timestamp '2024-08-01' + (s + 1) * interval '1 minute'
      FROM generate_series(1, %(conversations)s / %(turns)s) AS s
    """,
    """
    INSERT INTO analytics.user_feedback (session_id, related_recommendation_id, user_id, time_stamp, feedback_type)
    SELECT md5('session ' || s)::uuid, s, 1 + s %% 20000, timestamp '2024-08-01' + s * interval '1 minute', 'rating'
      FROM generate_series(1, %(conversations)s / %(turns)s / 2) AS s
    """,
)


class OlderApplication:
    """Clients that insert a conversation without a session every ten milliseconds, and measure how long that takes."""

    def __init__(self, url: str) -> None:
        """Start the clients."""
        self.longest = 0.0
        self.inserted = 0
        self.failed = 0
        self._url = url
        self._over = threading.Event()
        self._pool = ThreadPoolExecutor(WRITERS)
        self._running = [self._pool.submit(self._write) for _ in range(WRITERS)]

    def _write(self) -> None:
        insert = "INSERT INTO chatbot.conversations (user_id, conversation_time) VALUES (1, '2025-03-20 12:00+09')"
        with psycopg.connect(self._url, autocommit=True) as connection:
            due = time.monotonic()
            while not self._over.is_set():
                started = time.monotonic()
                try:
                    connection.execute(insert)
                except psycopg.Error:
                    self.failed += 1
                ended = time.monotonic()
                self.longest = max(self.longest, ended - started)
                self.inserted += 1
                due = max(due + INTERVAL, ended)
                time.sleep(due - ended)

    def stop(self) -> None:
        """Stop the clients after their current insert."""
        self._over.set()
        self._pool.shutdown()
        for each in self._running:
            each.result()


def make_older(url: str, scale: Scale) -> None:
    """Replace the schema by that of an older database with rows."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA chatbot, ml_features, analytics, extracts, yumai_pipelines CASCADE")
        connection.execute((LEGACY / "schema.sql").read_bytes())
        for statement in ROWS:
            values = {"conversations": CONVERSATIONS[scale], "turns": TURNS}
            connection.execute(statement.encode(), values)
        connection.execute("VACUUM ANALYZE")
        # The loaded rows must not be written to disk during the measurement.
        connection.execute("CHECKPOINT")


def plainly(url: str) -> None:
    """Do the work of the adoption with plain statements."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(PLAIN.read_bytes())


def while_it_writes(url: str, scale: Scale, work: Callable[[], object]) -> tuple[OlderApplication, float]:
    """Do the work while the older application writes. Return the application, which has measured, and the seconds."""
    make_older(url, scale)
    application = OlderApplication(url)
    try:
        took = seconds(work)
    finally:
        application.stop()
    return application, took


def _waited(url: str, scale: Scale, work: Callable[[], object]) -> Measure:
    application, took = while_it_writes(url, scale, work)
    remarks = f"{took:.0f} s, {application.failed} of {application.inserted} inserts failed"
    return Measure(application.longest * 1000, remarks)


def _ours(url: str) -> Callable[[], object]:
    return lambda: adopt(url, Settings())


def _theirs(url: str) -> Callable[[], object]:
    return lambda: plainly(url)


WAIT = Benchmark(
    name="adoption-wait",
    what="longest wait of a writer while an older database is adopted",
    against="plain statements, as in section 8.2",
    goal="≤ lock timeout + 50 ms = 150 ms, no failed insert",
    unit="ms",
    ours=lambda url, scale: _waited(url, scale, _ours(url)),
    theirs=lambda url, scale: _waited(url, scale, _theirs(url)),
)
TIME = Benchmark(
    name="adoption-time",
    what="adopting an older database, while it is written to",
    against="plain statements, as in section 8.2",
    goal="≤ 2 × (a ratio of 0.5)",
    unit="s",
    ours=lambda url, scale: Measure(while_it_writes(url, scale, _ours(url))[1]),
    theirs=lambda url, scale: Measure(while_it_writes(url, scale, _theirs(url))[1]),
)
