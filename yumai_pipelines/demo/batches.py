"""Rows on their way into tables: batches of columns, and the numbers that become their ids."""

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
    """Rows of one table, as an Arrow table. Columns that are not there take the table's defaults."""

    relation: Relation
    rows: Table

    @classmethod
    def of(cls, relation: Relation, **columns: object) -> Batch:
        """Rows from their columns."""
        return cls(relation, pa.table(columns))


@dataclass(frozen=True)
class Period:
    """The time in which everything happens, in microseconds since 1970: from the first month's start until now."""

    since: int
    until: int


class Numbers:
    """The ids of each table, from 1 on."""

    def __init__(self) -> None:
        """None is taken yet."""
        self._taken: Counter[Relation] = Counter()

    def take(self, relation: Relation, rows: int) -> Ints:
        """The next ids."""
        first = self._taken[relation] + 1
        self._taken[relation] += rows
        return np.arange(first, first + rows)
