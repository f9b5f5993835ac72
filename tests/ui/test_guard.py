"""No other web page, and no other name of this machine, makes the webserver of `yumai dev` launch a run."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import dagster as dg
import pytest
from playwright.sync_api import Page, expect

from tests.support import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from tests.ui.support import Deployment

pytestmark = pytest.mark.xdist_group("ui")

ERASE = """mutation { launchRun(executionParams: {
  selector: {repositoryLocationName: "yumai_pipelines", repositoryName: "__repository__", jobName: "erase_user"},
  runConfigData: "{ops: {erase_data_of_user: {config: {external_user_id: nobody, reason: a test}}}}"
}) { __typename ... on PythonError { message } ... on RunConfigValidationInvalid { errors { message } } } }"""
JSON = {"Content-Type": "application/json"}
LINK = f"/graphql?query={quote(ERASE)}"
BODY = json.dumps({"query": ERASE})
ELSEWHERE = "http://evil.example"


def launched(deployment: Deployment, job: str = "erase_user") -> int:
    """Remove the waiting runs of a job, which no daemon starts here, and return how many there were."""

    def remove() -> int:
        with dg.DagsterInstance.from_config(str(deployment.instance_directory)) as instance:
            waiting = instance.get_runs(dg.RunsFilter(job_name=job, statuses=[dg.DagsterRunStatus.QUEUED]))
            for run in waiting:
                instance.delete_run(run.run_id)
            return len(waiting)

    # In another thread, since Playwright's event loop may be in this one.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(remove).result()


def ask(url: str, method: str, path: str, headers: dict[str, str], body: str = "") -> tuple[int, str]:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=60)
    try:
        connection.request(method, path, body=body or None, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_json_of_the_own_page_and_of_a_program_launches_runs(ui: str, deployment: Deployment) -> None:
    """So the requests below would launch one as well, if they came through."""
    for of_a_page in ({}, {"Origin": ui, "Sec-Fetch-Site": "same-origin"}):
        status, said = ask(ui, "POST", "/graphql", JSON | of_a_page, BODY)
        assert (status, json.loads(said)) == (200, {"data": {"launchRun": {"__typename": "LaunchRunSuccess"}}})
        assert launched(deployment) == 1


@pytest.mark.parametrize(
    ("method", "path", "headers", "expected"),
    [
        ("GET", LINK, {}, 405),
        ("GET", LINK, {"Accept": "*/*", "Sec-Fetch-Site": "same-origin"}, 405),
        ("POST", LINK, {"Content-Type": "text/plain"}, 415),
        ("POST", LINK, {"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ("POST", "/graphql", {"Content-Type": "text/plain; application/json"}, 415),
        ("POST", "/graphql", JSON | {"Origin": ELSEWHERE}, 403),
        ("POST", "/graphql", JSON | {"Origin": "null"}, 403),
        ("POST", "/graphql", JSON | {"Referer": f"{ELSEWHERE}/"}, 403),
        ("POST", "/graphql", JSON | {"Sec-Fetch-Site": "same-site"}, 403),
        ("POST", "/graphql", JSON | {"Host": "evil.example", "Origin": ELSEWHERE}, 403),
        ("GET", "/", {"Host": "evil.example"}, 403),
        ("OPTIONS", "/graphql", {"Origin": ELSEWHERE, "Access-Control-Request-Method": "POST"}, 405),
        ("POST", "/report_asset_materialization/chatbot/conversations", {}, 415),
    ],
)
def test_every_other_request_is_refused(
    ui: str, deployment: Deployment, method: str, path: str, headers: dict[str, str], expected: int
) -> None:
    assert ask(ui, method, path, headers, BODY if method == "POST" else "")[0] == expected
    assert launched(deployment) == 0


HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Protocol": "graphql-ws",
}


def test_a_websocket_is_opened_to_the_own_page_alone(ui: str) -> None:
    def handshake(headers: dict[str, str]) -> int:
        connection = HTTPConnection(urlsplit(ui).netloc, timeout=60)
        try:
            connection.request("GET", "/graphql", headers=HANDSHAKE | headers)
            return connection.getresponse().status
        finally:
            connection.close()

    assert handshake({"Origin": ui}) == 101
    assert handshake({"Origin": ELSEWHERE}) == 403
    assert handshake({"Origin": ELSEWHERE, "Host": "evil.example"}) == 403


ATTACK = """<!doctype html><title>working</title>
<img src="URL/graphql?query=MUTATION">
<iframe name="hidden"></iframe>
<form method="post" enctype="text/plain" target="hidden" action="URL/graphql?query=MUTATION"><input name="a"></form>
<script>
  document.forms[0].submit()
  const quiet = promise => promise.catch(() => null)
  const plain = {method: "POST", mode: "no-cors", headers: {"Content-Type": "text/plain"}, body: "{}"}
  const json = {...plain, mode: "cors", headers: {"Content-Type": "application/json"}}
  const socket = new Promise(done => {
    const it = new WebSocket("URL/graphql".replace("http", "ws"), "graphql-ws")
    it.onopen = () => done("open")
    it.onerror = () => done("refused")
  })
  const frame = new Promise(done => {
    const it = document.createElement("iframe")
    it.onload = () => done(it.contentDocument)
    it.src = "URL/graphql?query=MUTATION"
    document.body.append(it)
  })
  Promise.all([
    quiet(fetch("URL/graphql?query=MUTATION", {mode: "no-cors"})),
    quiet(fetch("URL/graphql?query=MUTATION", plain)),
    quiet(fetch("URL/graphql", json)),
    socket,
    frame,
  ]).then(([get, post, read, socket]) => { document.title = `done: ${read}, ${socket}` })
</script>"""


@pytest.fixture
def hostile_page(ui: str) -> Iterator[str]:
    """The URL of a page on another port, which does what any page of the web may do."""
    page = ATTACK.replace("URL", ui).replace("MUTATION", quote(ERASE)).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page)

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def test_a_hostile_page_in_a_real_browser_launches_nothing(
    browser: Browser, hostile_page: str, deployment: Deployment
) -> None:
    with browser.new_page() as page:
        page.goto(hostile_page)
        expect(page).to_have_title("done: null, refused")
    assert launched(deployment) == 0


def test_a_run_is_launched_from_the_ui(page: Page, deployment: Deployment) -> None:
    page.goto("/locations/yumai_pipelines/jobs/install_schema")
    page.get_by_role("button").get_by_text("Materialize", exact=True).click()
    wait_until(lambda: launched(deployment, "install_schema"))
