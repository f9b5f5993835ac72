"""The tables that the chatbot writes. Dagster shows and checks them, but does not materialize them."""

import dagster as dg

from yumai_pipelines.defs.metadata import ENGINEERING, asset_key, relation_metadata, section
from yumai_pipelines.defs.schema.assets import schema
from yumai_pipelines.model.registry import CONVERSATIONS, SESSIONS
from yumai_pipelines.schema import snapshot
from yumai_pipelines.schema.tables import TABLES, Table


def _written_by_the_chatbot(table: Table) -> dg.AssetSpec:
    relation = table.relation
    number = "3.1" if relation == SESSIONS else "3.3" if table.session_key else "3"
    return dg.AssetSpec(
        key=asset_key(relation),
        deps=[schema],
        description=f"{snapshot.comment(relation)} Written by the chatbot. Section {number} of the database document.",
        group_name="chatbot"
        if relation == SESSIONS
        else "logs"
        if relation.schema != "chatbot"
        else "people_and_shops",
        kinds={"postgres", "table"},
        owners=[ENGINEERING],
        tags=section(number),
        metadata=relation_metadata(relation),
    )


SOURCES = [_written_by_the_chatbot(table) for table in TABLES if table.relation != CONVERSATIONS]
