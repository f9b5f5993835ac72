"""Columns of generated rows: drawn with numpy and written with Arrow, never row by row.

Nothing here knows the tables or the vocabulary of the demonstration. A place in a list is its index, counted from 0.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.floating[Any]]
Bools = npt.NDArray[np.bool_]
Column = Any
"""An Arrow array. pyarrow has no types for mypy to check."""

Table = Any
"""An Arrow table."""

SECOND = 1_000_000
"""Instants and durations are whole microseconds. Instants are counted from 1970 in UTC."""

MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_SLOT = re.compile(r"<(\w+)>")
_HEX = np.array([list(f"{byte:02x}".encode()) for byte in range(256)], dtype=np.uint8)
_UUID_DASHES = (8, 13, 18, 23)


def slots_of(template: str) -> frozenset[str]:
    """Return the names of the slots in a template."""
    return frozenset(_SLOT.findall(template))


def fill(template: str, rows: int, slots: Mapping[str, Column]) -> Column:
    """Make one text for each row: the template with each `<slot>` filled from the row. Null if a slot is null."""
    parts = _SLOT.split(template)
    pieces = [as_text(slots[part]) if odd % 2 else part for odd, part in enumerate(parts)]
    return pc.binary_join_element_wise(pa.repeat("", rows), *pieces, "")


def render(templates: Sequence[str], which: Ints, slots: Mapping[str, Column]) -> Column:
    """Make one text for each row, from the row's own template, whose slots are filled from the row."""
    order = np.argsort(which, kind="stable")
    ends = np.cumsum(np.bincount(which, minlength=len(templates)))
    filled = [
        fill(template, len(rows), {name: slots[name].take(pa.array(rows)) for name in slots_of(template)})
        for template, rows in zip(templates, np.split(order, ends[:-1]), strict=True)
    ]
    back = np.empty(len(order), dtype=np.int64)
    back[order] = np.arange(len(order))
    return pa.concat_arrays(filled).take(pa.array(back))


def as_text(column: Column) -> Column:
    """Return the values as text that PostgreSQL and JSON can read."""
    return column if pa.types.is_string(column.type) else column.cast(pa.string())


def pick(words: Iterable[str], which: Ints) -> Column:
    """Return the words at these places, null for a negative place."""
    return pa.array(list(words), pa.string()).take(natural(which))


def any_of(rng: np.random.Generator, words: Sequence[str], rows: int) -> Column:
    """Draw one of the words for each row."""
    return pick(words, rng.integers(0, len(words), rows))


@dataclass(frozen=True)
class Groups:
    """Words in groups, in one sequence, with the place where each group begins and its number of words."""

    words: tuple[str, ...]
    first: Ints
    count: Ints

    @classmethod
    def of(cls, groups: Iterable[Sequence[str]]) -> Groups:
        """Make one sequence of the groups, in this order."""
        listed = list(groups)
        count = np.array([len(group) for group in listed], dtype=np.int64)
        return cls(tuple(chain.from_iterable(listed)), np.cumsum(count) - count, count)

    def draw(self, rng: np.random.Generator, group: Ints) -> Ints:
        """Draw a word for each row from the row's group, and return its place in `words`."""
        return self.first[group] + (rng.random(len(group)) * self.count[group]).astype(np.int64)


def optional(values: npt.NDArray[Any], present: Bools) -> Column:
    """Return the values, null where they are not present."""
    return pa.array(values, mask=~present)


def natural(values: Ints) -> Column:
    """Return the values, null where they are negative."""
    return optional(values, values >= 0)


def instants(microseconds: Ints, present: Bools | None = None) -> Column:
    """Return points in time, null where they are not present."""
    mask = None if present is None else ~present
    return pa.array(microseconds, pa.int64(), mask=mask).cast(pa.timestamp("us", tz="UTC"))


def joined(items: Column, counts: Ints, between: str) -> Column:
    """Join the items of each row into one text. The items are in the order of the rows, `counts` of them a row."""
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    return pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets), as_text(items)), between)


def sql_array(items: Column, counts: Ints) -> Column:
    """Make PostgreSQL arrays, as text, of items that need no quotes. `counts` says how many items each row has."""
    return fill("{<items>}", len(counts), {"items": joined(items, counts, ",")})


def padded(numbers: Ints, width: int) -> Column:
    """Return the numbers as text of a fixed width, with leading zeros."""
    return pc.utf8_lpad(as_text(pa.array(numbers)), width, "0")


def uuids(rng: np.random.Generator, rows: int) -> Column:
    """Draw random UUIDs, version 4, as text."""
    raw = rng.integers(0, 256, (rows, 16), dtype=np.uint8)
    raw[:, 6] = raw[:, 6] & 0x0F | 0x40
    raw[:, 8] = raw[:, 8] & 0x3F | 0x80
    digits = _HEX[raw].reshape(rows, 32)
    text = np.full((rows, 36), ord("-"), dtype=np.uint8)
    text[:, [place for place in range(36) if place not in _UUID_DASHES]] = digits
    return pa.array(text.view("S36").ravel(), pa.binary()).cast(pa.string())


def draw(rng: np.random.Generator, weights: Sequence[float] | Floats, rows: int) -> Ints:
    """Draw a place for each row. All rows share the same weights."""
    cumulative = np.cumsum(weights)
    places: Ints = np.searchsorted(cumulative, rng.random(rows) * cumulative[-1], side="right")
    return places


def draw_each(rng: np.random.Generator, weights: Floats) -> Ints:
    """Draw a place for each row, with the row's own weights."""
    cumulative = np.cumsum(weights, axis=1)
    places: Ints = (rng.random(len(weights))[:, None] * cumulative[:, -1:] >= cumulative).sum(axis=1)
    return places


def happens(rng: np.random.Generator, probability: float | Floats, rows: int) -> Bools:
    """Decide for each row whether something of this probability happens."""
    return rng.random(rows) < probability


def lognormal(rng: np.random.Generator, median: float, spread: float, rows: int) -> Ints:
    """Draw durations in microseconds. `median` is in seconds."""
    return (rng.lognormal(np.log(median), spread, rows) * SECOND).astype(np.int64)


def sigmoid(values: Floats) -> Floats:
    """Map the real line to 0..1."""
    result: Floats = 1 / (1 + np.exp(-values))
    return result


def logit(values: Floats) -> Floats:
    """Map 0..1 to the real line, as the inverse of `sigmoid`."""
    result: Floats = np.log(values / (1 - values))
    return result


def thousandths(values: Floats) -> Floats:
    """Clip scores to 0..1 and round them, as numeric(4,3) holds them."""
    return np.clip(values, 0, 1).round(3)
