"""Drawn older databases: the dry run foretells, the adoption ends or refuses before it begins, and nothing is lost.

`make drawn` draws thousands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.adoption.drawn import draw
from tests.adoption.proving import bare_database, prove_adoption

if TYPE_CHECKING:
    from tests.conftest import Databases

DRAWN = range(6)
"""The numbers of the databases that are drawn in each run of the tests."""


def test_drawn_databases_are_adopted_or_refused(databases: Databases) -> None:
    with bare_database(databases) as bare:
        became = [prove_adoption(databases, bare, draw(number)) for number in DRAWN]
    assert set(became) > {"refused"}, became
