"""The extracts against pandas over the raw rows, cell by cell, on clean and on dirty data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.database.extracts.dirt import plant
from tests.database.extracts.oracle import differences, expected, extracted
from tests.database.extracts.support import MONTHS, SECRET, ZONE, build
from yumai_pipelines.catalog import EXTRACTS

if TYPE_CHECKING:
    from tests.support import Connection


def compare(connection: Connection, minimum: int = 1) -> None:
    wanted = expected(connection, MONTHS, ZONE, SECRET, minimum)
    for extract in EXTRACTS:
        found = extracted(connection, extract)
        told = differences(found, wanted[extract.relation.name], extract.key)
        assert not told, f"{extract.relation}: {len(told)} differences, such as\n" + "\n".join(told[:10])
        assert len(found)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("minimum", [1, 3, 1000])
def test_every_cell_on_dirt(connection: Connection, seed: int, minimum: int) -> None:
    plant(connection, MONTHS, ZONE, rows=600, seed=seed)
    build(connection, minimum=minimum)
    compare(connection, minimum)
