"""Hot standbys of embedded servers, for tests that start servers of their own."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.support import server_home
from yumai_pipelines.local.server import LocalServer, _installed, _run

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def standby_of(server: LocalServer) -> Iterator[LocalServer]:
    """Start a streaming replica of a running server, made by pg_basebackup. It is stopped and removed at the end."""
    with server_home() as home:
        follower = LocalServer(home)
        follower._make_root()
        account = follower._account()
        binaries = follower._reachable_copy(*_installed(), account)
        follower._data.mkdir(mode=0o700)
        if account is not None:
            os.chown(follower._data, account.uid, account.gid)
        _run(binaries, account, "pg_basebackup", "-d", server.url(), "-D", follower._data, "-R", "-c", "fast")
        shutil.copy(server._password_file, follower._password_file)
        try:
            follower._launch(binaries, account)
            yield follower
        finally:
            follower.stop()
