"""How Dagster shows what a check found. This is the one module that needs a private name of Dagster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from yumai_pipelines.integrity.findings import Finding
    from yumai_pipelines.model.months import Month

WIDEST_CELL = 60
"""Characters of a text in a table."""


def metadata_of(finding: Finding) -> dict[str, Any]:
    """The measure and its limit, and for a failed check the sample and the SQL.

    The limit is text: Dagster plots every number, and it hardly ever changes.
    """
    more = {key: table(value) if isinstance(value, list) else value for key, value in finding.metadata.items()}
    shown: dict[str, Any] = {"count": finding.count, "limit": f"{finding.limit:,}", **more}
    if finding.passed:
        return shown
    if finding.sample:
        shown["sample"] = table(finding.sample)
        shown["more_than_shown"] = finding.count > len(finding.sample)
    if finding.statements:
        blocks = "\n\n".join(f"```sql\n{statement}\n```" for statement in finding.statements)
        shown["sql"] = dg.MetadataValue.md(blocks)
    return shown


def severity_of(finding: Finding) -> dg.AssetCheckSeverity:
    """The severity of a failure, as Dagster has it."""
    return dg.AssetCheckSeverity[finding.severity.name]


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
        severity=severity_of(finding),
        description=finding.description,
        metadata=metadata_of(finding),
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
            severity=severity_of(finding),
            description=finding.description,
            metadata=metadata_of(finding),
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
