"""A connection pooler, as small as it can be: clients share a few sessions of a server, a transaction at a time."""

from __future__ import annotations

import os
import socket
import struct
import threading
from contextlib import ExitStack, contextmanager, suppress
from queue import Queue
from typing import TYPE_CHECKING

import psycopg
from psycopg.conninfo import conninfo_to_dict

from yumai_pipelines.postgres.connections import to_url

if TYPE_CHECKING:
    from collections.abc import Iterator

_SSL, _GSS = 80877103, 80877104
_REPORTED = ("server_version", "server_encoding", "client_encoding", "standard_conforming_strings", "TimeZone")


class _Wire:
    """Messages of PostgreSQL's protocol, to and from one side."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        # A message is sent at once, and does not wait for the one before to be acknowledged.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def read(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            if not (more := self.socket.recv(length - len(data))):
                raise ConnectionError("the other side is gone")
            data += more
        return data

    def message(self) -> tuple[bytes, bytes]:
        """The next message: its kind, and all of it."""
        head = self.read(5)
        return head[:1], head + self.read(struct.unpack("!I", head[1:])[0] - 4)

    def send(self, kind: bytes, body: bytes) -> None:
        self.socket.sendall(kind + struct.pack("!I", len(body) + 4) + body)


class Pooler:
    """Listens on 127.0.0.1, and lends its sessions to whoever begins a transaction."""

    def __init__(self, url: str, sessions: int, *, whole_sessions: bool) -> None:
        self._whole_sessions = whole_sessions
        self._open = ExitStack()
        self._free = Queue[_Wire]()
        self._clients = list[socket.socket]()
        for _ in range(sessions):
            session = self._open.enter_context(psycopg.connect(url, sslmode="disable"))
            sock = self._open.enter_context(socket.socket(fileno=os.dup(session.fileno())))
            sock.setblocking(True)
            self._free.put(_Wire(sock))
            self._reported = {name: session.info.parameter_status(name) or "" for name in _REPORTED}
        self._listener = self._open.enter_context(socket.create_server(("127.0.0.1", 0)))
        place = {"host": "127.0.0.1", "port": self._listener.getsockname()[1], "sslmode": "disable"}
        self.url = to_url({**conninfo_to_dict(url), **place})
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        for sock in [self._listener, *self._clients]:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._open.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._clients.append(client)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        server = None
        with sock, suppress(OSError):
            client = _Wire(sock)
            self._greet(client)
            while (first := client.message())[0] != b"X":
                server = server or self._free.get()
                if self._relay(client, server, first) and not self._whole_sessions:
                    self._free.put(server)
                    server = None
        if server is not None:
            with suppress(OSError):
                self._reset(server)
                self._free.put(server)

    def _greet(self, client: _Wire) -> None:
        """Let the client in, with a number of its own in the place of a session's pid."""
        while struct.unpack("!I", client.read(struct.unpack("!I", client.read(4))[0] - 4)[:4])[0] in (_SSL, _GSS):
            client.socket.sendall(b"N")
        client.send(b"R", struct.pack("!I", 0))
        for name, value in self._reported.items():
            client.send(b"S", f"{name}\0{value}\0".encode())
        client.send(b"K", struct.pack("!II", 2_000_000_000, 1))
        client.send(b"Z", b"I")

    @staticmethod
    def _relay(client: _Wire, server: _Wire, first: tuple[bytes, bytes]) -> bool:
        """Pass a client's messages and their answer on; whether the session is in no transaction then."""
        kind, data = first
        simple = kind == b"Q"
        server.socket.sendall(data)
        while kind not in (b"Q", b"S"):
            kind, data = client.message()
            server.socket.sendall(data)
        while kind != b"Z":
            kind, data = server.message()
            client.socket.sendall(data)
            if kind == b"G":  # The server asks for the rows of a COPY.
                ends = (b"c", b"f") if simple else (b"S",)
                while kind not in ends:
                    kind, data = client.message()
                    server.socket.sendall(data)
        return data[-1:] == b"I"

    @staticmethod
    def _reset(server: _Wire) -> None:
        """Forget what a client has left in a session, as PgBouncer does when the client goes."""
        for statement in (b"ROLLBACK", b"DISCARD ALL"):
            server.send(b"Q", statement + b"\0")
            while server.message()[0] != b"Z":
                pass


@contextmanager
def pooled(url: str, *, sessions: int = 2, whole_sessions: bool = False) -> Iterator[str]:
    """The URL of a pooler before a server. With `whole_sessions`, a client keeps its session until it goes."""
    pooler = Pooler(url, sessions, whole_sessions=whole_sessions)
    try:
        yield pooler.url
    finally:
        pooler.close()
