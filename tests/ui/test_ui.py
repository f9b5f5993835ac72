"""What people see: Dagster's UI in a real browser, on a database with some months of demonstration data."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import dagster as dg
import psycopg
import pytest
from playwright.sync_api import Page, expect

from tests.graph import CONVERSATIONS, FUNNEL, Graph
from tests.support import one
from tests.ui.support import MONTHS, PATIENCE, Deployment, served
from yumai_pipelines.definitions import build_definitions
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

# One worker makes the deployment and looks at it.
pytestmark = pytest.mark.xdist_group("ui")

# The request that the button in the UI sends.
BACKFILL = """
mutation ($months: [String!]!) {
  launchPartitionBackfill(
    backfillParams: {partitionNames: $months, assetSelection: [{path: ["chatbot", "conversations"]}]}
  ) { ... on LaunchBackfillSuccess { backfillId } }
}
"""


def names(shown: str, name: str) -> bool:
    """Return whether a text of the graph names an asset. Long names are cut in the middle; facts may follow a name."""
    title, _, _ = shown.partition("Latest event")
    head, cut, tail = title.partition("…")
    return title == name or bool(cut and name.startswith(head) and name.endswith(tail))


def test_graph_shows_every_asset(page: Page) -> None:
    """The graph is viewed group by group, since assets outside the window are not drawn."""
    graph = build_definitions().resolve_asset_graph()
    keys = graph.get_all_asset_keys()
    for group in sorted({graph.get(key).group_name for key in keys}):
        page.goto(f"/locations/yumai_pipelines/asset-groups/{group}/lineage")
        missing = {key.path[-1] for key in keys if graph.get(key).group_name == group}
        deadline = time.monotonic() + PATIENCE / 1000
        while missing:
            assert time.monotonic() < deadline, missing
            time.sleep(0.2)
            texts = page.locator("foreignObject").all_text_contents()
            missing = {name for name in missing if not any(names(text, name) for text in texts)}


def test_every_month_of_the_conversations_is_materialized(page: Page, deployment: Deployment) -> None:
    months = MONTHS + Settings().months_ahead
    page.goto(f"/assets/chatbot/conversations?view=partitions&partition={deployment.first.partition_key}")
    expect(page.get_by_text(f"Materialized ({months})")).to_be_visible()
    expect(page.get_by_text("Missing (0)")).to_be_visible()
    expect(page.get_by_text(f"chatbot.conversations_{deployment.first.suffix}")).to_be_visible()


def test_extract_explains_its_columns(page: Page) -> None:
    page.goto("/assets/extracts/" + FUNNEL.path[-1])
    grain = "One row per month, recommendation method and shop category."
    for text in ("selection_rate", "Median seconds from recommendation to selection", grain):
        expect(page.get_by_text(text).first).to_be_visible()


def test_job_shows_the_runs_of_the_demonstration(page: Page) -> None:
    page.goto("/locations/yumai_pipelines/jobs/monthly_extracts/runs")
    expect(page.get_by_text("Success", exact=True)).to_have_count(1)


@pytest.mark.parametrize("language", ["", ".ko"], ids=["english", "korean"])
def test_the_report_is_served_and_fits_every_screen(page: Page, deployment: Deployment, language: str) -> None:
    month = deployment.first + (MONTHS - 2)
    page.goto(f"/assets/extracts/monthly_report?view=partitions&partition={month.partition_key}")
    expect(page.get_by_role("link", name=f"/report/{month}{language}.html", exact=True).first).to_be_visible()
    for width in (390, 900, 1100, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(f"/report/{month}{language}")
        title = "추천 보고서" if language else "Recommendations in"
        expect(page.get_by_role("heading", level=1)).to_contain_text(title)
        assert page.evaluate("document.documentElement.scrollWidth") == width
        narrowest = "Math.min(...[...document.querySelectorAll('td:first-child')].map(each => each.clientWidth))"
        assert page.evaluate(narrowest) > 100, "names are not broken by the syllable"
    for path, status in (("/report", 200), ("/report.ko", 200), ("/report/1999-01", 404)):
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == status


def test_backfill_of_months_is_one_run_and_shows_them(page: Page, deployment: Deployment, tmp_path: Path) -> None:
    months = [month.partition_key for month in deployment.first.through(deployment.first + MONTHS)]
    workspace = str(deployment.instance_directory / "workspace.yaml")
    with served(deployment, tmp_path / "log", "dagster._daemon", "run", "-w", workspace):
        launched = page.request.post("/graphql", data={"query": BACKFILL, "variables": {"months": months}}).json()
        backfill = launched["data"]["launchPartitionBackfill"]["backfillId"]
        page.goto(f"/runs/b/{backfill}")
        expect(page.get_by_text(f"{months[0]}...{months[-1]}")).to_be_visible()
        # One is the state of the backfill, the other is above the number of months. The daemon looks every half minute.
        expect(page.get_by_text("Succeeded", exact=True)).to_have_count(2, timeout=3 * PATIENCE)
    expect(page.get_by_text("100% completed")).to_be_visible()
    expect(page.get_by_text(str(len(months)), exact=True)).to_have_count(2)
    with dg.DagsterInstance.from_config(str(deployment.instance_directory)) as instance:
        assert instance.get_runs_count(dg.RunsFilter(tags={"dagster/backfill": backfill})) == 1


def test_checks_have_passed(page: Page) -> None:
    graph = build_definitions().resolve_asset_graph()
    names = [key.name for key in graph.asset_check_keys if key.asset_key == CONVERSATIONS]
    page.goto("/assets/chatbot/conversations?view=checks")
    expect(page.get_by_text(f"Checks ({len(names)})")).to_be_visible()
    expect(page.get_by_text("Succeeded", exact=True)).to_have_count(len(names))


def test_failed_check_says_how_many_which_and_what_to_do(page: Page, deployment: Deployment) -> None:
    with psycopg.connect(deployment.url, autocommit=True) as connection:
        session = one(connection, "SELECT start_session(NULL)")
        connection.execute(
            "INSERT INTO conversations (session_id, conversation_time) VALUES (%s, '2001-01-31')", (session,)
        )

    def check() -> None:
        with dg.DagsterInstance.from_config(str(deployment.instance_directory)) as instance:
            graph = Graph.on(deployment.url, instance)
            assert graph.check(*CONVERSATIONS.path, "default_partition_empty").failed_checks()

    # This runs in another thread, since Playwright's event loop is in this one and Dagster starts a second one.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(check).result()

    page.goto("/assets/chatbot/conversations?view=checks&checkDetail=default_partition_empty")
    expect(page.get_by_text("Failed", exact=True).first).to_be_visible()
    for text in ("Rows in the default partition", "month 2001-01, rows 1", "What to do: materialize those months"):
        expect(page.get_by_text(text).first).to_be_visible()
