"""The schema is installed, upgraded, refused where necessary, and compared with the result of the migrations."""

from __future__ import annotations

import logging
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from tests.processes import Finished, finished
from tests.support import Connection, every, login, one, present_month
from yumai_pipelines.local.server import program
from yumai_pipelines.model.registry import EXTRACTS, LEDGER, SESSIONS
from yumai_pipelines.partitions.ensure import ensure_months
from yumai_pipelines.partitions.tables import describe_partitions
from yumai_pipelines.postgres.connections import connect
from yumai_pipelines.postgres.patience import LockNotObtainedError
from yumai_pipelines.postgres.sql_files import sql_path
from yumai_pipelines.schema import snapshot
from yumai_pipelines.schema.differences import drift
from yumai_pipelines.schema.tables import SESSION_CHILDREN, TABLES
from yumai_pipelines.schema.upgrade import SchemaError, upgrade
from yumai_pipelines.settings import Settings

SETTINGS = Settings()
RELATIONS = [*(table.relation for table in TABLES), *(extract.relation for extract in EXTRACTS)]
REVISIONS = tuple(path.name[:4] for path in sorted(sql_path("migrations").glob("*.sql")))


def catalogue(url: str) -> tuple[snapshot.SchemaObject, ...]:
    with psycopg.connect(url, autocommit=True) as connection:
        return snapshot.describe(connection)


def test_an_empty_database_gets_the_whole_schema_and_then_there_is_nothing_to_do(
    empty_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="alembic"):
        first = upgrade(empty_database, SETTINGS)
    assert f"Running upgrade  -> {REVISIONS[0]}" in caplog.text
    assert (first.migrations, first.revision, first.drift) == (REVISIONS, REVISIONS[-1], ())
    assert "chatbot.end_session(p_session_id uuid)" in first.functions
    assert {"pg_trgm", "btree_gin", "pgcrypto"} <= first.extensions.keys()
    assert first.uuid_stand_in is ("uuid-ossp" not in first.extensions)
    again = upgrade(empty_database, SETTINGS)
    assert (again.migrations, again.functions, again.revision, again.drift) == ((), (), REVISIONS[-1], ())


def psql(url: str, *arguments: str) -> Finished:
    parts = conninfo_to_dict(url)
    environment = {f"PG{key.upper()}": str(parts[key]) for key in ("host", "port", "user", "password") if key in parts}
    command = [str(program("psql")), "-X", "-q", "-d", str(parts["dbname"]), *arguments]
    return finished(command, env=os.environ | environment)


def test_psql_alone_installs_the_same(empty_database: str, database: str) -> None:
    install = psql(empty_database, "-f", str(sql_path("install.sql")))
    assert install.returncode == 0, install.stderr
    assert catalogue(empty_database) == catalogue(database)
    report = upgrade(empty_database, SETTINGS)
    assert (report.migrations, report.functions, report.drift) == ((), (), ())


def test_psql_alone_makes_the_months_from_the_first_to_those_kept_ahead(empty_database: str) -> None:
    """So the table of section 4.2 of the database document is as it stands there, and not all rows in one partition."""
    present = present_month()
    options = [f"--set=first_month={present - 1}", "--set=months_ahead=2"]
    install = psql(empty_database, *options, "-f", str(sql_path("install.sql")))
    assert install.returncode == 0, install.stderr
    with connect(empty_database, application_name="test") as owner:
        months = [each.month for each in describe_partitions(owner, SETTINGS.zone)]
        assert months == [present - 1, present, present + 1, present + 2, None]
        reports = ensure_months(owner, [present - 1, present + 2], zone=SETTINGS.zone, policy=SETTINGS.lock_policy)
        assert [report.action for report in reports] == ["recognized", "recognized"]


def test_psql_installs_all_or_nothing(empty_database: str) -> None:
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA extracts; CREATE TABLE extracts.recommendation_funnel (month date)")
        install = psql(empty_database, "-f", str(sql_path("install.sql")))
        assert install.returncode != 0
        assert "extracts" in install.stderr
        assert one(connection, "SELECT to_regnamespace('chatbot')") is None


def test_two_installs_at_once_come_one_after_the_other(empty_database: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        reports = list(pool.map(lambda _: upgrade(empty_database, SETTINGS), range(2)))
    assert sorted(report.migrations for report in reports) == [(), REVISIONS]


KILLED = """
import os, signal, sys
from yumai_pipelines.schema import upgrade
from yumai_pipelines.settings import Settings
run_files = upgrade._run_files
def run_files_and_die(connection, directory):
    run_files(connection, directory)
    if directory == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)
upgrade._run_files = run_files_and_die
upgrade.upgrade(sys.argv[1], Settings())
"""


@pytest.mark.parametrize("after", ["bootstrap", "functions"])
def test_a_killed_install_leaves_nothing_and_the_next_one_finishes(empty_database: str, after: str) -> None:
    killed = finished([sys.executable, "-c", KILLED, empty_database, after])
    assert killed.returncode == -signal.SIGKILL
    assert catalogue(empty_database) == ()
    assert upgrade(empty_database, SETTINGS).drift == ()


def test_an_older_yumai_database_is_refused_and_left_alone(empty_database: str) -> None:
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA chatbot; CREATE TABLE chatbot.conversations (id bigint)")
        before = catalogue(empty_database)
        with pytest.raises(SchemaError, match="it is an older YUMAI database"):
            upgrade(empty_database, SETTINGS)
        assert catalogue(empty_database) == before


def test_a_newer_schema_is_refused_and_left_alone(database: str, connection: Connection) -> None:
    connection.execute("UPDATE yumai_pipelines.alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaError, match="9999"):
        upgrade(database, SETTINGS)
    assert one(connection, "SELECT version_num FROM yumai_pipelines.alembic_version") == "9999"


def test_an_upgrade_waits_no_longer_than_the_lock_timeout_and_gives_up(database: str) -> None:
    patient = Settings(lock_timeout_ms=50, lock_patience_s=0.5)
    with psycopg.connect(database) as holder:
        holder.execute("LOCK TABLE yumai_pipelines.alembic_version IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(LockNotObtainedError, match="upgrade the schema"):
            upgrade(database, patient)
    assert upgrade(database, patient).drift == ()


def own(admin: Connection, url: str) -> None:
    name = conninfo_to_dict(url)["user"]
    admin.execute(
        sql.SQL("ALTER DATABASE {} OWNER TO {}").format(sql.Identifier(admin.info.dbname), sql.Identifier(str(name)))
    )


def test_an_owner_who_is_no_superuser_installs(empty_database: str, database: str) -> None:
    assert database  # makes sure that the roles exist
    with (
        psycopg.connect(empty_database, autocommit=True) as admin,
        login(admin, empty_database, "CREATEROLE") as url,
    ):
        own(admin, url)
        # The roles belong to the server and exist already. Whoever made them must let this login use them.
        admin.execute(
            sql.SQL("GRANT yumai_pipeline TO {} WITH INHERIT TRUE, SET TRUE").format(
                sql.Identifier(str(conninfo_to_dict(url)["user"]))
            )
        )
        report = upgrade(url, SETTINGS)
        assert (report.migrations, report.drift) == (REVISIONS, ())


@pytest.mark.parametrize("options", ["", "CREATEROLE"])
def test_a_login_that_may_not_install_is_told_so(options: str, empty_database: str, database: str) -> None:
    assert database  # makes sure that the roles exist
    with psycopg.connect(empty_database, autocommit=True) as admin, login(admin, empty_database, options) as url:
        user = conninfo_to_dict(url)["user"]
        with pytest.raises(
            SchemaError,
            match=rf"may not do what sql/bootstrap/1_create_roles\.sql does: permission denied to grant role "
            rf'"yumai_pipeline".*GRANT yumai_pipeline TO {user} WITH INHERIT TRUE, SET TRUE\.$',
        ):
            upgrade(url, SETTINGS)
        assert catalogue(empty_database) == ()


@pytest.mark.parametrize(
    ("defect", "said"),
    [
        ("DROP INDEX chatbot.idx_session_master_user", "index chatbot.idx_session_master_user is missing"),
        ("ALTER TABLE chatbot.users ADD shoe_size int", "column chatbot.users.shoe_size is not known to this version"),
        (
            "ALTER TABLE chatbot.users ALTER platform SET DEFAULT 'kakao'",
            r"column chatbot.users.platform is \[.*kakao.*\] instead of \[.*web.*\]",
        ),
        (
            "ALTER TABLE chatbot.users DISABLE TRIGGER set_updated_at",
            r"trigger chatbot.users.set_updated_at is \[.*enabled: D",
        ),
        (
            "ALTER TABLE analytics.user_feedback DROP CONSTRAINT user_feedback_user_id_fkey",
            "constraint analytics.user_feedback.user_feedback_user_id_fkey is missing",
        ),
        ("GRANT SELECT ON chatbot.users TO yumai_analyst", "grant chatbot.users to yumai_analyst is not known"),
        ("COMMENT ON COLUMN extracts.recommendation_funnel.month IS 'x'", "has another comment"),
        ("ALTER TABLE chatbot.users OWNER TO CURRENT_USER", r"relation chatbot.users is \[table owner .*\] instead"),
    ],
)
def test_an_object_that_differs_is_named(connection: Connection, defect: str, said: str) -> None:
    assert drift(connection) == []
    connection.execute(defect.encode())
    (difference,) = [each for each in drift(connection) if each.kind != "grant" or "GRANT" in defect]
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(str(difference))


def test_a_changed_function_is_put_right_and_reported(database: str, connection: Connection) -> None:
    connection.execute(
        "CREATE OR REPLACE FUNCTION chatbot.end_session(p_session_id uuid) RETURNS boolean LANGUAGE sql "
        "AS 'SELECT true'"
    )
    assert [each.kind for each in drift(connection)] == ["function"]
    assert upgrade(database, SETTINGS).functions == ("chatbot.end_session(p_session_id uuid)",)
    assert drift(connection) == []


FOREIGN_KEYS = """
    SELECT k.conrelid::regclass::text, k.conname, a.attname, k.confrelid::regclass::text, b.attname,
           CASE k.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'r' THEN 'RESTRICT' END
      FROM pg_constraint AS k
      JOIN pg_class AS c ON c.oid = k.conrelid AND NOT c.relispartition
      JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND k.conkey = ARRAY[a.attnum]
      JOIN pg_attribute AS b ON b.attrelid = k.confrelid AND k.confkey = ARRAY[b.attnum]
     WHERE k.contype = 'f'
"""
PRIMARY_KEYS = """
    SELECT k.conrelid::regclass::text, array_agg(a.attname::text ORDER BY array_position(k.conkey, a.attnum))
      FROM pg_constraint AS k
      JOIN pg_class AS c ON c.oid = k.conrelid AND NOT c.relispartition
      JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey)
     WHERE k.contype = 'p' AND c.relnamespace::regnamespace::text IN ('chatbot', 'ml_features', 'analytics', 'extracts')
     GROUP BY k.conrelid
"""


def test_the_registry_and_the_catalogue_agree_in_both_directions(connection: Connection) -> None:
    connection.execute("SET search_path = pg_catalog")
    assert set(every(connection, FOREIGN_KEYS)) == {
        (str(key.table), key.name, key.column, str(key.referenced), key.referenced_column, str(key.on_delete))
        for table in TABLES
        for key in table.foreign_keys
    }
    with_a_session = {
        str(table.relation) for table in TABLES if any(key.referenced == SESSIONS for key in table.foreign_keys)
    }
    assert {str(table.relation) for table in SESSION_CHILDREN} == with_a_session
    keys = {str(each.relation): list(each.key) for each in TABLES}
    keys |= {str(each.relation): list(each.key) for each in EXTRACTS}
    keys[str(LEDGER)] = ["extract", "month"]
    assert dict(every(connection, PRIMARY_KEYS)) == keys


def test_every_foreign_key_has_an_index_and_says_what_happens_on_delete(connection: Connection) -> None:
    silent = every(
        connection,
        "SELECT conname FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = conrelid WHERE contype = 'f' "
        "AND NOT relispartition AND obj_description(k.oid, 'pg_constraint') IS NULL",
    )
    assert silent == []
    slow = every(
        connection,
        "SELECT conname FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = conrelid WHERE contype = 'f' "
        "AND NOT relispartition AND NOT EXISTS (SELECT FROM pg_index WHERE indrelid = conrelid "
        "AND indkey[0] = conkey[1])",
    )
    assert slow == []


def test_columns_and_comments_are_known_without_a_connection(connection: Connection) -> None:
    for relation in RELATIONS:
        there = every(
            connection,
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum",
            relation.quoted,
        )
        assert [(column.name,) for column in snapshot.columns(relation)] == there
        assert snapshot.comment(relation)
    for extract in EXTRACTS:
        assert all(column.description for column in snapshot.columns(extract.relation))
