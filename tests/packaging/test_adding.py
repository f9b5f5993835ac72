"""Follows `docs/adding.md` in a copy of the project: it gets another extract, table with a session, and view."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.adoption.test_adoption import older
from tests.packaging.adding import NEW_ENTRY, NEW_FILE, PAGE, ROOT, copy_and_follow, run
from tests.support import one, server_home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Databases

pytestmark = pytest.mark.xdist_group("adding")


@pytest.fixture(scope="module")
def copy() -> Iterator[Path]:
    """A copy of the project in which the page was followed."""
    with server_home() as directory:
        yield copy_and_follow(directory / "project")


LIST_DEFINITIONS = """
import json
from yumai_pipelines.definitions import defs
graph = defs.resolve_asset_graph()
names = {key.to_user_string(): [] for key in graph.get_all_asset_keys()}
for key in graph.asset_check_keys:
    names[key.asset_key.to_user_string()].append(key.name)
jobs = {
    job: sorted(key.to_user_string() for key in defs.resolve_job_def(job).asset_layer.selected_asset_keys)
    for job in ("daily_upkeep", "monthly_extracts")
}
print(json.dumps([names, jobs]))
"""


def test_the_page_names_what_is_there() -> None:
    named = re.findall(r"`((?:docs|sql|tests|yumai_pipelines)/[\w./]+)`", PAGE)
    assert [
        name for name in named if "NNNN" not in name and "food_requests" not in name and not (ROOT / name).exists()
    ] == []
    assert len(NEW_FILE.findall(PAGE)) == 6
    assert len(NEW_ENTRY.findall(PAGE)) == 3


def test_what_was_added_has_its_assets_checks_and_jobs(copy: Path) -> None:
    names, jobs = json.loads(run(copy, "-c", LIST_DEFINITIONS))
    assert sorted(names["extracts/food_requests"]) == [
        "has_the_last_month",
        "like_the_months_before",
        "of_the_logs_as_they_are",
        "reconciled",
        "valid_rows",
    ]
    assert sorted(names["analytics/shop_clicks"]) == ["foreign_keys", "no_orphans", "times_in_order"]
    assert sorted(names["analytics/recent_feedback"]) == ["is_complete", "is_fresh"]
    assert "analytics/recent_feedback" in jobs["daily_upkeep"]
    assert "extracts/food_requests" in jobs["monthly_extracts"]
    assert "### extracts.food_requests" in (copy / "docs" / "extracts.md").read_text(encoding="utf-8")


BUILD_ERASE_AND_CHECK = """
import sys
import dagster as dg
from tests.graph import Graph, months
from yumai_pipelines.schema.upgrade import upgrade
from yumai_pipelines.settings import Settings

url = sys.argv[1]
assert upgrade(url, Settings()).drift == ()
import psycopg
with psycopg.connect(url, autocommit=True) as connection, dg.DagsterInstance.ephemeral() as instance:
    connection.execute('''
        INSERT INTO chatbot.users (external_user_id, platform) VALUES ('stays', 'web'), ('goes', 'web');
        INSERT INTO chatbot.session_master (session_id, user_id, session_start)
        SELECT gen_random_uuid(), id, now() - interval '40 days' FROM chatbot.users;
        INSERT INTO analytics.user_feedback (session_id, user_id, feedback_type, feedback_content, time_stamp)
        SELECT session_id, user_id, 'rating', '{"rating": 5}', now() - interval '3 days' FROM chatbot.session_master;
        INSERT INTO analytics.shop_clicks (session_id, user_id, clicked_at)
        SELECT session_id, user_id, now() - interval '1 day' FROM chatbot.session_master;
        INSERT INTO analytics.recommendations_log
            (session_id, user_id, time_stamp, recommendations, recommendation_count, request_food_type)
        SELECT session_id, user_id, '2024-08-20 12:00+09', '[]', 0, 'noodles' FROM chatbot.session_master;
    ''')
    graph = Graph.on(url, instance)
    counts = lambda: [
        connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
        for name in ("analytics.recent_feedback", "analytics.shop_clicks", "chatbot.users")
    ]
    run = graph.materialize(dg.AssetKey(["analytics", "recent_feedback"]))
    assert (run.failed_checks(), counts()) == (set(), [2, 2, 2])
    run = graph.materialize(dg.AssetKey(["extracts", "food_requests"]), tags=months("2024-08"))
    assert run.outcome.success and run.failed_checks() == set()
    built = connection.execute("SELECT food_type, recommendations FROM extracts.food_requests").fetchall()
    assert built == [("noodles", 2)]
    assert connection.execute("SELECT chatbot.clean_inactive_sessions('2 days')").fetchone() == (0,)
    assert graph.run("erase_user", external_user_id="goes", reason="asked for", dry_run=False).outcome.success
    assert counts() == [1, 1, 1]
    connection.execute("SET session_replication_role = replica; DELETE FROM chatbot.session_master")
    run = graph.check("analytics", "shop_clicks", "no_orphans")
    assert run.failed_checks() == {"analytics/shop_clicks:no_orphans"}
    assert graph.run("repair_orphans", dry_run=False).outcome.success
    assert graph.check("analytics", "shop_clicks", "no_orphans").failed_checks() == set()
"""


def test_what_was_added_is_built_checked_repaired_and_an_erased_person_is_gone_from_it(
    copy: Path, empty_database: str
) -> None:
    run(copy, "-c", BUILD_ERASE_AND_CHECK, empty_database)


ADOPT = """
import sys
from datetime import UTC, datetime
from yumai_pipelines import adoption
from yumai_pipelines.settings import Settings
assert adoption.inspect(sys.argv[1], Settings()).refusals == ()
adoption.adopt(sys.argv[1], Settings(), as_of=datetime(2025, 4, 1, 10, tzinfo=UTC))
"""


def test_an_older_database_is_adopted_by_a_version_with_a_table_more(copy: Path, databases: Databases) -> None:
    with older(databases) as (url, _), psycopg.connect(url, autocommit=True) as connection:
        before = one(connection, "SELECT count(*) FROM chatbot.conversations")
        run(copy, "-c", ADOPT, url)
        assert one(connection, "SELECT count(*) FROM chatbot.conversations") == before > 0
        assert one(connection, "SELECT count(*) FROM analytics.shop_clicks") == 0
