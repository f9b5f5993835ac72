"""Fixtures of the tests that look at Dagster's UI. They go at the end of each file, since they set the environment."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.processes import finished
from tests.support import free_port, present_month
from tests.ui.support import MONTHS, OF_PICTURES, PATIENCE, SESSIONS, Deployment, served
from yumai_pipelines.local.ui import make_instance

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Databases

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def deployment(
    databases: Databases, pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    home = tmp_path_factory.mktemp("home")
    months, sessions = OF_PICTURES if pytestconfig.getoption("--pictures") else (MONTHS, SESSIONS)
    first = present_month(lasting=timedelta(minutes=8)) - (months - 1)
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
            yumai = str(Path(sys.executable).with_name("yumai"))
            done = finished([yumai, "demo", "--sessions", str(sessions), "--months", str(months)])
            assert done.returncode == 0, done.stdout + done.stderr
            yield Deployment(databases.url(database), first, months, environment, home / "dagster")


@pytest.fixture(scope="module")
def ui(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a running webserver: that of `yumai dev`, behind its guard."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    log = tmp_path_factory.mktemp("webserver") / "log"
    workspace = str(deployment.instance_directory / "workspace.yaml")
    with served(deployment, log, "yumai_pipelines.webserver", workspace, str(port)) as webserver:
        while not answers(url):
            assert webserver.poll() is None, log.read_text()
            time.sleep(0.1)
        yield url


@pytest.fixture(scope="module")
def daemon(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The daemon, which starts runs and backfills that were launched in the UI."""
    workspace = str(deployment.instance_directory / "workspace.yaml")
    with served(deployment, tmp_path_factory.mktemp("daemon") / "log", "dagster._daemon", "run", "-w", workspace):
        yield


@pytest.fixture
def pictures(pytestconfig: pytest.Config, tmp_path: Path) -> Path:
    """Where pictures are put that people see."""
    chosen: Path | None = pytestconfig.getoption("--pictures")
    return chosen or tmp_path


def answers(url: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", urlsplit(url).port or 0)) == 0


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
