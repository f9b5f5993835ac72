"""What others make in the database: functions that lie in wait under known names, and policies that hide rows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg import sql

from tests.adoption.test_adoption import adopted, older
from tests.graph import Graph, follow_the_advice, leaving
from tests.hostile.life import live, plant_world
from tests.support import every, login, one
from yumai_pipelines.integrity.repair import repair_orphans
from yumai_pipelines.model.months import Month
from yumai_pipelines.postgres.connections import connect
from yumai_pipelines.postgres.sql_files import sql_path
from yumai_pipelines.schema.upgrade import Creator, list_creators, upgrade
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    import dagster as dg

    from tests.conftest import Databases
    from tests.support import Connection

SEOUL = ZoneInfo("Asia/Seoul")
AUGUST = Month(2024, 8)

SIGNATURES = (
    "text", "text, integer", "text, text", "integer", "integer, integer", "bigint, integer", "bigint",
    "timestamptz", "text, timestamptz", "interval", "date", "jsonb", "json", "uuid", "regclass", "text, boolean",
    "text, text, boolean", "numeric", "numeric, integer", "bytea", "jsonb, text", "name", "oid", "boolean",
)  # fmt: skip
"""Arguments of the traps: an exact match is taken before a function of pg_catalog that needs a conversion."""


def names_called() -> set[str]:
    """What is followed by a parenthesis in our SQL, and in the Python that sends some."""
    root = sql_path()
    texts = [path.read_text(encoding="utf-8") for path in root.rglob("*.sql") if path.name != "schema.sql"]
    texts += [path.read_text(encoding="utf-8") for path in (root.parent / "yumai_pipelines").rglob("*.py")]
    return {name for text in texts for name in re.findall(r"\b([a-z_0-9]+)\(", text)}


def set_traps(owner: Connection, schema: str) -> int:
    """Functions under the names of those of pg_catalog that we call; each says that it was called, and by whom."""
    owner.execute(
        sql.SQL(
            "CREATE TABLE {schema}.sprung (name text, by name DEFAULT session_user); "
            "GRANT INSERT ON {schema}.sprung TO PUBLIC"
        ).format(schema=sql.Identifier(schema))
    )
    known = {
        name for (name,) in every(owner, "SELECT proname FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace")
    }
    traps = 0
    for name in sorted(names_called() & known):
        for signature in SIGNATURES:
            arguments = "(" + signature + ")"
            if one(owner, "SELECT to_regprocedure(%s) IS NOT NULL", f"pg_catalog.{name}{arguments}"):
                continue
            owner.execute(
                sql.SQL(
                    "CREATE FUNCTION {schema}.{name}({signature}) RETURNS boolean LANGUAGE plpgsql AS "
                    "'BEGIN INSERT INTO {schema}.sprung (name) VALUES ({quoted}); RETURN NULL; END'"
                ).format(
                    schema=sql.Identifier(schema),
                    name=sql.Identifier(name),
                    signature=sql.SQL(signature),
                    quoted=sql.SQL(f"$${name}{arguments}$$"),
                )
            )
            traps += 1
    return traps


def test_nothing_that_others_made_is_run_with_our_rights(
    databases: Databases, template: str, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    with databases.clone(template) as url, psycopg.connect(url, autocommit=True) as admin:
        plant_world(admin)
        admin.execute("GRANT CREATE ON SCHEMA public, chatbot TO yumai_app")
        with login(admin, url, "IN ROLE yumai_app") as app, psycopg.connect(app, autocommit=True) as attacker:
            for schema in ("public", "chatbot"):
                assert set_traps(attacker, schema) > 1000
                # Under the search path of a client, a trap is sprung: they are no blanks.
                attacker.execute(sql.SQL("SET search_path = {}, pg_catalog").format(sql.Identifier(schema)))
                attacker.execute("SELECT hashtextextended('x', 0)")
                assert every(attacker, "DELETE FROM sprung RETURNING name") == [("hashtextextended(text, integer)",)]
            upgrade(url, Settings())
            assert live(url, admin, instance, tmp_path).failed == {}
            assert every(admin, "SELECT name, by FROM public.sprung UNION SELECT name, by FROM chatbot.sprung") == []


def test_who_may_create_is_told(database: str, connection: Connection, graph: Graph) -> None:
    assert upgrade(database, Settings()).creators == ()
    connection.execute("GRANT CREATE ON SCHEMA public TO PUBLIC; GRANT CREATE ON SCHEMA chatbot TO yumai_app")
    creators = [Creator("chatbot", "yumai_app"), Creator("public", "PUBLIC")]
    assert list(upgrade(database, Settings()).creators) == creators
    evaluation = graph.check("schema", "only_the_pipeline_creates").evaluation("schema", "only_the_pipeline_creates")
    assert (evaluation.passed, evaluation.metadata["count"].value) == (False, 2)
    follow_the_advice(database, evaluation)
    assert list_creators(connection) == []


HIDE = "ALTER TABLE {0} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; CREATE POLICY hidden ON {0} USING (false)"


def hide_rows(connection: Connection, table: str) -> None:
    connection.execute(sql.SQL(HIDE).format(sql.Identifier(*table.split("."))))


def test_an_adoption_tells_who_may_create(databases: Databases) -> None:
    with older(databases) as (url, _):
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute("GRANT CREATE ON SCHEMA public TO PUBLIC")
        told = adopted(url).in_words()
    assert "PUBLIC may create objects in the schema public" in told
    assert "REVOKE CREATE ON SCHEMA public FROM PUBLIC" in told


def test_a_month_whose_rows_are_hidden_is_not_archived(graph: Graph, connection: Connection) -> None:
    plant_world(connection)
    august = {"dagster/asset_partition_range_start": "2024-08-01", "dagster/asset_partition_range_end": "2024-08-01"}
    assert graph.run("monthly_partitions", august).success
    rows = one(connection, "SELECT count(*) FROM chatbot.conversations_2024_08")
    hide_rows(connection, "chatbot.conversations_2024_08")
    assert not graph.run("monthly_archive", **leaving("2024-08")).success
    assert every(connection, "SELECT state FROM yumai_pipelines.archives WHERE state = 'archived'") == []
    places = every(
        connection,
        "SELECT n.nspname, c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace "
        "WHERE c.relname IN ('conversations_2024_08', 'conversations_2024_08_detached') AND c.relkind = 'r'",
    )
    counts = [
        connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(*place))).fetchone()
        for place in places
    ]
    assert counts == [(rows,)]
    assert rows > 0


@pytest.mark.parametrize(
    "table", ["analytics.recommendations_log", "analytics.user_feedback", "chatbot.session_master"]
)
def test_rows_that_are_hidden_are_not_taken_for_absent(
    database: str, graph: Graph, connection: Connection, table: str
) -> None:
    plant_world(connection)
    tags = {"dagster/asset_partition_range_start": "2024-08-01", "dagster/asset_partition_range_end": "2024-09-01"}
    assert graph.run("monthly_extracts", tags).success
    counts = every(connection, "SELECT extract, month, row_count FROM extracts.ledger ORDER BY 1, 2")
    hide_rows(connection, table)
    assert not graph.run("monthly_extracts", tags).success
    assert every(connection, "SELECT extract, month, row_count FROM extracts.ledger ORDER BY 1, 2") == counts
    assert not graph.run("repair_orphans", dry_run=False).success
    assert one(connection, "SELECT count(*) FROM yumai_pipelines.quarantine") == 0
    with (
        connect(database, application_name="test") as owner,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"),
    ):
        repair_orphans(owner, run_id="test")


def test_policies_are_drift(database: str, connection: Connection) -> None:
    connection.execute(
        "CREATE TABLE chatbot.conversations_2024_08 PARTITION OF chatbot.conversations "
        "FOR VALUES FROM ('2024-08-01+09') TO ('2024-09-01+09')"
    )
    hide_rows(connection, "chatbot.conversations_2024_08")
    assert [str(each) for each in upgrade(database, Settings()).drift] == [
        "policy chatbot.conversations_2024_08.hidden is not known to this version",
        "row security chatbot.conversations_2024_08 is not known to this version",
    ]
