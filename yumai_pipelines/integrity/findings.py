"""What a check found: the measure beside its limit; when it fails, also which rows, why, and what to do.

How Dagster shows a finding is decided in `defs.evaluations`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SAMPLE = 10
"""Rows that a failed check shows."""


class Severity(Enum):
    """How bad it is when a check fails."""

    WARN = "warn"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    """What one evaluation of a check measured.

    Attributes:
        subject: what is counted, in the plural, such as "rows of … without a session".
        count: how many there are.
        limit: how many there may be.
        sample: the first of them, at most `SAMPLE`.
        cause: how they may have come about.
        remedy: what to do, in words.
        statements: SQL that does it, for psql.
        severity: of a failure.
        metadata: further measures: numbers and texts, and rows that are shown as a table.
    """

    subject: str
    count: int
    limit: int = 0
    sample: Sequence[Mapping[str, Any]] = ()
    cause: str = ""
    remedy: str = ""
    statements: Sequence[str] = ()
    severity: Severity = Severity.ERROR
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether there is nothing to complain of."""
        return self.count <= self.limit

    @property
    def description(self) -> str:
        """One sentence for a check that passed; for one that failed, all that somebody needs who is called at night.

        What to do comes first, since Dagster cuts off what is long. It shows the SQL elsewhere, with the metadata: its
        lines would be too wide here.
        """
        measure = f"{self.subject[0].upper()}{self.subject[1:]}: {self.count:,} (limit {self.limit:,})."
        if self.passed:
            return measure
        remedy = f"What to do: {self.remedy}" + (" The SQL stands below, under sql." if self.statements else "")
        return "\n\n".join(part for part in (measure, remedy, self._examples(), f"Cause: {self.cause}") if part)

    def _examples(self) -> str:
        rows = "\n".join("- " + ", ".join(f"{key} {value}" for key, value in row.items()) for row in self.sample)
        more = self.count - len(self.sample)
        return rows and rows + (f"\n- and {more:,} more" if more > 0 else "")
