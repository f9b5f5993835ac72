"""What people see and do: Dagster's UI in a real browser, on a database with some months of demonstration data."""

from __future__ import annotations

import re
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg
import psycopg
import pytest
from playwright.sync_api import Locator, Page, ViewportSize, expect

from tests.graph import CONVERSATIONS, FUNNEL, Graph
from tests.processes import finished
from tests.support import every, one, wait_until
from tests.ui.support import PATIENCE, Deployment
from yumai_pipelines.definitions import build_definitions
from yumai_pipelines.local.server import program
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

# One worker makes the deployment and looks at it.
pytestmark = pytest.mark.xdist_group("ui")

# What a person sees of the pages, and of the pictures of them in the README.
WIDE: ViewportSize = {"width": 1300, "height": 800}
PICTURED = 1100
"""The width of the picture of the report."""


def button(page: Page, label: str) -> Locator:
    return page.get_by_role("button").get_by_text(label, exact=True)


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


def test_first_page_shows_the_runs_of_the_demonstration(page: Page) -> None:
    page.goto("/")
    for job in ("install_schema", "monthly_partitions", "monthly_extracts", "daily_upkeep"):
        expect(page.get_by_text(job, exact=True).first).to_be_visible()


def test_picture_of_a_healthy_database(page: Page, pictures: Path) -> None:
    page.set_viewport_size(WIDE)
    page.goto("/locations/yumai_pipelines/asset-groups/chatbot/lineage")
    expect(page.get_by_text("Materialized", exact=True)).to_have_count(4)
    expect(page.get_by_text("100% filled")).to_be_visible()
    # The graph moves until it fits the window.
    page.wait_for_timeout(2000)
    page.screenshot(path=pictures / "ui.png")


def test_every_table_shows_its_number_of_rows(page: Page, deployment: Deployment) -> None:
    with psycopg.connect(deployment.url) as connection:
        rows = one(connection, "SELECT count(*) FROM chatbot.shops")
    page.goto("/assets/chatbot/shops")
    expect(page.get_by_text("Row count", exact=True)).to_be_visible()
    expect(page.get_by_text(f"{rows:,}", exact=True)).to_be_visible()


def test_every_month_of_the_conversations_is_materialized(page: Page, deployment: Deployment) -> None:
    months = deployment.months + Settings().months_ahead
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
def test_the_report_is_served_and_fits_every_screen(
    page: Page, deployment: Deployment, pictures: Path, language: str
) -> None:
    month = deployment.first + (deployment.months - 2)
    page.goto(f"/assets/extracts/monthly_report?view=partitions&partition={month.partition_key}")
    expect(page.get_by_role("link", name=f"/report/{month}{language}.html", exact=True).first).to_be_visible()
    for width in (390, 900, 1100, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(f"/report/{month}{language}")
        title = "추천 보고서" if language else "Recommendations in"
        expect(page.get_by_role("heading", level=1)).to_contain_text(title)
        assert page.evaluate("document.documentElement.scrollWidth") == width
        if width == PICTURED:
            page.screenshot(path=pictures / f"report{language}.png")
        narrowest = "Math.min(...[...document.querySelectorAll('td:first-child')].map(each => each.clientWidth))"
        assert page.evaluate(narrowest) > 100, "names are not broken by the syllable"
        rows = Counter(page.evaluate("[...document.querySelectorAll('.figures div')].map(each => each.offsetTop)"))
        assert len(set(rows.values())) == 1, "a row of figures is not full"
    page.goto(f"/report/{month}{language}")
    assert len(re.findall(rb"/Type /Page\b", page.pdf(format="A4"))) <= 2
    for path, status in (("/report", 200), ("/report.ko", 200), ("/report/1999-01", 404)):
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == status


def test_checks_have_passed(page: Page) -> None:
    graph = build_definitions().resolve_asset_graph()
    names = [key.name for key in graph.asset_check_keys if key.asset_key == CONVERSATIONS]
    page.goto("/assets/chatbot/conversations?view=checks")
    expect(page.get_by_text(f"Checks ({len(names)})")).to_be_visible()
    expect(page.get_by_text("Succeeded", exact=True)).to_have_count(len(names))


def test_failed_check_says_what_to_do_and_its_sql_repairs_it_as_pasted(page: Page, deployment: Deployment) -> None:
    with psycopg.connect(deployment.url, autocommit=True) as connection:
        connection.execute("ALTER TABLE analytics.user_feedback DISABLE TRIGGER ALL")
        connection.execute(
            "INSERT INTO analytics.user_feedback (session_id, feedback_type) VALUES (gen_random_uuid(), 'text')"
        )
    repaired = Repair(page, deployment, "analytics/user_feedback")

    assert repaired.check("no_orphans") == "Failed"
    for text in ("Rows of analytics.user_feedback without a session: 1 (limit 0)", "What to do:", "Cause:"):
        expect(page.get_by_text(text).first).to_be_visible()
    repaired.paste("or move the rows to the quarantine")
    assert repaired.check("no_orphans") == "Passed"

    assert repaired.check("foreign_keys") == "Failed"
    repaired.paste("enable the triggers of analytics.user_feedback")
    assert repaired.check("foreign_keys") == "Passed"


@dataclass(frozen=True)
class Repair:
    """A person who has checks of an asset executed, and pastes their SQL into psql."""

    page: Page
    deployment: Deployment
    asset: str

    def check(self, name: str) -> str:
        """Execute a check, and return what its page then says of it."""

        def execute() -> None:
            with dg.DagsterInstance.from_config(str(self.deployment.instance_directory)) as instance:
                Graph.on(self.deployment.url, instance).check(*self.asset.split("/"), name)

        # In another thread, since Playwright's event loop is in this one and Dagster starts a second one.
        with ThreadPoolExecutor(1) as pool:
            pool.submit(execute).result()
        self.page.goto(f"/assets/{self.asset}?view=checks&checkDetail={name}")
        # The tag of the latest evaluation. The list beside it says Succeeded.
        verdict = self.page.get_by_text(re.compile("^(Passed|Failed)$")).last
        expect(verdict).to_be_visible()
        return verdict.inner_text()

    def paste(self, block: str) -> None:
        """Show a block of SQL, and paste it as it stands."""
        self.page.locator("tr", has_text=block).last.get_by_text("Show Markdown").click()
        shown = self.page.locator("pre").inner_text()
        psql = [str(program("psql")), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-", self.deployment.url]
        pasted = finished(psql, typed=shown)
        assert pasted.returncode == 0, shown + pasted.stderr


# The daemon runs from here on.


@pytest.mark.usefixtures("daemon")
def test_a_dry_run_is_what_the_launchpad_offers(page: Page, deployment: Deployment) -> None:
    counted = "SELECT count(*) FROM chatbot.session_master"
    with psycopg.connect(deployment.url, autocommit=True) as connection:
        before = one(connection, counted)
        page.goto("/locations/yumai_pipelines/jobs/monthly_retention/playground")
        expect(page.get_by_text("dry_run: true")).to_be_visible()
        button(page, "Launch Run").click()
        page.wait_for_url("**/runs/*")
        expect(page.get_by_text("Success", exact=True).first).to_be_visible()
        expect(page.get_by_text(re.compile("Dry run, nothing was changed: [1-9]"))).to_be_visible()
        assert one(connection, counted) == before


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("daemon")
def test_the_big_button_and_a_backfill_of_months(page: Page, deployment: Deployment) -> None:
    counted = "SELECT (SELECT count(*) FROM chatbot.session_master), (SELECT count(*) FROM chatbot.conversations)"
    with psycopg.connect(deployment.url, autocommit=True) as connection:
        before = every(connection, counted)
        page.goto("/asset-groups")
        page.get_by_role("button").get_by_text("Materialize all").click()
        expect(page.get_by_text("All partitions")).to_be_visible()
        everything = launch(page, deployment)
        page.goto("/assets/chatbot/conversations")
        button(page, "Materialize…").click()
        button(page, "All").click()
        months = launch(page, deployment)
        for backfill in (months, everything):
            page.goto(f"/runs/b/{backfill}")
            status = page.get_by_text("Status", exact=True).locator("..")
            # The daemon looks every half minute.
            expect(status.get_by_text("Succeeded", exact=True)).to_be_visible(timeout=5 * PATIENCE)
        assert every(connection, counted) == before
    with dg.DagsterInstance.from_config(str(deployment.instance_directory)) as instance:
        assert instance.get_runs_count(dg.RunsFilter(tags={"dagster/backfill": months})) == 1


def launch(page: Page, deployment: Deployment) -> str:
    """Launch the backfill of the dialog, and return its id."""
    with dg.DagsterInstance.from_config(str(deployment.instance_directory)) as instance:

        def launched() -> set[str]:
            return {backfill.backfill_id for backfill in instance.get_backfills()}

        before = launched()
        button(page, "Launch backfill").click()
        wait_until(lambda: launched() - before)
        (backfill,) = launched() - before
    return backfill
