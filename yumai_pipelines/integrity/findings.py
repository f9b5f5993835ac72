"""What a check found: a count and its limit and, if the check failed, which rows, why, and what to do.

The module `defs.evaluations` shows a finding in Dagster.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SAMPLE = 10
"""The number of rows that a failed check shows."""


class Severity(Enum):
    """How serious the failure of a check is."""

    WARN = "warn"
    ERROR = "error"


@dataclass(frozen=True)
class Block:
    """SQL that does one thing, stands alone, and runs as it is when it is pasted into psql.

    Attributes:
        does: what it does, as in "list the rows".
        sql: its statements, each with its semicolon; several that belong together are one transaction.
    """

    does: str
    sql: str

    @classmethod
    def of(cls, does: str, *statements: str, apart: bool = False) -> Block:
        """Make a block of statements without semicolons; `apart` where each must be a transaction of its own."""
        ended = [f"{each.strip()};" for each in statements]
        return cls(does, "\n".join(ended if apart or len(ended) == 1 else ["BEGIN;", *ended, "COMMIT;"]))


@dataclass(frozen=True)
class Finding:
    """What one evaluation of a check measured.

    Attributes:
        subject: what is counted, in the plural, such as "rows of … without a session".
        count: how many there are.
        limit: how many there may be.
        sample: the first of them, at most `SAMPLE`.
        cause: what may have caused them.
        remedy: what to do, in words.
        blocks: SQL that carries out the remedy, for psql, in the order in which it is best run.
        severity: the severity of a failure.
        metadata: further measures: numbers, texts, and rows that are shown as a table.
    """

    subject: str
    count: int
    limit: int = 0
    sample: Sequence[Mapping[str, Any]] = ()
    cause: str = ""
    remedy: str = ""
    blocks: Sequence[Block] = ()
    severity: Severity = Severity.ERROR
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether the count is within its limit."""
        return self.count <= self.limit

    @property
    def description(self) -> str:
        """The text for people: one sentence if the check passed, and all that is needed to act if it failed.

        The remedy comes before the sample and the cause, because Dagster cuts off a long text. The SQL is shown with
        the metadata, because its lines would be too wide here.
        """
        measure = f"{self.subject[0].upper()}{self.subject[1:]}: {self.count:,} (limit {self.limit:,})."
        if self.passed:
            return measure
        remedy = f"What to do: {self.remedy}" + (
            " The SQL is below: each entry runs as it is in psql." if self.blocks else ""
        )
        return "\n\n".join(part for part in (measure, remedy, self._examples(), f"Cause: {self.cause}") if part)

    def _examples(self) -> str:
        rows = "\n".join("- " + ", ".join(f"{key} {value}" for key, value in row.items()) for row in self.sample)
        more = self.count - len(self.sample)
        return rows and rows + (f"\n- and {more:,} more" if more > 0 else "")
