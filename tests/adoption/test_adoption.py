"""Adopting an older database: what it becomes, what happens to its rows, what is refused and what is left alone."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from tests.graph import Graph
from tests.killed_runs import ADOPTED_AS_OF
from tests.support import Connection, every, login, one
from yumai_pipelines.adoption import (
    AdoptionError,
    AdoptionReport,
    Case,
    NotToBeAdoptedError,
    adopt,
    finish,
    inspect,
)
from yumai_pipelines.adoption.kinds import Action
from yumai_pipelines.adoption.target import BASE
from yumai_pipelines.postgres.errors import DatabaseError
from yumai_pipelines.postgres.sql_files import read_sql, sql_path
from yumai_pipelines.schema import snapshot
from yumai_pipelines.schema.differences import drift
from yumai_pipelines.schema.tables import TABLES
from yumai_pipelines.schema.upgrade import upgrade
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Databases

LEGACY = Path(__file__).parent / "legacy"
SETTINGS = Settings(lock_patience_s=60)
SHAPES = (
    (),
    ("interim_sessions",),
    ("half_done_script",),
    ("unknown_objects",),
    ("unknown_objects", "interim_sessions"),
)
EXTENSIONS = b"""
    CREATE EXTENSION pg_trgm SCHEMA public;
    CREATE EXTENSION btree_gin SCHEMA public;
    CREATE EXTENSION pgcrypto SCHEMA public;
    CREATE FUNCTION public.uuid_generate_v4() RETURNS uuid LANGUAGE sql AS 'SELECT gen_random_uuid()';
"""


@contextmanager
def older(databases: Databases, *files: str, options: str = "") -> Iterator[tuple[str, str]]:
    """Make an older database of a given shape. Yield the URLs of a superuser and of the role that owns its objects."""
    with (
        databases.create() as name,
        psycopg.connect(databases.url(name), autocommit=True) as admin,
        login(admin, databases.url(name), options) as owner,
    ):
        admin.execute(EXTENSIONS)
        role = sql.Identifier(str(conninfo_to_dict(owner)["user"]))
        database = sql.Identifier(admin.info.dbname)
        admin.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(database, role))
        admin.execute(sql.SQL("ALTER DATABASE {} SET TimeZone = 'Asia/Seoul'").format(database))
        # Safety on a crash is not needed here, and there are many short transactions.
        admin.execute(sql.SQL("ALTER DATABASE {} SET synchronous_commit = off").format(database))
        with psycopg.connect(owner, autocommit=True) as connection:
            for file in ("schema", "rows", *files):
                connection.execute((LEGACY / f"{file}.sql").read_bytes())
        yield databases.url(name), owner


@pytest.fixture
def plain(databases: Databases) -> Iterator[tuple[str, str]]:
    """An older database from before session_master, with every defect."""
    with older(databases) as urls:
        yield urls


def catalogue(url: str) -> dict[tuple[str, str], snapshot.SchemaObject]:
    with psycopg.connect(url, autocommit=True) as connection:
        return {(each.kind, each.name): each for each in snapshot.describe(connection)}


def lacking(url: str, fresh: str) -> list[str]:
    """Return the objects of a fresh install that the database lacks, or has with another definition."""
    found = catalogue(url)
    return [f"{kind} {name}" for (kind, name), each in catalogue(fresh).items() if found.get((kind, name)) != each]


def rows_of(url: str) -> dict[str, Counter[str]]:
    """Return every row of every older table, with its times as instants and without the columns that adoption fills."""
    changing = "{session_id,time_stamp,time_stamp_naive,updated_at}"
    rows = {}
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET TimeZone = 'Asia/Seoul'")
        for table in TABLES:
            if one(connection, "SELECT to_regclass(%s)", table.relation.quoted) is None:
                continue
            query = sql.SQL("SELECT (to_jsonb(t) - {}::text[])::text FROM {} AS t").format(
                sql.Literal(changing), table.relation.identifier
            )
            rows[str(table.relation)] = Counter(row.replace("+09:00", "") for (row,) in connection.execute(query))
    return rows


def instants_of(url: str) -> set[tuple[str, int, datetime]]:
    """Return the times of the logs as instants, whatever the type of their columns."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET TimeZone = 'Asia/Seoul'")
        found = set()
        for name in ("ml_features.user_interactions", "analytics.recommendations_log", "analytics.user_feedback"):
            query = sql.SQL("SELECT id, time_stamp::timestamptz FROM {} WHERE time_stamp IS NOT NULL").format(
                sql.Identifier(*name.split("."))
            )
            found |= {(name, number, at) for number, at in connection.execute(query)}
        return found


def adopted(url: str, settings: Settings = SETTINGS) -> AdoptionReport:
    return adopt(url, settings, as_of=ADOPTED_AS_OF)


def is_extra(name: str) -> bool:
    """Return whether adoption made this object for the older application; `finish` removes such objects."""
    return ".yumai_" in name or name.startswith(
        ("yumai_pipelines.accept_", "yumai_pipelines.wall_time_of_", "yumai_pipelines.recover_user")
    )


def is_kept(before: snapshot.SchemaObject | None, after: snapshot.SchemaObject) -> bool:
    """Return whether an unknown object is unchanged, except for the new name of the naive column that it reads."""
    spelled = after.definition.replace("time_stamp_naive AS time_stamp", "time_stamp")
    return before is not None and before.definition == spelled.replace("time_stamp_naive", "time_stamp")


def test_the_target_is_what_the_first_migrations_make(empty_database: str) -> None:
    with psycopg.connect(empty_database) as connection:
        files = sorted(sql_path("bootstrap").glob("*.sql")) + [
            path for path in sorted(sql_path("migrations").glob("*.sql")) if path.name[:4] <= BASE
        ]
        for path in files:
            connection.execute(path.read_bytes())
        made = snapshot.to_lines(each for each in snapshot.describe(connection) if each.kind != "function grant")
    assert made == read_sql("adoption", "target.jsonl")


@pytest.mark.parametrize("shape", SHAPES, ids="+".join)
def test_every_shape_ends_where_a_fresh_install_does(
    databases: Databases, database: str, shape: tuple[str, ...]
) -> None:
    with older(databases, *shape) as (url, _):
        before, rows, instants = catalogue(url), rows_of(url), instants_of(url)
        report = adopted(url)
        after, fresh = catalogue(url), catalogue(database)

        assert lacking(url, database) == []
        extra = {key for key in after.keys() - fresh.keys() if not is_extra(key[1])}
        assert {name for kind, name in extra if not is_kept(before.get((kind, name)), after[kind, name])} <= {
            "analytics.recommendations_log.time_stamp_naive",
            "analytics.user_feedback.time_stamp_naive",
        }

        for table, older_rows in rows.items():
            now = rows_of(url)[table]
            if table == "chatbot.session_master":
                assert sum(now.values()) > sum(older_rows.values())
            elif table == "chatbot.users":
                assert not older_rows - now
            else:
                assert now == older_rows, table
        assert instants_of(url) >= instants
        assert report.shape != "adopted"
        again = adopted(url)
        assert (again.shape, again.steps, again.cases) == ("adopted", (), ())
        assert upgrade(url, SETTINGS).migrations == ()


def test_unknown_objects_give_the_same_answers_as_before(databases: Databases) -> None:
    questions = (
        "SELECT * FROM analytics.recommendations_by_hour ORDER BY hour",
        "SELECT id, time_stamp FROM analytics.everything_of_feedback ORDER BY id",
        "SELECT * FROM chatbot.campaigns",
        "SELECT analytics.count_feedback()",
    )
    with older(databases, "unknown_objects") as (url, owner):
        with psycopg.connect(owner, autocommit=True) as application:
            answers = [every(application, question) for question in questions]
        report = adopted(url)
        assert set(report.unknown) >= {"relation chatbot.campaigns", "column chatbot.shops.owner_memo"}
        assert not any("campaigns." in each for each in report.unknown), "the table is named, not each of its parts"
        with psycopg.connect(owner, autocommit=True) as application:
            assert [every(application, question) for question in questions] == answers
            application.execute(
                "INSERT INTO analytics.user_feedback (session_id, time_stamp, feedback_type) "
                "VALUES (gen_random_uuid(), '2025-03-01 12:00', 'text')"
            )
            newest = one(application, "SELECT max(time_stamp) FROM analytics.everything_of_feedback")
            assert newest == datetime.fromisoformat("2025-03-01 12:00")
            assert one(application, "SELECT to_regclass('analytics.feedback_by_user_and_time')") is not None


EXPECTED = {
    ("session_id unknown", "chatbot.conversations"): (65, 0),
    ("session_id unknown", "ml_features.user_interactions"): (11, 0),
    ("no session", "ml_features.user_interactions"): (2, 0),
    ("no time", "ml_features.user_interactions"): (1, 0),
    ("user_id unknown", "analytics.recommendations_log"): (1, 0),
    ("session_id unknown", "analytics.recommendations_log"): (11, 0),
    ("no session", "analytics.recommendations_log"): (1, 0),
    ("session_id unknown", "analytics.user_feedback"): (11, 0),
    ("no session", "analytics.user_feedback"): (1, 0),
    ("session of several users", "chatbot.conversations"): (1, 1),
    ("no user", "chatbot.conversations"): (1, 1),
    ("wall time", "analytics.recommendations_log.selection_timestamp"): (10, 0),
    ("wall time", "analytics.recommendations_log.time_stamp"): (12, 0),
    ("wall time", "analytics.user_feedback.time_stamp"): (12, 0),
    ("wall time", "ml_features.user_interactions.time_stamp"): (12, 0),
    ("rows", "chatbot.users"): (20, 21),
    ("rows", "chatbot.conversations"): (65, 65),
    ("rows", "analytics.user_feedback"): (12, 12),
}


def counted(cases: tuple[Case, ...]) -> dict[tuple[str, str], int]:
    return {(case.what, case.relation): case.found for case in cases}


def test_the_inventory_counts_every_case_and_changes_nothing(plain: tuple[str, str]) -> None:
    url, _ = plain
    before = catalogue(url), rows_of(url)
    inventory = inspect(url, SETTINGS)
    assert (catalogue(url), rows_of(url)) == before
    assert (inventory.shape, inventory.refusals) == ("from before session_master", ())
    assert [month.key for month in inventory.missing_months] == ["2024-12"]
    assert {key: counted(inventory.cases)[key] for key in EXPECTED} == {key: n for key, (n, _) in EXPECTED.items()}
    assert {c.relation: c.sample for c in inventory.cases if c.what == "no session"} == {
        "ml_features.user_interactions": ("12", "13"),
        "analytics.recommendations_log": ("12",),
        "analytics.user_feedback": ("12",),
    }
    assert "relation chatbot.session_master is missing" in inventory.differences
    # The objects that are left alone do not include those that are replaced or renamed.
    assert inventory.unknown == (
        "function chatbot.update_updated_at_column()",
        "trigger chatbot.users.update_users_updated_at",
    )
    assert "column chatbot.coupons.coupon_code is missing" not in inventory.differences, "its table says so"


def test_the_report_says_what_was_found_and_what_is_left(plain: tuple[str, str]) -> None:
    url, _ = plain
    report = adopt(url, SETTINGS, as_of=ADOPTED_AS_OF, run_id="friday")
    with psycopg.connect(url) as connection:
        written = {
            (what, relation): (before, after)
            for what, relation, before, after in every(
                connection,
                "SELECT what, relation, count_before, count_after FROM yumai_pipelines.adoption_report "
                "WHERE run_id = 'friday'",
            )
        }
    assert {key: written[key] for key in EXPECTED} == EXPECTED
    assert {key: before for key, (before, _) in written.items()} == counted(report.cases)


SESSION = """
    SELECT user_id, session_start AT TIME ZONE 'Asia/Seoul', session_end AT TIME ZONE 'Asia/Seoul', is_active,
           session_metadata ->> 'recovered', session_metadata ->> 'from', session_metadata ->> 'why'
      FROM chatbot.session_master WHERE session_id = %s::text::uuid
"""


def test_sessions_are_recovered_from_what_was_done_in_them(plain: tuple[str, str]) -> None:
    url, _ = plain
    adopted(url)
    no_master, no_conversation = "the database had no session_master", "no conversation has this session"
    with psycopg.connect(url) as connection:

        def session(name: str) -> tuple[object, ...]:
            number = one(connection, "SELECT CASE WHEN %s ~ '-' THEN %s ELSE md5(%s) END", name, name, name)
            return tuple(every(connection, SESSION, number)[0])

        def at(text: str) -> datetime:
            return datetime.fromisoformat(text)

        conversations = "chatbot.conversations"
        assert session("session 3") == (
            3, at("2024-08-10 12:00"), at("2024-08-10 12:06"), False, "true", conversations, no_master,
        )  # fmt: skip
        assert session("shared")[:4] == (3, at("2024-10-05 10:00"), at("2024-10-05 11:00"), False)
        assert session("nobody")[:2] == (None, at("2024-11-05 10:00"))
        # Its last turn is within the day before the adoption.
        assert session("new year")[:4] == (1, at("2025-01-01 00:00"), None, True)
        assert session("12345678-1234-1234-1234-123456789012") == (
            2, at("2024-09-03 09:00"), at("2024-09-03 09:00"), False, "true", "ml_features.user_interactions",
            no_conversation,
        )  # fmt: skip
        assert session("gone")[0] == 999
        assert every(connection, "SELECT external_user_id, user_status FROM chatbot.users WHERE id = 999") == [
            ("recovered:999", "DELETED")
        ]
        assert one(connection, "INSERT INTO chatbot.users (nickname) VALUES ('next') RETURNING id") > 999
        given = every(
            connection,
            "SELECT s.user_id, s.session_start = t.time_stamp, s.is_active, s.session_metadata ->> 'why' "
            "FROM ml_features.user_interactions AS t JOIN chatbot.session_master AS s USING (session_id) "
            "WHERE t.id IN (12, 13) ORDER BY t.id",
        )
        assert given == [(7, True, False, "the row had no session"), (8, True, False, "the row had no session")]
        # A row without a time gets the time of the row before it.
        time = "SELECT time_stamp AT TIME ZONE 'Asia/Seoul' FROM ml_features.user_interactions WHERE id = 13"
        assert one(connection, time) == at("2025-02-03 00:00")


def test_known_sessions_of_an_interim_session_master_stay_as_they_are(databases: Databases) -> None:
    with older(databases, "interim_sessions") as (url, _):
        query = "SELECT session_id, user_id, session_start, is_active, session_metadata FROM chatbot.session_master"
        with psycopg.connect(url, autocommit=True) as connection:
            before = set(map(str, every(connection, query)))
            adopted(url)
            assert set(map(str, every(connection, query))) >= before
            assert set(every(connection, "SELECT session_type FROM chatbot.session_master")) == {("chat",)}
            why = "SELECT session_metadata ->> 'why' FROM chatbot.session_master WHERE session_id = %s::text::uuid"
            nobody = one(connection, "SELECT md5('nobody')")
            assert one(connection, why, nobody) == "session_master did not have it"


def test_what_is_no_yumai_database_is_refused_and_what_it_lacks_is_named(empty_database: str) -> None:
    with pytest.raises(NotToBeAdoptedError, match=r"no table chatbot\.users, .*no table analytics\.user_feedback"):
        adopted(empty_database)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA chatbot; CREATE TABLE chatbot.users (name text)")
    with pytest.raises(NotToBeAdoptedError, match=r"no column chatbot\.users\.id"):
        adopted(empty_database)
    assert "yumai_pipelines" not in {each.name for each in catalogue(empty_database).values()}


def test_a_fresh_install_has_nothing_to_adopt(database: str) -> None:
    before = catalogue(database)
    assert (adopted(database).shape, inspect(database, SETTINGS).shape) == ("adopted", "adopted")
    assert finish(database, SETTINGS).tables == ()
    assert catalogue(database) == before


def test_months_of_another_time_zone_are_refused_and_what_to_set_is_said(plain: tuple[str, str]) -> None:
    url, owner = plain
    with psycopg.connect(owner, autocommit=True) as connection:
        connection.execute("DROP MATERIALIZED VIEW chatbot.recent_conversations")
        connection.execute("DROP TABLE chatbot.conversations CASCADE")
        text = (LEGACY / "schema.sql").read_text(encoding="utf-8")
        table = text[text.index("CREATE TABLE chatbot.conversations (") : text.index("CREATE MATERIALIZED VIEW")]
        connection.execute(table.replace("+09", "+00").encode())
    before = catalogue(url)
    with pytest.raises(NotToBeAdoptedError, match=r"begin at midnights in UTC .*set YUMAI_TIMEZONE=UTC"):
        adopted(url)
    assert catalogue(url) == before
    report = adopted(url, Settings(timezone="UTC", lock_patience_s=60))
    assert report.shape == "from before session_master"
    with psycopg.connect(url) as connection:
        # Wall time is still read in Seoul's time zone.
        time = "SELECT time_stamp FROM ml_features.user_interactions WHERE id = 11"
        assert one(connection, time) == datetime(2024, 9, 3, tzinfo=UTC)


def test_the_owner_who_is_no_superuser_is_told_what_is_missing_and_then_adopts(
    databases: Databases, database: str
) -> None:
    with older(databases) as (url, owner):
        with pytest.raises(NotToBeAdoptedError) as refusal:
            adopted(owner)
        assert "may not work as yumai_pipeline" in str(refusal.value)
        assert "GRANT yumai_app TO" in str(refusal.value)
        with psycopg.connect(url, autocommit=True) as admin:
            role = sql.Identifier(str(conninfo_to_dict(owner)["user"]))
            admin.execute(sql.SQL("GRANT yumai_pipeline TO {} WITH INHERIT TRUE, SET TRUE").format(role))
            admin.execute(sql.SQL("GRANT yumai_app TO {}").format(role))
        adopted(owner)
        assert lacking(url, database) == []


def test_a_login_that_may_not_look_is_told_so(databases: Databases) -> None:
    with older(databases) as (url, owner), psycopg.connect(url, autocommit=True) as admin:
        with (
            login(admin, url, "") as stranger,
            pytest.raises(NotToBeAdoptedError, match="may not look at the database"),
        ):
            adopted(stranger)
        adopted(url)
        with pytest.raises(DatabaseError, match="GRANT yumai_pipeline TO"):
            adopted(owner)


def test_who_owned_the_objects_keeps_the_rows_and_loses_the_tables(plain: tuple[str, str]) -> None:
    url, owner = plain
    adopted(url)
    with psycopg.connect(owner, autocommit=True) as application:
        application.execute("INSERT INTO chatbot.conversations (conversation_time) VALUES ('2025-03-02 00:00+09')")
        application.execute("DELETE FROM analytics.user_feedback WHERE id = 1")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            application.execute("ALTER TABLE analytics.user_feedback ADD mine int")


INSERTS = (
    "INSERT INTO chatbot.conversations (user_id, conversation_time) VALUES (1, '2025-03-03 12:00+09')",
    "INSERT INTO ml_features.user_interactions (user_id, time_stamp) VALUES (1, '2025-03-03 12:00')",
    "INSERT INTO analytics.user_feedback (session_id, user_id) VALUES (gen_random_uuid(), 4711)",
)


def test_what_lets_the_older_application_write_is_switched_off_and_nothing_is_left(
    databases: Databases, database: str
) -> None:
    with older(databases, "unknown_objects") as (url, owner):
        with pytest.raises(AdoptionError, match="not adopted yet"):
            finish(url, SETTINGS)
        adopted(url)
        with psycopg.connect(owner, autocommit=True) as application:
            for insert in INSERTS:
                application.execute(insert.encode())
            assert_that_nobody_else_can_stop(application, url)
            report = finish(url, SETTINGS)
            assert len(report.tables) == 4
            assert [each.partition(":")[0] for each in report.kept] == [
                "analytics.recommendations_log.time_stamp_naive",
                "analytics.user_feedback.time_stamp_naive",
            ]
            for insert in (*INSERTS[:2], "INSERT INTO chatbot.conversations (session_id) VALUES (gen_random_uuid())"):
                with pytest.raises(psycopg.errors.IntegrityError):
                    application.execute(insert.encode())
            application.execute("DROP VIEW analytics.recommendations_by_hour, analytics.everything_of_feedback")
            application.execute("SELECT 1")
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute("DROP INDEX analytics.feedback_by_user_and_time")
        assert finish(url, SETTINGS).kept == ()
        assert {name for _, name in catalogue(url).keys() - catalogue(database).keys() if is_extra(name)} == set()


def assert_that_nobody_else_can_stop(application: Connection, url: str) -> None:
    """Another login can take no lock for which a write waits that makes a user."""
    with psycopg.connect(url, autocommit=True) as admin, login(admin, url, "") as stranger, application.transaction():
        application.execute("INSERT INTO analytics.user_feedback (user_id) VALUES (123456)")
        locks = "SELECT locktype FROM pg_locks WHERE pid = %s AND locktype = 'advisory'"
        assert every(admin, locks, application.info.backend_pid) == []
        with psycopg.connect(stranger) as other, pytest.raises(psycopg.errors.InsufficientPrivilege):
            other.execute("LOCK TABLE yumai_pipelines.recover_user_turns IN ACCESS SHARE MODE")
        assert one(application, "SELECT count(*) FROM chatbot.users WHERE id = 123456") == 1


def test_rows_in_the_way_of_a_check_are_named_and_the_check_is_left_out(plain: tuple[str, str]) -> None:
    url, owner = plain
    name = "constraint chatbot.shops.shops_category_check"
    with psycopg.connect(owner, autocommit=True) as application:
        application.execute("UPDATE chatbot.shops SET category = 'pizza' WHERE id = 3")
        foretold = [each for each in inspect(url, SETTINGS).of_action(Action.KEEP) if each.startswith(name)]
        assert foretold == [f"{name} is missing: is not made: 1 rows (3) are against it"]
        report = adopted(url)
        (accepted,) = [each for each in report.accepted if each.object == name]
        assert (accepted.theirs, accepted.why) == (None, "is not made: 1 rows (3) are against it")
        assert name in report.in_words()
    with psycopg.connect(url, autocommit=True) as connection:
        assert drift(connection) == []
        assert adopted(url).shape == "adopted"


def test_a_reference_to_nothing_is_emptied_and_the_row_is_kept_as_it_was(plain: tuple[str, str]) -> None:
    url, owner = plain
    with psycopg.connect(owner, autocommit=True) as application:
        application.execute(
            "ALTER TABLE analytics.recommendations_log DROP CONSTRAINT recommendations_log_shop_id_fkey"
        )
        application.execute("UPDATE analytics.recommendations_log SET shop_id = 77 WHERE id = 2")
    adopted(url)
    with psycopg.connect(url) as connection:
        assert one(connection, "SELECT shop_id FROM analytics.recommendations_log WHERE id = 2") is None
        kept = (
            "SELECT source_table, source_key, source_row ->> 'shop_id', still_there, why "
            "FROM yumai_pipelines.quarantine"
        )
        assert every(connection, kept) == [
            ("analytics.recommendations_log", {"id": 2}, "77", True, "shop_id is not in chatbot.shops")
        ]


def test_an_index_that_was_not_finished_is_built_again(plain: tuple[str, str], database: str) -> None:
    url, owner = plain
    with psycopg.connect(owner, autocommit=True) as application:
        application.execute("CREATE INDEX idx_shops_category ON chatbot.shops (category)")
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'chatbot.idx_shops_category'::regclass"
        )
    adopted(url)
    assert lacking(url, database) == []


def test_the_job_takes_the_inventory_and_then_adopts(plain: tuple[str, str]) -> None:
    url, _ = plain
    with dg.instance_for_test() as instance:
        graph = Graph.on(url, instance)
        for _ in range(2):
            assert graph.run("adopt_database").told()["shape"] == "from before session_master"
        run = graph.run("adopt_database", dry_run=False)
        records = run.told()["report"].records
        report = {(record.data["table"], record.data["case"]): record.data for record in records}
        found = report["chatbot.conversations", "session_id unknown"]
        assert (found["before"], found["after"]) == (65, 0)
        again = graph.run("adopt_database", dry_run=False)
        assert again.told()["outcome"].startswith("nothing to do")


def test_a_function_that_something_depends_on_is_renamed_and_goes_on_giving_its_answers(
    plain: tuple[str, str], database: str
) -> None:
    url, owner = plain
    with psycopg.connect(owner, autocommit=True) as application:
        application.execute("""UPDATE chatbot.shops SET business_hours = '{"monday": "11-20"}' WHERE id = 1""")
        application.execute(
            "CREATE VIEW chatbot.mondays AS SELECT id, chatbot.get_shop_hours(id) AS open FROM chatbot.shops"
        )
        question = "SELECT * FROM chatbot.mondays ORDER BY id"
        answers = every(application, question)
        assert "function chatbot.get_shop_hours(integer, character varying)" not in inspect(url, SETTINGS).unknown
        adopted(url)
        assert every(application, question) == answers
        assert one(application, "SELECT chatbot.get_shop_hours_older(1)") == "11-20"
    assert lacking(url, database) == []
    with psycopg.connect(url) as connection:
        named = "SELECT count(*) FROM pg_proc WHERE proname = 'get_shop_hours'"
        assert one(connection, named) == 1, "a second one would make calls ambiguous"
