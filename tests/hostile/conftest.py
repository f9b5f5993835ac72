"""What several tests of a world that is not ours share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.hostile.life import plant_world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Databases


@pytest.fixture(scope="module")
def world(databases: Databases, template: str) -> Iterator[str]:
    """The name of a database with rows, to be cloned."""
    with databases.create(template) as name:
        with psycopg.connect(databases.url(name), autocommit=True) as connection:
            plant_world(connection)
        yield name
