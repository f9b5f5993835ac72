"""Batches of rows for the tables, and the numbers that become the rows' ids."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from yumai_pipelines.demo.columns import Ints, Table
    from yumai_pipelines.model.relations import Relation


@dataclass(frozen=True)
class Batch:
    """Rows of one table, as an Arrow table. A column that is missing gets the table's default."""

    relation: Relation
    rows: Table

    @classmethod
    def of(cls, relation: Relation, **columns: object) -> Batch:
        """Make a batch from its columns."""
        return cls(relation, pa.table(columns))


@dataclass(frozen=True)
class Period:
    """The time span of the made-up data, in microseconds since 1970: from the start of the first month until now."""

    since: int
    until: int


class Numbers:
    """Hands out the ids of each table, from 1 on."""

    def __init__(self) -> None:
        """Start with no id taken in any table."""
        self._taken: Counter[Relation] = Counter()

    def take(self, relation: Relation, rows: int) -> Ints:
        """Take the next ids of a table, one for each row."""
        first = self._taken[relation] + 1
        self._taken[relation] += rows
        return np.arange(first, first + rows)
