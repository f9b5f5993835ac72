"""Measures what writers pay for the triggers that note in `source_changes` what the extracts read."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg import sql

from benchmarks.changes import prepare
from benchmarks.runner import Benchmark, Measure, Scale, seconds
from yumai_pipelines.postgres.connections import connect

if TYPE_CHECKING:
    from collections.abc import Callable

    from yumai_pipelines.postgres.connections import Connection

PROCEDURES = (Path(__file__).parent / "writers.sql").read_text(encoding="utf-8")
ROWS = {Scale.SMALL: 5_000, Scale.MEDIUM: 10_000, Scale.LARGE: 20_000}
COMMITS = 500
TRIGGERS = """
    SELECT n.nspname, c.relname, t.tgname
    FROM pg_trigger AS t
    INNER JOIN pg_class AS c ON c.oid = t.tgrelid
    INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
    INNER JOIN pg_proc AS p ON p.oid = t.tgfoid
    WHERE p.proname IN (
        'note_recommendation_changes', 'note_feedback_changes', 'note_shop_change', 'note_session_change',
        'note_truncation'
    )
"""
IN_ONE_TRANSACTION = {
    "insert_recommendations": "single INSERTs of recommendations, in one transaction on the server",
    "insert_feedback": "the same of feedback on recommendations",
    "record_selections": "single UPDATEs of a recommendation's selection",
    "insert_many_recommendations": "one INSERT of many recommendations",
    "insert_much_feedback": "one INSERT of much feedback on recommendations",
    "record_many_selections": "one UPDATE of many selections",
    "delete_sessions": "deleting sessions, each with two recommendations and a feedback",
}
"""The procedures of `writers.sql`, and what they do, in words."""
BY_A_CLIENT = {
    "commit-recommendations": (
        "INSERTs of recommendations by a client, each in its own transaction",
        """
        INSERT INTO analytics.recommendations_log (session_id, user_id, shop_id, recommendations, recommendation_count)
        VALUES (%s, 1, 1, '[{"shop_id": 1, "score": 0.9}]', 1)
        """,
    ),
    "commit-feedback": (
        "the same of feedback on recommendations",
        """
        INSERT INTO analytics.user_feedback (session_id, user_id, related_recommendation_id, feedback_type)
        VALUES (%s, 1, 1, 'rating')
        """,
    ),
}
"""What a client does, in words, and the statement that writes a row of a session."""


def switch_notes_off(connection: Connection) -> None:
    """Disable the triggers in this database, which must be the benchmark's own."""
    for schema, table, trigger in connection.execute(TRIGGERS.encode()).fetchall():
        connection.execute(
            sql.SQL("ALTER TABLE {} DISABLE TRIGGER {}").format(sql.Identifier(schema, table), sql.Identifier(trigger))
        )


def write(url: str, scale: Scale, *, procedure: str, noted: bool) -> Measure:
    """Measure the microseconds per row, or per session, of a procedure that writes many."""
    rows = ROWS[scale]
    call = sql.SQL("CALL {}(%s)").format(sql.Identifier("pg_temp", procedure))
    with connect(url, application_name="benchmark: writer") as owner:
        if not noted:
            switch_notes_off(owner)
        owner.execute(PROCEDURES.encode())
        return Measure(seconds(lambda: owner.execute(call, (rows,))) / rows * 1_000_000)


def commit(url: str, _scale: Scale, *, statement: str, noted: bool) -> Measure:
    """Measure the microseconds per row of a client that commits each."""
    with connect(url, application_name="benchmark: writer") as owner:
        if not noted:
            switch_notes_off(owner)
        session = owner.execute("SELECT session_id FROM chatbot.session_master LIMIT 1").fetchone()

        def write_all() -> None:
            for _ in range(COMMITS):
                owner.execute(statement.encode(), session)

        return Measure(seconds(write_all) / COMMITS * 1_000_000)


def benchmark(name: str, what: str, measure: Callable[..., Measure]) -> Benchmark:
    """Return the benchmark of a writer."""
    return Benchmark(
        f"write-{name}",
        what,
        "without the triggers that note changes",
        "the cost of noting changes, stated",
        "µs",
        partial(measure, noted=True),
        partial(measure, noted=False),
        prepare=prepare,
    )


WRITERS = [
    *(
        benchmark(name.replace("_", "-"), what, partial(write, procedure=name))
        for name, what in IN_ONE_TRANSACTION.items()
    ),
    *(benchmark(name, what, partial(commit, statement=statement)) for name, (what, statement) in BY_A_CLIENT.items()),
]
