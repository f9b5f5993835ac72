"""Which statements of an operation are broken: one of each class that a fault can tell apart.

What is in the database after a fault is what had been committed, and, of the client, the place in its code. So two
statements are of one class if they are the same but for names and values, and if the transaction that was committed
before them is the same in this sense.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from tests.hostile.proxy import Fault

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ONLY_AT_COMMITS = {Fault.REPLY_LOST, Fault.CLIENT_KILLED, Fault.SERVER_KILLED}
"""Faults after which nothing is left but what was committed; of a reply, that of a commit matters."""

_VALUES = re.compile(r"""'[^']*'|"[^"]*"(\."[^"]*")*|\b\d+\b|\$\d+|\s+""")
_CHANGES_NOTHING = re.compile(
    r"(\s*--[^\n]*\n)*\s*(SELECT|SHOW|SET|RESET|DEALLOCATE|LOCK|BEGIN|SAVEPOINT|RELEASE|ROLLBACK TO)\b"
)


@dataclass(frozen=True, order=True)
class Place:
    """Where a statement stands: what was committed before it, its text, and whether it is in a transaction."""

    committed: str
    text: str
    inside: bool
    commits: bool


def places(statements: Iterable[str]) -> list[Place]:
    """Describe the statements of one run."""
    found, committed, latest, inside = list[Place](), "", "", False
    for text in (_VALUES.sub(" ", statement) for statement in statements):
        changes = not _CHANGES_NOTHING.match(text)
        inside = inside or text.startswith("BEGIN")
        commits = text.startswith("COMMIT") or (changes and not inside)
        found.append(Place(committed, text, inside, commits))
        latest = text if changes and not text.startswith(("COMMIT", "ROLLBACK")) else latest
        committed = latest if commits else committed
        inside = (inside and not text.startswith(("COMMIT", "ROLLBACK"))) or text.startswith("ROLLBACK TO")
    return found


def one_of_each_class(fault: Fault, statements: Sequence[str]) -> list[int]:
    """The numbers of statements, from 1 on: of each class the one in the middle, where this fault matters at all."""
    counted = [
        (place, number)
        for number, place in enumerate(places(statements), start=1)
        if place.commits or (fault not in ONLY_AT_COMMITS and (place.inside or fault is not Fault.FROZEN))
    ]
    classes = [[number for _, number in each] for _, each in groupby(sorted(counted), key=lambda each: each[0])]
    return sorted(numbers[len(numbers) // 2] for numbers in classes)
