"""A network between a run and its server that fails at one statement: before it, after it, or for a while."""

from __future__ import annotations

import signal
import socket
import threading
from contextlib import contextmanager, suppress
from enum import Enum
from typing import TYPE_CHECKING

import psutil
import psycopg
from psycopg.conninfo import conninfo_to_dict

from yumai_pipelines.local.processes import wait_for_end
from yumai_pipelines.postgres.connections import to_url, with_database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from yumai_pipelines.local.server import LocalServer

FROZEN_SECONDS = 1.3
"""Longer than a run may do nothing in a transaction that stops writers."""


class Fault(Enum):
    """What happens at a statement."""

    CUT = "the connection breaks before the server gets it"
    REPLY_LOST = "the server does it, and its reply is lost"
    CLIENT_KILLED = "the run's process is killed, which does nothing any more"
    BACKEND_KILLED = "the server's process is ended by an administrator"
    SERVER_KILLED = "the whole server crashes"
    FROZEN = "nothing moves for more than a second"


class Proxy:
    """Passes on what a client and the server say, and fails once, at a statement of a number; at 0 it only counts.

    With a pause, it is slow: each message of a client waits for so many seconds.
    """

    def __init__(self, url: str, fault: Fault, at: int, server: LocalServer | None = None, pause: float = 0) -> None:
        self._parts = conninfo_to_dict(url)
        self._fault = fault
        self._at = at
        self._server = server
        self._pause = pause
        self.statements = list[str]()
        self._lock = threading.Lock()
        self._killing = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self._admin_url = with_database(url, "postgres")
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """The URL of the database by way of this proxy."""
        port = self._listener.getsockname()[1]
        return to_url({**self._parts, "host": "127.0.0.1", "port": port, "sslmode": "disable", "gssencmode": "disable"})

    def close(self) -> None:
        """Let nobody connect any more; what is being killed has ended."""
        for each in [self._listener, *self._sockets]:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        with self._killing:
            pass

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection((str(self._parts["host"]), int(str(self._parts["port"]))))
                # A message is sent at once, and does not wait for the one before to be acknowledged.
                for each in (client, server):
                    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._sockets += [client, server]
                link = _Link(client, server)
                threading.Thread(target=self._to_server, args=(link,), daemon=True).start()
                threading.Thread(target=self._to_client, args=(link,), daemon=True).start()

    def _to_server(self, link: _Link) -> None:
        """Pass on the client's messages one by one; a statement ends with Sync or is a Query."""
        with suppress(OSError, EOFError):
            link.server.sendall(link.startup())
            while True:
                kind, message = link.message()
                if self._pause:
                    threading.Event().wait(self._pause)
                if kind not in b"SQ" or not self._is_the_one(link):
                    link.server.sendall(message)
                    continue
                match self._fault:
                    case Fault.CUT:
                        break
                    case Fault.REPLY_LOST:
                        link.deaf.set()
                        link.server.sendall(message)
                        self._wait_until_done(link)
                        break
                    case Fault.CLIENT_KILLED:
                        kill_client(link.client.getpeername()[1])
                        break
                    case Fault.SERVER_KILLED:
                        assert self._server is not None
                        with self._killing:
                            kill_server(self._server)
                        break
                    case Fault.BACKEND_KILLED:
                        self._terminate(link)
                        link.server.sendall(message)
                    case Fault.FROZEN:
                        threading.Event().wait(FROZEN_SECONDS)
                        link.server.sendall(message)
        link.close()

    def _to_client(self, link: _Link) -> None:
        with suppress(OSError):
            while data := link.server.recv(65536):
                if not link.deaf.is_set():
                    link.client.sendall(data)
        link.close()

    def _is_the_one(self, link: _Link) -> bool:
        with self._lock:
            self.statements.append(link.text)
            return len(self.statements) == self._at

    def _wait_until_done(self, link: _Link) -> None:
        """Until the server's process waits for the next statement."""
        with psycopg.connect(self._admin_url, autocommit=True) as admin:
            query = "SELECT FROM pg_stat_activity WHERE client_port = %s AND state = 'active'"
            for _ in range(1000):
                if admin.execute(query, (link.server.getsockname()[1],)).rowcount == 0:
                    return
                threading.Event().wait(0.005)

    def _terminate(self, link: _Link) -> None:
        with psycopg.connect(self._admin_url, autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE client_port = %s",
                (link.server.getsockname()[1],),
            )


class _Link:
    """One client's connection to the server."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client, self.server = client, server
        self.deaf = threading.Event()
        self.text = ""
        self._prepared: dict[bytes, str] = {}

    def startup(self) -> bytes:
        """The first packet, which has a length and no kind."""
        head = self._read(4)
        return head + self._read(int.from_bytes(head) - 4)

    def message(self) -> tuple[bytes, bytes]:
        """A message, by its kind."""
        head = self._read(5)
        body = self._read(int.from_bytes(head[1:]) - 4)
        self._note_text(head[:1], body)
        return head[:1], head + body

    def _note_text(self, kind: bytes, body: bytes) -> None:
        """Keep the text of the statement that the client is about to run: one that is new, or was prepared before."""
        if kind == b"Q":
            self.text = body[:-1].decode()
        elif kind == b"P":
            name, text, _ = body.split(b"\0", 2)
            self._prepared[name] = text.decode()
        elif kind == b"B":
            self.text = self._prepared[body.split(b"\0", 2)[1]]

    def close(self) -> None:
        for each in (self.client, self.server):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.client.recv(size - len(data))
            if not more:
                raise EOFError
            data += more
        return data


def kill_client(port: int) -> None:
    """Kill the process, which a test started, whose connection has this port."""
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # of another test's, which ends at this moment
            if any(each.laddr.port == port for each in process.net_connections("tcp")):
                process.kill()


def kill_server(server: LocalServer) -> None:
    """Let a server crash, and wait for its end."""
    pid = server.status().pid
    assert pid is not None
    process = psutil.Process(pid)
    process.send_signal(signal.SIGQUIT)
    wait_for_end([process], 30)


@contextmanager
def slow(url: str, pause: float) -> Iterator[str]:
    """The URL of the database by way of a network on which each message takes its time."""
    proxy = Proxy(url, Fault.FROZEN, at=0, pause=pause)
    try:
        yield proxy.url
    finally:
        proxy.close()


@contextmanager
def failing(url: str, fault: Fault, at: int, server: LocalServer | None = None) -> Iterator[Proxy]:
    proxy = Proxy(url, fault, at, server)
    try:
        yield proxy
    finally:
        proxy.close()
