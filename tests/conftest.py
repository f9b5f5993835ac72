"""What the tests share: one embedded PostgreSQL for the whole run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from yumai_pipelines.local_server import LocalServer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """A running embedded server."""
    server = LocalServer(tmp_path_factory.mktemp("yumai"))
    server.start()
    yield server
    server.stop()
