"""A layer in front of a web application that serves the monthly reports at `/report`: the last one, or a month's.

`/report/2026-06.html` is the page of that month, `/report/2026-06.ko.html` the same in Korean,
`/report.ko` the last one in Korean. Each may be asked for without `.html`. Nothing else is served.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    Read = Callable[[str | None, str], bytes | None]
    Application = Callable[[Message, Receive, Send], Awaitable[None]]

_PATH = re.compile(r"/report(?:/([0-9]{4}-[0-9]{2}))?(\.[a-z]{2})?(?:\.html)?/?")

_HEADERS = [
    (b"content-type", b"text/html; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    # The page has its styles and pictures in itself, and asks nobody for anything.
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; img-src data:"),
]


class WithReports:
    """An ASGI application that answers for the reports, and hands on everything else."""

    def __init__(self, application: Application, read: Read) -> None:
        """Serve the pages that `read` returns for a month, or None for the last one, and the suffix of a language."""
        self._application = application
        self._read = read

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on."""
        asked = _PATH.fullmatch(scope["path"]) if scope["type"] == "http" else None
        if asked is None:
            await self._application(scope, receive, send)
            return
        # The pages may be far away, and others wait for the same event loop.
        page = await asyncio.to_thread(self._read, asked[1], asked[2] or "")
        status, body = (404, _NONE) if page is None else (200, page)
        await send({"type": "http.response.start", "status": status, "headers": _HEADERS})
        await send({"type": "http.response.body", "body": body})


_NONE = (
    b"<!DOCTYPE html><title>No report</title><p>There is no report of this month here. Materialize "
    b"extracts/monthly_report, or run <code>yumai build</code>."
)
