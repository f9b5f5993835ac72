"""A web server to which alerts are sent, which keeps what it was sent."""

from __future__ import annotations

import json
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


class Listener:
    """What was received, and whether the server takes more."""

    def __init__(self, port: int) -> None:
        self.received: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.takes = True
        self.url = f"json://127.0.0.1:{port}/hook"
        self.port = port

    def heard(self) -> list[dict[str, Any]]:
        """What was received since this was asked last."""
        heard, self.received = self.received, []
        return heard


@contextmanager
def listening() -> Iterator[Listener]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if listener.takes:
                listener.received.append(json.loads(body))
                listener.paths.append(self.path)
            self.send_response(200 if listener.takes else 503)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener = Listener(server.server_address[1])
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield listener
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
