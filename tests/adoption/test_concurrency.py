"""An older database is adopted while its application writes, and while the adoption is killed at its steps.

The application does not know of sessions: it lets the database make up session ids, or names none, and sends wall time.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from contextlib import suppress
from datetime import datetime, timedelta
from random import SystemRandom
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg import IsolationLevel, sql

from tests.adoption.test_adoption import lacking, older
from tests.clients import clients_of
from tests.killed_runs import ADOPTED_AS_OF, killed
from tests.support import Connection, every, one
from yumai_pipelines.adoption import adopt, inspect
from yumai_pipelines.schema.differences import drift
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from random import Random

    from tests.conftest import Databases

MEASURED = logging.getLogger(__name__)
SETTINGS = Settings(lock_patience_s=120)
START = datetime(2024, 8, 1, tzinfo=ZoneInfo("Asia/Seoul"))

NOWHERE = 4_711_000
"""The id of a shop and of a recommendation that do not exist."""
INTERACTIONS, RECOMMENDATIONS, FEEDBACK = (
    "ml_features.user_interactions",
    "analytics.recommendations_log",
    "analytics.user_feedback",
)
TIMES = """
    SELECT 'ml_features.user_interactions', id, time_stamp FROM ml_features.user_interactions
    UNION ALL SELECT 'analytics.recommendations_log', id, time_stamp FROM analytics.recommendations_log
    UNION ALL SELECT 'analytics.user_feedback', id, time_stamp FROM analytics.user_feedback
    UNION ALL SELECT 'selection', id, selection_timestamp FROM analytics.recommendations_log
"""
ORPHANS = """
    SELECT c.session_id FROM chatbot.conversations AS c
    UNION ALL SELECT i.session_id FROM ml_features.user_interactions AS i
    UNION ALL SELECT r.session_id FROM analytics.recommendations_log AS r
    UNION ALL SELECT f.session_id FROM analytics.user_feedback AS f
    EXCEPT SELECT s.session_id FROM chatbot.session_master AS s
"""


class Application:
    """The older application.

    It remembers the ids of its conversations, the instant of each row of its logs, and the broken references that it
    has written.
    """

    def __init__(self, shape: str = "", *, refers_to_nothing: bool = False) -> None:
        """Take over the shape of the database, whose foreign keys the application respects.

        With an interim session_master, it opens the sessions that its logs name; with the script half done, it writes
        no conversations of August.
        """
        self.opens_sessions = shape == "interim_sessions"
        self.days = (62, 63) if shape == "half_done_script" else (1, 2, 3, 62, 63)
        self.gone = (None, None, NOWHERE) if refers_to_nothing else (None,)
        self.references: dict[tuple[str, int], int] = {}
        self.conversations: Counter[int] = Counter()
        self.instants: dict[tuple[str, int], datetime] = {}
        self._lock = threading.Lock()

    def write(self, writer: Connection, random: Random) -> None:
        """Write a turn of a new session and the rows around it, in one transaction and in a random time zone."""
        writer.execute(random.choice((b"SET TimeZone = 'UTC'", b"SET TimeZone = 'Asia/Seoul'")))
        at = START + timedelta(days=random.choice(self.days), seconds=random.randrange(86_400))
        later = at + timedelta(minutes=1)
        written: dict[tuple[str, int], datetime] = {}
        references: dict[tuple[str, int], int | None] = {}
        with writer.transaction():
            if random.random() < 0.5:
                writer.execute("SELECT nickname FROM chatbot.users WHERE id = %s", (random.randrange(1, 20),))
            gone = random.choice(self.gone)
            number, session = every(
                writer,
                "INSERT INTO chatbot.conversations (user_id, conversation_time, selected_shop_id) VALUES (%s, %s, %s) "
                "RETURNING id, session_id",
                random.choice((None, random.randrange(1, 20))),
                at,
                gone,
            )[0]
            references["chatbot.conversations", number] = gone
            named = random.choice((session, None, f"00000000-0000-4000-8000-{random.randrange(10**6):012}"))
            if named and self.opens_sessions:
                opening = "INSERT INTO chatbot.session_master (session_id) VALUES (%s) ON CONFLICT DO NOTHING"
                writer.execute(opening, (named,))
            shown = one(
                writer,
                "INSERT INTO analytics.recommendations_log (user_id, shop_id, session_id, time_stamp, recommendations, "
                "recommendation_count) VALUES (%s, %s, %s, %s, '[]', 0) RETURNING id",
                random.choice((5, 20_000 + random.randrange(50))),
                gone,
                named,
                wall(at),
            )
            written[RECOMMENDATIONS, shown] = at
            references[RECOMMENDATIONS, shown] = gone
            writer.execute(
                "UPDATE analytics.recommendations_log SET user_selection = '{}', selection_timestamp = %s "
                "WHERE id = %s",
                (wall(later), shown),
            )
            written["selection", shown] = later
            for table in (INTERACTIONS, FEEDBACK):
                insert = sql.SQL("INSERT INTO {} (session_id, time_stamp) VALUES (%s, %s) RETURNING id").format(
                    sql.Identifier(*table.split("."))
                )
                row = writer.execute(insert, (named, wall(at))).fetchone()
                assert row is not None
                written[table, row[0]] = at
            rated = one(
                writer,
                "INSERT INTO analytics.user_feedback (related_recommendation_id, time_stamp) VALUES (%s, %s) "
                "RETURNING id",
                gone,
                wall(at),
            )
            written[FEEDBACK, rated] = at
            references[FEEDBACK, rated] = gone
        with self._lock:
            self.references |= {key: value for key, value in references.items() if value}
            self.conversations[number] += 1
            self.instants |= written

    def write_and_rest(self, writer: Connection, random: Random) -> None:
        self.write(writer, random)
        time.sleep(0.01)

    def write_in_a_snapshot(self, writer: Connection, random: Random) -> None:
        """Write at REPEATABLE READ, where a transaction must expect to be told to start again."""
        with suppress(psycopg.errors.SerializationFailure):
            self.write(writer, random)
        time.sleep(0.01)


def wall(at: datetime) -> str:
    """Return the time as the application sends it: wall time in Seoul, without a zone."""
    return f"{at:%Y-%m-%d %H:%M:%S}"


def more_rows(connection: Connection) -> None:
    """Plant rows for several batches: 400 sessions of the older application, each with rows in all four tables."""
    for statement in (
        "INSERT INTO chatbot.conversations (session_id, user_id, conversation_time) "
        "SELECT md5('many ' || n % 400)::uuid, 1 + n % 20, timestamptz '2024-08-01 0:00+9' + n * interval '20 minutes' "
        "FROM generate_series(1, 5000) AS n",
        "INSERT INTO ml_features.user_interactions (session_id, user_id, time_stamp) "
        "SELECT md5('many ' || n % 400)::uuid, 1 + n % 20, timestamp '2024-08-01' + n * interval '30 minutes' "
        "FROM generate_series(1, 5000) AS n",
        "INSERT INTO analytics.recommendations_log (session_id, time_stamp, recommendations, recommendation_count) "
        "SELECT md5('many ' || n % 400)::uuid, timestamp '2024-08-01' + n * interval '30 minutes', '[]', 0 "
        "FROM generate_series(1, 5000) AS n",
    ):
        connection.execute(statement.encode())


def test_every_row_of_four_writers_is_there_once_and_none_is_refused(databases: Databases, database: str) -> None:
    application = Application(refers_to_nothing=True)
    with (
        older(databases, "unknown_objects", "lost_keys") as (url, owner),
        psycopg.connect(url, autocommit=True) as connection,
    ):
        with psycopg.connect(owner, autocommit=True) as earlier:
            more_rows(earlier)
        planted = one(connection, "SELECT count(*) FROM chatbot.conversations")
        with clients_of(owner) as clients:
            for _ in range(4):
                clients.add(application.write_and_rest)
            clients.add(application.write_in_a_snapshot, isolation=IsolationLevel.REPEATABLE_READ)
            report = adopt(url, SETTINGS, as_of=ADOPTED_AS_OF)
        MEASURED.info("%d transactions, %d steps", sum(application.conversations.values()), len(report.steps))

        assert application.conversations, "they wrote"
        ids = Counter(number for (number,) in every(connection, "SELECT id FROM chatbot.conversations"))
        assert set(ids.values()) == {1}
        assert application.conversations.keys() <= ids.keys()
        assert len(ids) == planted + len(application.conversations)
        found = {(name, number): at for name, number, at in every(connection, TIMES)}
        assert {key: found.get(key) for key in application.instants} == application.instants
        assert every(connection, ORPHANS) == []
        assert references_kept(connection) == application.references
        assert lacking(url, database) == []


def sessions_of(connection: Connection) -> set[tuple[object, ...]]:
    """Return the sessions that the database knows, whatever its shape."""
    if one(connection, "SELECT to_regclass('chatbot.session_master')") is None:
        return set()
    return set(every(connection, "SELECT session_id, user_id, session_start FROM chatbot.session_master"))


EVERY_STEP = ""
OF_SESSIONS = r"roles|session_master|start_session|forget|bring|recover|foreign keys|session_id_fkey|report"
"""The steps that differ, or find something else, if session_master exists before the adoption."""
OF_OTHER_DESIGNS = r"number|our types|exchange|guess|fit columns|people|older|differs|orders|reviews|coupons|report"
"""The steps that only the tables of another design have."""


def references_kept(connection: Connection) -> dict[tuple[str, int], int]:
    """Return what the rows in quarantine referred to. Check that each row is there once and lost the reference."""
    kept = every(
        connection,
        """
        SELECT q.source_table, (q.source_key ->> 'id')::bigint, (coalesce(q.source_row -> 'selected_shop_id',
               q.source_row -> 'shop_id', q.source_row -> 'related_recommendation_id'))::int
          FROM yumai_pipelines.quarantine AS q WHERE q.still_there
        """,
    )
    left = """
        SELECT (SELECT count(*) FROM chatbot.conversations WHERE selected_shop_id = %(gone)s)
             + (SELECT count(*) FROM analytics.recommendations_log WHERE shop_id = %(gone)s)
             + (SELECT count(*) FROM analytics.user_feedback WHERE related_recommendation_id = %(gone)s)
    """
    assert connection.execute(left, {"gone": NOWHERE}).fetchone() == (0,)
    references = {(table, number): value for table, number, value in kept}
    assert len(references) == len(kept)
    return references


@pytest.mark.parametrize(
    ("shape", "steps", "at_least"),
    [
        (("unknown_objects", "lost_keys"), EVERY_STEP, 100),
        (("interim_sessions",), OF_SESSIONS, 25),
        (("half_done_script",), OF_SESSIONS, 25),
        (("other_orders",), OF_OTHER_DESIGNS, 35),
    ],
    ids=("before", "interim", "half_done", "other_orders"),
)
def test_an_adoption_killed_at_its_steps_is_gone_on_with(
    databases: Databases,
    database: str,
    pytestconfig: pytest.Config,
    shape: tuple[str, ...],
    steps: str,
    at_least: int,
) -> None:
    """The application writes between any two runs, and finds the database usable.

    By default one in four steps is drawn, and `make faults` kills at every one.
    """
    one_in = 4 if pytestconfig.getoption("faults").isdecimal() else 1
    application = Application(shape[0], refers_to_nothing="lost_keys" in shape)
    random, killed_at = SystemRandom(), []
    with (
        older(databases, *shape, "two_months") as (url, owner),
        psycopg.connect(owner, autocommit=True) as writer,
        psycopg.connect(url, autocommit=True) as connection,
    ):
        planted = one(connection, "SELECT count(*) FROM chatbot.conversations")
        known = sessions_of(connection)
        for step in killed("adopt", url, steps, one_in=one_in):
            application.write(writer, random)
            killed_at.append(step)
        MEASURED.info("killed at %d steps", len(killed_at))
        assert len(killed_at) == len(set(killed_at)) > at_least // (2 * one_in)
        application.write(writer, random)
        assert sessions_of(connection) >= known
        ids = every(connection, "SELECT id FROM chatbot.conversations")
        assert len(ids) == len(set(ids)) == planted + len(application.conversations)
        found = {(name, number): at for name, number, at in every(connection, TIMES)}
        assert {key: found.get(key) for key in application.instants} == application.instants
        assert every(connection, ORPHANS) == []
        if "other_orders" in shape:
            assert [str(each) for each in drift(connection)] == []
        else:
            assert references_kept(connection) == application.references
            assert lacking(url, database) == []
        assert inspect(url, SETTINGS).shape == "adopted"
