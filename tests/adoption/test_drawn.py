"""Drawn older databases: the dry run foretells, the adoption ends or refuses before it begins, and nothing is lost.

`make drawn` draws thousands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.adoption.drawn import draw
from tests.adoption.proving import bare_database, prove_adoption

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Databases

DRAWN = range(6)
"""The numbers of the databases that are drawn in each run of the tests."""
LIVES_ON = 7
"""The number of the one that lives on afterwards."""


def test_drawn_databases_are_adopted_or_refused(databases: Databases) -> None:
    with bare_database(databases) as bare:
        became = [prove_adoption(databases, bare, draw(number)) for number in DRAWN]
    assert set(became) > {"refused"}, became


def test_a_drawn_database_lives_on(databases: Databases, tmp_path: Path) -> None:
    with bare_database(databases) as bare:
        assert prove_adoption(databases, bare, draw(LIVES_ON), tmp_path).startswith("adopted")
