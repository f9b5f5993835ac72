"""The graph on a test's database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg
import pytest

from tests.graph import Graph

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def user_key_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The secret of the extracts, which a database of somebody's own needs."""
    monkeypatch.setenv("YUMAI_USER_KEY_SECRET", "of the tests, which nobody has to guess")


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """A Dagster instance that forgets."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def graph(database: str, instance: dg.DagsterInstance) -> Graph:
    """The graph on `database`."""
    return Graph.on(database, instance)
