"""What people see: Dagster's UI in a real browser, on a database with some months of demonstration data."""

from __future__ import annotations

import os
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.graph import CONVERSATIONS, FUNNEL, Graph
from tests.processes import Program, finished, started
from tests.support import free_port, one
from yumai_pipelines.definitions import build_definitions
from yumai_pipelines.local.ui import make_instance
from yumai_pipelines.model.months import Month
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Databases

# One worker makes the deployment and looks at it.
pytestmark = pytest.mark.xdist_group("ui")

MONTHS = 3
# In milliseconds. A slow machine may need more than ten seconds for a page that a fast one shows at once.
PATIENCE = 60_000
# The request that the button in the UI sends.
BACKFILL = """
mutation ($months: [String!]!) {
  launchPartitionBackfill(
    backfillParams: {partitionNames: $months, assetSelection: [{path: ["chatbot", "conversations"]}]}
  ) { ... on LaunchBackfillSuccess { backfillId } }
}
"""
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass(frozen=True)
class Deployment:
    """A database with months of data that are all materialized, and the directory of Dagster's instance."""

    url: str
    first: Month
    environment: dict[str, str]
    instance_directory: Path


@pytest.fixture(scope="module")
def deployment(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    home = tmp_path_factory.mktemp("home")
    first = Month.of(datetime.now(UTC), Settings().zone) - (MONTHS - 1)
    with databases.create() as database, databases.create() as dagster:
        environment = {
            "YUMAI_HOME": str(home),
            "YUMAI_DATABASE_URL": databases.url(database),
            "YUMAI_DAGSTER_URL": databases.url(dagster),
            "YUMAI_FIRST_MONTH": first.key,
            "YUMAI_USER_KEY_SECRET": "of the tests, which nobody has to guess",
            "DAGSTER_HOME": str(make_instance(home)),
        }
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            demo = [str(Path(sys.executable).with_name("yumai")), "demo", "--sessions", "300", "--months", str(MONTHS)]
            done = finished(demo)
            assert done.returncode == 0, done.stdout + done.stderr
            yield Deployment(databases.url(database), first, environment, home / "dagster")


@pytest.fixture(scope="module")
def ui(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a running dagster-webserver."""
    port = free_port()
    log = tmp_path_factory.mktemp("webserver") / "log"
    with served(deployment, log, "dagster_webserver", "-h", "127.0.0.1", "-p", str(port)) as webserver:
        while f"http://127.0.0.1:{port}" not in log.read_text():
            assert webserver.poll() is None, log.read_text()
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"


@contextmanager
def served(deployment: Deployment, log: Path, module: str, *arguments: str) -> Iterator[Program]:
    """Run a program of Dagster that serves the locations of workspace.yaml, as in production."""
    command = [sys.executable, "-m", module, *arguments, "-w", str(deployment.instance_directory / "workspace.yaml")]
    environment = os.environ | deployment.environment
    with log.open("w") as output, started(command, env=environment, stdout=output, stderr=output) as process:
        yield process


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    names = ("chromium", "chromium-browser", "google-chrome")
    program = os.environ.get("YUMAI_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if program is None:
        pytest.fail(
            f"These tests need one of {', '.join(names)} on the PATH, or YUMAI_CHROMIUM: the path of one. On Debian: "
            "apt-get install chromium fonts-nanum"
        )
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=program, args=FLAGS) as browser:
        yield browser


@pytest.fixture
def page(
    browser: Browser, ui: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Page]:
    """A page of the UI. A screenshot of it is kept in pytest's directory."""
    with browser.new_page(base_url=ui, viewport={"width": 1600, "height": 2000}) as page:
        page.set_default_timeout(PATIENCE)
        yield page
        page.screenshot(path=tmp_path_factory.getbasetemp() / f"{request.node.name}.png")


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


def test_backfill_of_months_is_one_run_and_shows_them(page: Page, deployment: Deployment, tmp_path: Path) -> None:
    months = [month.partition_key for month in deployment.first.through(deployment.first + MONTHS)]
    with served(deployment, tmp_path / "log", "dagster._daemon", "run"):
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
