"""Monthly tables for analysts: the extracts of the registry, all built from one reading of the logs.

The SQL in `sql/extracts/<name>` defines what an extract contains. `yumai_pipelines.extracts` builds the extracts, and
`defs.extracts.checks` checks them.
"""

from collections.abc import Iterator

import dagster as dg

from yumai_pipelines.defs.extracts.builder import Builder, metadata_of
from yumai_pipelines.defs.extracts.checks import evaluate_refused
from yumai_pipelines.defs.metadata import ANALYTICS, ENGINEERING, asset_key, relation_metadata, section
from yumai_pipelines.defs.months import CLOSED_MONTHS, MONTHLY, accepting, months_of
from yumai_pipelines.defs.resources import PostgresResource, UserKeys
from yumai_pipelines.extracts.code import code_version
from yumai_pipelines.extracts.ledger import entries, refuse_purged
from yumai_pipelines.model.calendar import in_ranges, stretches
from yumai_pipelines.model.entries import Extract
from yumai_pipelines.model.registry import EXTRACTS
from yumai_pipelines.schema import snapshot
from yumai_pipelines.settings import Settings


def _lineage(extract: Extract) -> dg.TableColumnLineage:
    return dg.TableColumnLineage(
        {
            column: [
                dg.TableColumnDep(asset_key(source.relation), name) for source in sources for name in source.columns
            ]
            for column, sources in extract.lineage.items()
        }
    )


def _spec(extract: Extract) -> dg.AssetSpec:
    with accepting(dg.BetaWarning):
        return dg.AssetSpec(
            key=asset_key(extract.relation),
            deps=[asset_key(source) for source in extract.sources],
            description=f"{snapshot.comment(extract.relation)} Built from "
            f"{' and '.join(map(str, extract.sources))}; a month is replaced as a whole; a range of months, and all "
            "extracts of a run, are one pass over the logs. A feedback counts in the month of its recommendation if it "
            "has one, else in its own.",
            partitions_def=CLOSED_MONTHS,
            group_name="extracts",
            kinds={"postgres", "sql"},
            owners=[ANALYTICS, ENGINEERING],
            tags=section("3.3"),
            metadata={**relation_metadata(extract.relation), "dagster/column_lineage": _lineage(extract)},
            code_version=code_version(extract),
            freshness_policy=MONTHLY,
        )


PURGED = "retention has deleted rows that it was built from, so it stays as it was built"

EXTRACT_ASSETS = [_spec(extract) for extract in EXTRACTS]


@dg.multi_asset(
    specs=EXTRACT_ASSETS,
    can_subset=True,
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def extracts(
    context: dg.AssetExecutionContext,
    postgres: PostgresResource,
    settings: dg.ResourceParam[Settings],
    user_keys: dg.ResourceParam[UserKeys],
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckEvaluation]:
    """Builds the selected extracts for the months of the run, adjoining ones from one snapshot of the logs.

    Months of a range from which retention has deleted rows are left as they are; a run of such months only fails, and
    says why.
    """
    months = months_of(context) or []
    chosen = [extract for extract in EXTRACTS if asset_key(extract.relation) in context.selected_asset_keys]
    with postgres.connect("find purged months") as connection:
        ledger = entries(connection, months)
        purged = {month for (_, month), entry in ledger.items() if entry.purged_at}
        if purged.issuperset(months):
            yield from evaluate_refused(context, connection, chosen, months, settings.zone)
            refuse_purged(connection, months)
    if purged:
        context.log.warning(f"{in_ranges(purged)} left alone: {PURGED}.")
    builder = Builder(context, postgres, settings, user_keys)
    built = [(span, builder.build(span, chosen)) for span in stretches(set(months) - purged)]
    for extract in chosen:
        key, name = asset_key(extract.relation), extract.relation.name
        for span, summaries in built:
            for month, summary in zip(span, summaries[name], strict=True):
                context.add_asset_metadata(metadata_of(summary), asset_key=key, partition_key=month.partition_key)
        for month in sorted(purged):
            rows = ledger[name, month].row_count if (name, month) in ledger else 0
            note = {"action": "left alone", "why": PURGED, "dagster/partition_row_count": rows}
            context.add_asset_metadata(note, asset_key=key, partition_key=month.partition_key)
        yield dg.MaterializeResult(asset_key=key)
