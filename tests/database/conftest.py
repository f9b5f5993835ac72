"""The graph on a test's database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg
import pytest

from tests.graph import Graph

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def user_key_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The secret of the extracts, which a database of somebody's own needs."""
    monkeypatch.setenv("YUMAI_USER_KEY_SECRET", "of the tests, which nobody has to guess")


@pytest.fixture(autouse=True)
def archive(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where the graph keeps archives: never beside those of whoever runs the tests."""
    monkeypatch.setenv("YUMAI_ARCHIVE_URL", str(tmp_path / "archive"))


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where the graph writes reports: never over those of whoever runs the tests."""
    monkeypatch.setenv("YUMAI_HOME", str(tmp_path / "home"))


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """A Dagster instance that forgets."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def graph(database: str, instance: dg.DagsterInstance) -> Graph:
    """The graph on `database`."""
    return Graph.on(database, instance)
