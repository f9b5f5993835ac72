"""What a check found, and how Dagster shows it.

The measure beside its limit; when it fails, also which rows, how that may have come about, and what to do. No check
stands here, and nothing that reads YUMAI's database.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from yumai_pipelines.months import Month

SAMPLE = 10
"""Rows that a failed check shows."""

WIDEST_CELL = 60
"""Characters of a text in a table."""


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
        metadata: further measures.
    """

    subject: str
    count: int
    limit: int = 0
    sample: Sequence[Mapping[str, Any]] = ()
    cause: str = ""
    remedy: str = ""
    statements: Sequence[str] = ()
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR
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

    def as_metadata(self) -> dict[str, Any]:
        """The measure and its limit, and for a failed check the sample and the SQL.

        The limit is text: Dagster plots every number, and it hardly ever changes.
        """
        shown: dict[str, Any] = {"count": self.count, "limit": f"{self.limit:,}", **self.metadata}
        if self.passed:
            return shown
        if self.sample:
            shown["sample"] = table(self.sample)
            shown["more_than_shown"] = self.count > len(self.sample)
        if self.statements:
            shown["sql"] = dg.MetadataValue.md(self._sql())
        return shown

    def _examples(self) -> str:
        rows = "\n".join("- " + ", ".join(f"{key} {value}" for key, value in row.items()) for row in self.sample)
        more = self.count - len(self.sample)
        return rows and rows + (f"\n- and {more:,} more" if more > 0 else "")

    def _sql(self) -> str:
        return "\n\n".join(f"```sql\n{statement}\n```" for statement in self.statements)


def table(rows: Sequence[Mapping[str, Any]]) -> dg.TableMetadataValue:
    """Rows as a table in Dagster's UI."""
    return dg.MetadataValue.table(
        [dg.TableRecord({key: _cell(value) for key, value in row.items()}) for row in rows],
        schema=dg.TableSchema([dg.TableColumn(key) for key in (rows[0] if rows else ())]),
    )


def _cell(value: object) -> str | int | float | bool:
    """A value as Dagster takes it; a long text is cut off, since a cell does not wrap and would widen the page."""
    if isinstance(value, (int, float)):
        return value
    text = str(value)
    return text if len(text) <= WIDEST_CELL else text[: WIDEST_CELL - 1] + "…"


def result(finding: Finding, key: dg.AssetCheckKey | None = None) -> dg.AssetCheckResult:
    """The evaluation of a check that has no months; of the one with this key, where several are evaluated at once."""
    return dg.AssetCheckResult(
        asset_key=key and key.asset_key,
        check_name=key and key.name,
        passed=finding.passed,
        severity=finding.severity,
        description=finding.description,
        metadata=finding.as_metadata(),
    )


def evaluations(
    context: dg.AssetCheckExecutionContext, spec: dg.AssetCheckSpec, findings: Mapping[Month | None, Finding]
) -> Iterator[dg.Output[None] | dg.AssetCheckEvaluation]:
    """One evaluation for each month, and one without a month for the whole; those that failed come last.

    A plain `AssetCheckResult` would be one evaluation for all months of a run. The last one is what Dagster shows.
    """
    yield dg.Output(None, output_name=spec.get_python_identifier())
    for month, finding in sorted(findings.items(), key=lambda each: not each[1].passed):
        partition = month.partition_key if month else None
        yield dg.AssetCheckEvaluation(
            asset_key=spec.asset_key,
            check_name=spec.name,
            passed=finding.passed,
            severity=finding.severity,
            description=finding.description,
            metadata=finding.as_metadata(),
            blocking=spec.blocking,
            partition=partition,
            target_materialization_data=_latest_materialization(context.instance, spec.asset_key, partition),
        )


def _latest_materialization(
    instance: dg.DagsterInstance, key: dg.AssetKey, partition: str | None
) -> AssetCheckEvaluationTargetMaterializationData | None:
    """What an evaluation is about: Dagster forgets the status of a month whose evaluation names an older one."""
    found = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=key, asset_partitions=[partition] if partition else None), limit=1
    )
    return next(
        (
            AssetCheckEvaluationTargetMaterializationData(
                storage_id=record.storage_id, run_id=record.run_id, timestamp=record.timestamp
            )
            for record in found.records
        ),
        None,
    )
