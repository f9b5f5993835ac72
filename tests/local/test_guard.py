"""The guard lets its own pages and programs through, and no other web page. `tests/ui` tests it before Dagster."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from yumai_pipelines.local.guard import OwnPagesOnly

if TYPE_CHECKING:
    from yumai_pipelines.local.guard import Message, Receive, Send

OWN = "http://127.0.0.1:3000"
HOST = {"host": "127.0.0.1:3000"}
JSON = {"content-type": "application/json"}
LINK = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}


def status(
    method: str, url: str, headers: list[tuple[str, str]], kind: str = "http", served_at: str | None = None
) -> int:
    """Return the status of the guard's answer; the application behind it answers everything with 200."""
    sent: list[Message] = []

    async def application(_scope: Message, _receive: Receive, send: Send) -> None:
        start = "http.response.start" if kind == "http" else "websocket.accept"
        await send({"type": start, "status": 200, "headers": []})

    async def receive() -> Message:
        return {"type": f"{kind}.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    path, _, query = url.partition("?")
    scope = {
        "type": kind,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers],
    }
    guard = OwnPagesOnly(application, served_at)
    asyncio.run(guard(scope | ({"method": method} if kind == "http" else {}), receive, send))
    answer: int = sent[0].get("status", {"websocket.accept": 200, "websocket.close": 403}.get(sent[0]["type"]))
    return answer


@pytest.mark.parametrize(
    ("method", "url", "headers"),
    [
        ("GET", "/", {}),
        ("GET", "/runs?view=all", {"sec-fetch-site": "none"}),
        ("GET", "/main.js", {"sec-fetch-site": "same-origin", "referer": f"{OWN}/"}),
        ("GET", "/runs", LINK),
        ("HEAD", "/", {}),
        ("GET", "/graphql", {"accept": "text/html"}),
        ("POST", "/graphql", JSON),
        ("POST", "/graphql", {**JSON, "origin": OWN, "sec-fetch-site": "same-origin", "referer": f"{OWN}/runs"}),
        ("POST", "/graphql", {"content-type": "application/json; charset=utf-8", "referer": OWN}),
    ],
)
def test_own_pages_links_and_programs_are_let_through(method: str, url: str, headers: dict[str, str]) -> None:
    assert status(method, url, [*(HOST | headers).items()]) == 200


@pytest.mark.parametrize("host", ["localhost:3000", "LOCALHOST:9", "[::1]:3000", "127.0.0.1"])
def test_every_name_of_this_machine_and_a_tunnels_port_are_its_own(host: str) -> None:
    headers = [("host", host), ("origin", f"http://{host}"), *JSON.items()]
    assert status("POST", "/graphql", headers) == 200
    assert status("", "/graphql", headers, kind="websocket") == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:3000",
        "127.0.0.1.evil.example",
        "127.0.0.1:3000@evil.example",
        "localhost.",
        "",
        "0",
    ],
)
def test_a_foreign_host_is_refused_whatever_is_asked(host: str) -> None:
    assert status("GET", "/", [("host", host)]) == 403
    assert status("POST", "/graphql", [("host", host), ("origin", f"http://{host}"), *JSON.items()]) == 403
    assert status("", "/graphql", [("host", host), ("origin", f"http://{host}")], kind="websocket") == 403


@pytest.mark.parametrize(
    ("method", "url", "headers", "expected"),
    [
        ("GET", "/graphql?query=mutation", {}, 405),
        ("GET", "/graphql?query=mutation", {"accept": "text/html"}, 405),
        ("GET", "/graphql/?query=mutation", {}, 405),
        ("HEAD", "/graphql?query=mutation", {}, 405),
        ("GET", "/graphql?query=mutation", LINK, 405),
        ("GET", "/runs", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}, 403),
        ("GET", "/runs", LINK | {"sec-fetch-dest": "iframe"}, 403),
        ("POST", "/graphql?query=mutation", {"content-type": "text/plain"}, 415),
        ("POST", "/graphql?query=mutation", {"content-type": "text/plain; x=application/json"}, 415),
        ("POST", "/graphql?query=mutation", {}, 415),
        ("POST", "/graphql", {"content-type": "application/graphql"}, 415),
        ("POST", "/report_asset_materialization/a", {"content-type": "application/x-www-form-urlencoded"}, 415),
        ("POST", "/graphql", {**JSON, "origin": "https://evil.example"}, 403),
        ("POST", "/graphql", {**JSON, "origin": "null"}, 403),
        ("POST", "/graphql", {**JSON, "origin": "http://127.0.0.1:8000"}, 403),
        ("POST", "/graphql", {**JSON, "origin": "https://127.0.0.1:3000"}, 403),
        ("POST", "/graphql", {**JSON, "referer": "https://evil.example/"}, 403),
        ("POST", "/graphql", {**JSON, "referer": f"{OWN}.evil.example/"}, 403),
        ("POST", "/graphql", {**JSON, "referer": f"{OWN}@evil.example/"}, 403),
        ("POST", "/graphql", {**JSON, "sec-fetch-site": "cross-site"}, 403),
        ("POST", "/graphql", {**JSON, "sec-fetch-site": "same-site", "origin": OWN}, 403),
        ("OPTIONS", "/graphql", {"origin": "https://evil.example"}, 405),
        ("PUT", "/graphql", JSON, 405),
    ],
)
def test_what_another_page_can_make_a_browser_send_is_refused(
    method: str, url: str, headers: dict[str, str], expected: int
) -> None:
    assert status(method, url, [*(HOST | headers).items()]) == expected


@pytest.mark.parametrize("twice", ["host", "origin", "content-type", "sec-fetch-site"])
def test_a_header_that_stands_there_twice_is_refused(twice: str) -> None:
    headers = HOST | JSON | {"origin": OWN, "sec-fetch-site": "same-origin"}
    assert status("POST", "/graphql", [*headers.items()]) == 200
    assert status("POST", "/graphql", [*headers.items(), (twice.title(), headers[twice])]) == 403


@pytest.mark.parametrize("headers", [{}, {"origin": "null"}, {"origin": "https://evil.example"}])
def test_a_websocket_is_for_own_pages(headers: dict[str, str]) -> None:
    assert status("", "/graphql", [*(HOST | headers).items()], kind="websocket") == 403


def test_behind_a_proxy_the_name_that_people_use_is_its_own() -> None:
    served_at = "https://pipelines.example.com/"

    def answer(host: str, origin: str) -> int:
        return status("POST", "/graphql", [("host", host), ("origin", origin), *JSON.items()], served_at=served_at)

    assert answer("pipelines.example.com", "https://pipelines.example.com") == 200
    assert answer("pipelines.example.com", "http://pipelines.example.com") == 403
    assert answer("pipelines.example.com", "https://evil.example") == 403
    assert answer("evil.example", "https://evil.example") == 403
    assert status("GET", "/", [("host", "pipelines.example.com")]) == 403, "without the setting, it is another's name"
    assert status("GET", "/server_info", [("host", "127.0.0.1:3000")], served_at=served_at) == 200
