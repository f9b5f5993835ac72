"""A layer in front of a web application, which lets only its own pages change something.

A browser sends requests to this machine for any web page that asks it to. Dagster's webserver would take them: it has
no login, and its GraphQL answers GET requests and bodies of any type. What the application does is not known here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    Application = Callable[[Message, Receive, Send], Awaitable[None]]

_OWN_HOST = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?")
"""The port is anybody's choice, since a tunnel changes it. A web page on another port has another origin."""

_READ_ONCE = ("host", "origin", "referer", "sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest", "content-type")

_FOR_BROWSERS = [
    (b"x-frame-options", b"SAMEORIGIN"),
    (b"content-security-policy", b"frame-ancestors 'self'"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
"""No other page loads parts of the UI, or shows it in a frame, where a click on something else presses its buttons."""


class OwnPagesOnly:
    """An ASGI application that hands on what comes from its own pages, from links to them, or from no browser at all.

    It refuses, with status 403, 405 or 415 and a sentence that says why:

    - a Host that is no name of this machine, as after DNS rebinding;
    - a request with an effect, or a WebSocket, of another origin;
    - a request with an effect whose body is not JSON, which a browser sends for any page without asking first;
    - GraphQL in a GET request.
    """

    def __init__(self, application: Application, url: str | None = None) -> None:
        """Guard an application.

        Args:
            application: it answers what is let through.
            url: where people reach it, if that is through a proxy; the proxy must hand on the Host it was asked for.
        """
        self._application = application
        self._url = (url or "").rstrip("/").lower()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, or serve one WebSocket, or follow the life of the server."""
        if scope["type"] not in {"http", "websocket"}:
            await self._application(scope, receive, send)
            return
        refusal = _refusal(scope, self._url)
        if refusal is None:
            await self._application(scope, receive, _with_headers(send) if scope["type"] == "http" else send)
        elif scope["type"] == "websocket":
            await receive()
            # Before it is accepted, this is an answer of status 403.
            await send({"type": "websocket.close", "code": 1008, "reason": refusal[1]})
        else:
            status, reason = refusal
            headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store"), *_FOR_BROWSERS]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": f"{reason}\n".encode()})


def _refusal(scope: Message, url: str) -> tuple[int, str] | None:
    """Return the status and the reason why a request is refused, or None if it is let through."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name = raw_name.decode("latin-1").lower()
        if name in headers and name in _READ_ONCE:
            return 403, f"The header {name} stands there twice."
        headers[name] = raw_value.decode("latin-1").strip()
    host = headers.get("host", "").lower()
    if url and host == url.partition("://")[2]:
        own = url
    elif _OWN_HOST.fullmatch(host):
        own = f"http://{host}"
    else:
        return 403, f"This server answers under {url or '127.0.0.1'} and localhost only."
    if scope["type"] == "websocket":
        # A browser always names the origin of a WebSocket.
        own_page = headers.get("origin", "").lower() == own
        return None if own_page else (403, "A WebSocket is for this server's own pages.")
    method = scope["method"]
    if method in {"GET", "HEAD"}:
        graphql = scope["path"].rstrip("/").endswith("/graphql")
        return _refusal_of_reading(headers, graphql=graphql and bool(scope["query_string"]))
    if method != "POST":
        return 405, "Only GET, HEAD and POST are answered."
    if _foreign(headers, own):
        return 403, "A request that may change something is for this server's own pages."
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return 415, "The body must be JSON, with Content-Type: application/json."
    return None


def _refusal_of_reading(headers: dict[str, str], *, graphql: bool) -> tuple[int, str] | None:
    if graphql:
        return 405, "GraphQL is asked by POST: a mutation must not be a link."
    link = (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) == ("navigate", "document")
    if headers.get("sec-fetch-site", "none") not in {"same-origin", "none"} and not link:
        return 403, "Another site may link to a page, and may not load it as a part of its own."
    return None


def _foreign(headers: dict[str, str], own: str) -> bool:
    """Return whether a browser says that another page made the request. What is no browser says nothing."""
    if headers.get("sec-fetch-site", "none") not in {"same-origin", "none"}:
        return True
    if "origin" in headers:
        return headers["origin"].lower() != own
    return "referer" in headers and not f"{headers['referer'].lower()}/".startswith(f"{own}/")


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *_FOR_BROWSERS]}
        await send(message)

    return send_with_headers
