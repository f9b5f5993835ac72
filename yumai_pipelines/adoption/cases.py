"""A kind of row of an older database that adoption has to handle, and how many there are of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """A kind of rows that was found, and what adoption does with them.

    Attributes:
        what: name of the case.
        relation: the table, with the column where it matters.
        found: number of rows, or of sessions.
        sample: keys of a few of them.
        handling: what adoption does with them, in words.
    """

    what: str
    relation: str
    found: int
    sample: tuple[str, ...]
    handling: str

    def __str__(self) -> str:
        """One line for people."""
        examples = f" ({', '.join(self.sample)}{', …' if self.found > len(self.sample) else ''})" if self.sample else ""
        return f"{self.relation}: {self.what}: {self.found}{examples}; {self.handling}"
