"""Makes a check that looks at the rows of one table, by month if the table has months."""

from collections.abc import Callable, Iterator

import dagster as dg

from yumai_pipelines.defs.evaluations import Event, evaluations
from yumai_pipelines.defs.metadata import asset_key
from yumai_pipelines.defs.months import KEPT_MONTHS, accepting, months_of
from yumai_pipelines.defs.resources import PostgresResource
from yumai_pipelines.integrity.findings import Finding
from yumai_pipelines.integrity.scope import Scope
from yumai_pipelines.model.months import Month
from yumai_pipelines.postgres.replicas import Reader
from yumai_pipelines.schema.tables import Table
from yumai_pipelines.settings import Settings


def row_check(
    owner: Table,
    name: str,
    description: str,
    find: Callable[[Reader, Scope, Settings], dict[Month | None, Finding]],
) -> dg.AssetChecksDefinition:
    """Make a check of one table's rows that does not block the assets downstream.

    Args:
        owner: the table.
        name: the name of the check.
        description: what is true when the check passes.
        find: looks at the rows of a scope, on connections in autocommit mode, and returns a finding for each of the
            scope's places (its months, and None for the whole table).
    """
    key = asset_key(owner.relation)
    with accepting(dg.PreviewWarning):
        spec = dg.AssetCheckSpec(
            name, asset=key, description=description, partitions_def=KEPT_MONTHS if owner.partitioned else None
        )

    @dg.multi_asset_check(name="__".join((*key.path, name)), specs=[spec])
    def check(
        context: dg.AssetCheckExecutionContext, postgres: PostgresResource, settings: dg.ResourceParam[Settings]
    ) -> Iterator[Event]:
        def look(reader: Reader) -> dict[Month | None, Finding]:
            return find(reader, Scope.of(reader.connection, owner, months_of(context), settings.zone), settings)

        read = postgres.read(f"check {name} of {owner.relation.name}", look)
        yield from evaluations(context, spec, read.value, read.source)

    return check
