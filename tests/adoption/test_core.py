"""The core is complete: whatever the other columns are, all that the pipeline does goes on; after an adoption, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

from tests.adoption.living import live_on
from tests.adoption.test_adoption import adopted, older
from tests.hostile.life import live, plant_world
from tests.support import every
from yumai_pipelines.adoption.core import CORE
from yumai_pipelines.adoption.registry import RECENT_CONVERSATIONS, TABLES
from yumai_pipelines.schema.snapshot import shipped

if TYPE_CHECKING:
    from pathlib import Path

    import dagster as dg

    from tests.conftest import Databases
    from tests.support import Connection


def make_unlike(connection: Connection) -> None:
    """Give every column outside the core a type that has not even an equality, and take its rules and defaults away."""
    view = RECENT_CONVERSATIONS
    made = [each for each in shipped() if each.name == str(view) or each.name.startswith(f"{view}.")]
    parts = [each.definition for each in shipped() if each.kind == "index" and f" ON {view} " in each.definition]
    connection.execute(sql.SQL("DROP MATERIALIZED VIEW {}").format(view.identifier))
    for table in TABLES:
        names = every(
            connection,
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
            table.relation.quoted,
        )
        rest = [name for (name,) in names if name not in CORE[table.relation]]
        rules = every(
            connection,
            "SELECT k.conname FROM pg_constraint AS k INNER JOIN pg_attribute AS a "
            "ON a.attrelid = k.conrelid AND a.attnum = ANY(k.conkey) WHERE k.conrelid = %s::regclass "
            "AND a.attname = ANY(%s) GROUP BY 1",
            table.relation.quoted,
            rest,
        )
        indexes = every(
            connection,
            "SELECT i.indexrelid::regclass::text FROM pg_index AS i INNER JOIN pg_attribute AS a "
            "ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey) WHERE i.indrelid = %s::regclass "
            "AND a.attname = ANY(%s) AND NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conindid = i.indexrelid)",
            table.relation.quoted,
            rest,
        )
        for (name,) in rules:
            connection.execute(
                sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(table.relation.identifier, sql.Identifier(name))
            )
        for (name,) in indexes:
            connection.execute(sql.SQL("DROP INDEX {}").format(sql.SQL(name)))
        if "updated_at" in rest:
            connection.execute(sql.SQL("DROP TRIGGER set_updated_at ON {}").format(table.relation.identifier))
        for name in rest:
            connection.execute(
                sql.SQL(
                    "ALTER TABLE {0} ALTER {1} DROP DEFAULT, ALTER {1} DROP NOT NULL, "
                    "ALTER {1} TYPE json USING to_json({1})"
                ).format(table.relation.identifier, sql.Identifier(name))
            )
    query = next(each.definition for each in made if each.kind == "relation").partition("\nowner")[0]
    connection.execute("SET ROLE yumai_pipeline")
    connection.execute(sql.SQL(query.replace("materialized view", f"CREATE MATERIALIZED VIEW {view} AS", 1)))
    for each in parts:
        connection.execute(each.encode())
    connection.execute("RESET ROLE")


def test_all_goes_on_whatever_the_columns_outside_the_core_are(
    database: str, connection: Connection, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    plant_world(connection)
    make_unlike(connection)
    life = live(database, connection, instance, tmp_path)
    assert life.failed == {}
    connection.execute("SELECT chatbot.end_session(chatbot.start_session(2)), chatbot.clean_invalid_shop_references()")
    connection.execute("SELECT chatbot.get_shop_hours(1), chatbot.clean_inactive_sessions()")
    connection.execute("SELECT chatbot.delete_old_sessions(30), chatbot.auto_delete_old_conversations()")


def test_all_goes_on_in_an_adopted_database_of_another_design(databases: Databases, tmp_path: Path) -> None:
    with older(databases, "other_orders", "interim_sessions") as (url, _):
        adopted(url)
        live_on(databases, url, tmp_path)
