"""A layer in front of a web application that serves the monthly reports at `/report`: the last one, or a month's.

`/report/2026-06` is the page of that month, `/report/2026-06.ko` the same in Korean. Nothing else is served.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping
    from pathlib import Path

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    Application = Callable[[Message, Receive, Send], Awaitable[None]]

_PATH = re.compile(r"/report(?:/([0-9]{4}-[0-9]{2})?(\.[a-z]{2})?(?:\.html)?)?/?")

_HEADERS = [
    (b"content-type", b"text/html; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    # The page has its styles and pictures in itself, and asks nobody for anything.
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; img-src data:"),
]


class WithReports:
    """An ASGI application that answers for the reports, and hands on everything else."""

    def __init__(self, application: Application, directory: Path) -> None:
        """Serve the pages of a directory, which need not exist yet."""
        self._application = application
        self._directory = directory

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on."""
        asked = _PATH.fullmatch(scope["path"]) if scope["type"] == "http" else None
        if asked is None:
            await self._application(scope, receive, send)
            return
        month, language = asked[1], asked[2] or ""
        pages = sorted(self._directory.glob(f"{month or '????-??'}{language}.html"))
        status, body = (200, pages[-1].read_bytes()) if pages else (404, _NONE)
        await send({"type": "http.response.start", "status": status, "headers": _HEADERS})
        await send({"type": "http.response.body", "body": body})


_NONE = (
    b"<!DOCTYPE html><title>No report</title><p>There is no report of this month here. Materialize "
    b"extracts/monthly_report, or run <code>yumai build</code>."
)
