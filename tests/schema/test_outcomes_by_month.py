"""Migration 0016, which partitions the outcomes by month, keeps every row, right and view of an older database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.extracts.dirt import plant
from tests.extracts.support import MONTHS, ZONE, as_text, build
from tests.support import every, one
from yumai_pipelines.model.registry import EXTRACTS, extract_of
from yumai_pipelines.postgres.connections import OWNER_ROLE
from yumai_pipelines.postgres.sql_files import sql_path
from yumai_pipelines.schema import snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support import Connection

OUTCOMES = extract_of("recommendation_outcomes").relation
MIGRATION = "0016_outcomes_by_month.sql"
OLDER = "extracts.recommendation_outcomes_older"
THEIRS = (
    "CREATE VIEW public.outcomes WITH (security_barrier=true) AS "
    "SELECT month, shop_id FROM extracts.recommendation_outcomes",
    "CREATE VIEW public.of_months AS SELECT month, count(*) AS number FROM public.outcomes GROUP BY month",
    "GRANT SELECT ON public.of_months TO yumai_analyst",
    "CREATE INDEX theirs ON extracts.recommendation_outcomes (shop_category) WHERE was_selected",
    "REVOKE SELECT ON extracts.recommendation_outcomes FROM yumai_analyst",
    "GRANT SELECT (month, shop_id) ON extracts.recommendation_outcomes TO yumai_analyst",
    "GRANT SELECT ON extracts.recommendation_outcomes TO yumai_app WITH GRANT OPTION",
    "ALTER TABLE extracts.recommendation_outcomes REPLICA IDENTITY FULL",
)
HINDRANCES = {
    "a materialized view": "CREATE MATERIALIZED VIEW public.theirs AS "
    "SELECT month FROM extracts.recommendation_outcomes",
    "a publication": "CREATE PUBLICATION theirs FOR TABLE extracts.recommendation_outcomes",
    "a foreign key": "CREATE TABLE public.theirs (month date, id bigint, "
    "FOREIGN KEY (month, id) REFERENCES extracts.recommendation_outcomes)",
    "a policy": "CREATE POLICY theirs ON extracts.recommendation_outcomes USING (true)",
    "row security": "ALTER TABLE extracts.recommendation_outcomes ENABLE ROW LEVEL SECURITY",
    "a trigger": "CREATE TRIGGER theirs BEFORE UPDATE ON extracts.recommendation_outcomes "
    "FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "a child": "CREATE TABLE public.theirs () INHERITS (extracts.recommendation_outcomes)",
    "a function": "CREATE FUNCTION public.theirs() RETURNS bigint BEGIN ATOMIC "
    "SELECT count(*) FROM extracts.recommendation_outcomes; END",
    "a unique index": "CREATE UNIQUE INDEX theirs ON extracts.recommendation_outcomes (recommendation_id)",
}


def files(directory: str) -> list[Path]:
    return sorted(sql_path(directory).glob("*.sql"))


@pytest.fixture
def before(empty_database: str) -> Iterator[Connection]:
    """A connection of the owner to a database as of the migration before, with logs."""
    with psycopg.connect(empty_database, autocommit=True) as connection:
        with connection.transaction():
            for path in files("bootstrap"):
                connection.execute(path.read_bytes())
        connection.execute("SELECT set_config('search_path', 'chatbot, ml_features, analytics, public', false)")
        connection.execute(f"SET ROLE {OWNER_ROLE}".encode())
        older = [path for path in files("migrations") if path.name < MIGRATION]
        for path in [*older, *files("functions"), *files("privileges")]:
            with connection.transaction():
                connection.execute(path.read_bytes())
        plant(connection, MONTHS, ZONE, rows=60, seed=3)
        yield connection
    # Of the whole server.
    with psycopg.connect(empty_database, autocommit=True) as admin:
        admin.execute("DROP PUBLICATION IF EXISTS theirs")


def partition(connection: Connection) -> list[str]:
    """Run the migration, and return what it says."""
    said: list[str] = []
    connection.add_notice_handler(lambda notice: said.append(str(notice.message_primary)))
    with connection.transaction():
        connection.execute(sql_path("migrations", MIGRATION).read_bytes())
    return said


def contents(connection: Connection) -> dict[str, list[str]]:
    return {each.relation.name: as_text(connection, each.relation) for each in EXTRACTS}


def parts(connection: Connection) -> dict[str, str]:
    query = (
        "SELECT c.oid::regclass::text, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits AS i "
        "INNER JOIN pg_class AS c ON c.oid = i.inhrelid WHERE i.inhparent = %s::regclass ORDER BY 1"
    )
    return dict(every(connection, query, OUTCOMES.quoted))


def differences(connection: Connection) -> list[str]:
    """What differs from a fresh install in the extract and what is made of it."""
    found = snapshot.compare(snapshot.shipped(), snapshot.describe(connection))
    return [str(each) for each in found if OUTCOMES.name in str(each) or "changes_by_month" in str(each)]


def test_an_extract_that_was_never_built_is_as_in_a_fresh_install(before: Connection) -> None:
    assert partition(before) == []
    assert (parts(before), differences(before)) == ({}, [])
    build(before)
    assert len(parts(before)) == len(MONTHS)


def test_every_row_stays_and_each_month_to_come_gets_a_partition(before: Connection) -> None:
    build(before, MONTHS[:1])
    rows = contents(before)
    view = one(before, "SELECT pg_get_viewdef('yumai_pipelines.changes_by_month'::regclass)")
    assert partition(before) == []
    assert parts(before) == {OLDER: "FOR VALUES FROM (MINVALUE) TO ('2025-01-01')"}
    assert (contents(before), differences(before)) == (rows, [])
    assert one(before, "SELECT pg_get_viewdef('yumai_pipelines.changes_by_month'::regclass)") == view
    # The older version goes on: with a month that is there, and with the one after it.
    before.execute("CREATE TEMP TABLE kept AS TABLE extracts.recommendation_outcomes")
    before.execute("DELETE FROM extracts.recommendation_outcomes WHERE month = '2024-11-01'")
    before.execute("INSERT INTO extracts.recommendation_outcomes TABLE kept")
    before.execute("UPDATE kept SET month = '2024-12-01'")
    before.execute("INSERT INTO extracts.recommendation_outcomes TABLE kept")
    build(before, MONTHS)
    assert list(parts(before)) == [f"{OUTCOMES}_{month.suffix}" for month in MONTHS[2:]] + [OLDER]
    assert one(before, "SELECT count(DISTINCT month) FROM extracts.recommendation_outcomes_older") == 2
    assert contents(before)[OUTCOMES.name][: len(rows[OUTCOMES.name])] == rows[OUTCOMES.name]


def test_what_others_have_made_of_it_and_may_do_with_it_stays(before: Connection) -> None:
    build(before, MONTHS[:1])
    before.execute("RESET ROLE")
    before.execute("GRANT CREATE ON SCHEMA public TO yumai_pipeline")
    before.execute(f"SET ROLE {OWNER_ROLE}".encode())
    for statement in THEIRS:
        before.execute(statement.encode())
    assert partition(before) == []
    build(before)
    assert len(every(before, "SELECT month FROM public.of_months")) == len(MONTHS)
    assert one(before, "SELECT reloptions::text FROM pg_class WHERE relname = 'outcomes'") == "{security_barrier=true}"
    indexed = "SELECT count(*) FROM pg_indexes WHERE indexdef LIKE '%USING btree (shop_category) WHERE was_selected'"
    assert one(before, indexed) == len(parts(before)) + 1
    may = "SELECT has_{}_privilege(%s, {} 'extracts.recommendation_outcomes'{}, %s)"
    table, column = may.format("table", "", ""), may.format("column", "", ", %s")
    assert one(before, table, "yumai_analyst", "SELECT") is False
    assert one(before, table, "yumai_app", "SELECT WITH GRANT OPTION") is True
    assert one(before, column, "yumai_analyst", "shop_id", "SELECT") is True
    assert one(before, column, "yumai_analyst", "user_key", "SELECT") is False
    assert one(before, "SELECT has_table_privilege('yumai_analyst', 'public.of_months', 'SELECT')") is True
    identities = "SELECT DISTINCT relreplident FROM pg_class WHERE oid = ANY(%s::regclass[])"
    assert every(before, identities, [OUTCOMES.quoted, *parts(before)]) == [("f",)]


@pytest.mark.parametrize("hindrance", HINDRANCES)
def test_what_a_new_table_would_take_from_others_keeps_it_one_table(before: Connection, hindrance: str) -> None:
    build(before, MONTHS[:1])
    before.execute("RESET ROLE")
    before.execute(HINDRANCES[hindrance].encode())
    before.execute(f"SET ROLE {OWNER_ROLE}".encode())
    rows = contents(before)
    path = one(before, "SHOW search_path")
    (said,) = partition(before)
    assert said.startswith("extracts.recommendation_outcomes stays one table, and is built as before: ")
    assert one(before, "SELECT relkind FROM pg_class WHERE oid = %s::regclass", OUTCOMES.quoted) == "r"
    assert (contents(before), one(before, "SHOW search_path")) == (rows, path)
    if hindrance != "a policy":
        assert len(build(before)[OUTCOMES.name]) == len(MONTHS)


def test_a_view_that_only_its_owner_may_replace_keeps_it_one_table(before: Connection) -> None:
    before.execute("RESET ROLE")
    before.execute("GRANT CREATE ON SCHEMA public TO yumai_pipeline")
    before.execute("CREATE VIEW public.theirs AS SELECT month FROM extracts.recommendation_outcomes")
    before.execute(f"SET ROLE {OWNER_ROLE}".encode())
    build(before, MONTHS[:1])
    (said,) = partition(before)
    assert "must be owner of view theirs" in said
    build(before)
    before.execute("RESET ROLE")
    assert one(before, "SELECT count(DISTINCT month) FROM public.theirs") == len(MONTHS)
