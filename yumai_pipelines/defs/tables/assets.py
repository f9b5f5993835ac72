"""The tables that the chatbot writes. Materializing one counts its rows, and changes nothing."""

from collections.abc import Iterator

import dagster as dg
from psycopg import sql

from yumai_pipelines.defs.metadata import ENGINEERING, asset_key, relation_metadata, section
from yumai_pipelines.defs.months import DAILY
from yumai_pipelines.defs.resources import PostgresResource
from yumai_pipelines.defs.schema.assets import schema
from yumai_pipelines.model.registry import CONVERSATIONS, SESSIONS
from yumai_pipelines.postgres.replicas import Reader
from yumai_pipelines.postgres.values import read_value
from yumai_pipelines.schema import snapshot
from yumai_pipelines.schema.tables import TABLES, Table


def _written_by_the_chatbot(table: Table) -> dg.AssetSpec:
    relation = table.relation
    number = "3.1" if relation == SESSIONS else "3.3" if table.session_key else "3"
    return dg.AssetSpec(
        key=asset_key(relation),
        deps=[schema],
        description=f"{snapshot.comment(relation)} Written by the chatbot: materializing it counts its rows, and "
        f"changes nothing. Section {number} of the database document.",
        group_name="chatbot"
        if relation == SESSIONS
        else "logs"
        if relation.schema != "chatbot"
        else "people_and_shops",
        kinds={"postgres", "table"},
        owners=[ENGINEERING],
        tags=section(number),
        metadata=relation_metadata(relation),
        freshness_policy=DAILY,
    )


_TABLES = {asset_key(table.relation): table for table in TABLES if table.relation != CONVERSATIONS}
SOURCES = [_written_by_the_chatbot(table) for table in _TABLES.values()]

AS_WRITTEN = dg.DataVersion("as the chatbot wrote it")
"""Which rows an extract was built from is told by the ledger: a count must not make all its months look out of date."""


# These are no observable source assets: Dagster does not show a failed check on the face of one.
@dg.multi_asset(specs=SOURCES, can_subset=True)
def source_tables(
    context: dg.AssetExecutionContext, postgres: PostgresResource
) -> Iterator[dg.MaterializeResult[None]]:
    """Counts the rows of the selected tables."""
    selected = {key: table for key, table in _TABLES.items() if key in context.selected_asset_keys}

    def count(reader: Reader) -> dict[dg.AssetKey, int]:
        query = sql.SQL("SELECT count(*) FROM {}")
        return {
            key: read_value(reader.connection, query.format(table.relation.identifier))
            for key, table in selected.items()
        }

    read = postgres.read("count rows", count)
    for key, rows in read.value.items():
        metadata = {"dagster/row_count": rows, **read.source.metadata}
        yield dg.MaterializeResult(asset_key=key, metadata=metadata, data_version=AS_WRITTEN)
