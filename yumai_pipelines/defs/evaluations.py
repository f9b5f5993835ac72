"""Shows in Dagster what a check found. No other module needs a private name of Dagster at run time."""

from __future__ import annotations

from textwrap import dedent, indent
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData,
)

from yumai_pipelines.model.calendar import in_ranges
from yumai_pipelines.model.months import Month

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from yumai_pipelines.integrity.findings import Finding
    from yumai_pipelines.postgres.replicas import Source

Event = dg.Output[None] | dg.AssetCheckEvaluation

WIDEST_CELL = 60
"""The number of characters that a text in a table may have."""


def metadata_of(finding: Finding, source: Source | None = None) -> dict[str, Any]:
    """Return the count and its limit, which server was read and, for a failed check, the sample and the SQL.

    The limit is text, because Dagster plots every number and the limit hardly ever changes.
    """
    more = {key: table(value) if isinstance(value, list) else value for key, value in finding.metadata.items()}
    read = source.metadata if source else {}
    shown: dict[str, Any] = {"count": finding.count, "limit": f"{finding.limit:,}", **more, **read}
    if finding.passed:
        return shown
    if finding.sample:
        shown["sample"] = table(finding.sample)
        shown["more_than_shown"] = finding.count > len(finding.sample)
    # The UI sorts by name. Indented, a text is shown as code, and is copied without the fences of Markdown.
    digits = len(str(len(finding.blocks)))
    for number, block in enumerate(finding.blocks, 1):
        shown[f"sql_{number:0{digits}}: {block.does}"] = dg.MetadataValue.md(indent(block.sql, "    "))
    return shown


def sql_of(metadata: Mapping[str, dg.MetadataValue[Any]]) -> Iterator[tuple[str, str]]:
    """Yield what each block of SQL of a failed check does, and the block, as it stands in the metadata."""
    for name in sorted(metadata):
        if name.startswith("sql_"):
            yield name.partition(": ")[2], dedent(str(metadata[name].value))


def severity_of(finding: Finding) -> dg.AssetCheckSeverity:
    """Return the severity of a failure as a value of Dagster."""
    return dg.AssetCheckSeverity[finding.severity.name]


def table(rows: Sequence[Mapping[str, Any]]) -> dg.TableMetadataValue:
    """Return rows as a table for Dagster's UI."""
    return dg.MetadataValue.table(
        [dg.TableRecord({key: _cell(value) for key, value in row.items()}) for row in rows],
        schema=dg.TableSchema([dg.TableColumn(key) for key in (rows[0] if rows else ())]),
    )


def _cell(value: object) -> str | int | float | bool:
    """Return a value that Dagster accepts in a table.

    A long text is cut off, because a cell does not wrap its text and would widen the page.
    """
    if isinstance(value, (int, float)):
        return value
    text = str(value)
    return text if len(text) <= WIDEST_CELL else text[: WIDEST_CELL - 1] + "…"


def result(finding: Finding, source: Source | None = None, key: dg.AssetCheckKey | None = None) -> dg.AssetCheckResult:
    """Return the evaluation of a check that has no months.

    The source is the server that was read. The key names the check; it is needed only where one function evaluates
    several checks.
    """
    return dg.AssetCheckResult(
        asset_key=key and key.asset_key,
        check_name=key and key.name,
        passed=finding.passed,
        severity=severity_of(finding),
        description=finding.description,
        metadata=metadata_of(finding, source),
    )


def evaluations(
    context: dg.AssetCheckExecutionContext | dg.AssetExecutionContext,
    spec: dg.AssetCheckSpec,
    findings: Mapping[Month | None, Finding],
    source: Source | None = None,
) -> Iterator[Event]:
    """Yield one evaluation for each month, and one without a month for the whole table.

    A plain `AssetCheckResult` would be a single evaluation for all months of a run. Failed evaluations come last,
    because Dagster shows the last one.
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
            metadata=metadata_of(finding, source),
            blocking=spec.blocking,
            partition=partition,
            target_materialization_data=_latest_materialization(context.instance, spec.asset_key, partition),
        )


class BlockingChecksFailedError(Exception):
    """Checks failed that hold back the assets downstream. What they found is in their evaluations."""


def holding_back(events: Iterable[Event]) -> Iterator[Event]:
    """Yield the events of a step, and then name each blocking check that failed once, with its months.

    Dagster would name a check once for each of its evaluations, and no month.
    """
    failed: dict[str, list[Month]] = {}
    for event in events:
        yield event
        if (
            isinstance(event, dg.AssetCheckEvaluation)
            and event.blocking
            and not event.passed
            and event.severity is dg.AssetCheckSeverity.ERROR
        ):
            months = failed.setdefault(f"{event.check_name} of {event.asset_key.to_user_string()}", [])
            months += [Month.parse(event.partition)] if event.partition else []
    if failed:
        named = [f"{name} ({in_ranges(months)})" if months else name for name, months in failed.items()]
        raise BlockingChecksFailedError(
            f"Failed, and holding back what depends on them: {'; '.join(named)}. The checks say what to do."
        )


def _latest_materialization(
    instance: dg.DagsterInstance, key: dg.AssetKey, partition: str | None
) -> AssetCheckEvaluationTargetMaterializationData | None:
    """Return the materialization that an evaluation is about, which must be the latest one.

    Dagster forgets the status of a month if its evaluation names an older materialization.
    """
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
