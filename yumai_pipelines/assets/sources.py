"""The tables that the chatbot writes: Dagster shows and checks them, and makes none of their rows."""

import dagster as dg

from yumai_pipelines import schema_snapshot
from yumai_pipelines.assets.schema import schema
from yumai_pipelines.assets.tables import ENGINEERING, asset_key, relation_metadata, section
from yumai_pipelines.catalog import FEEDBACK, INTERACTIONS, RECOMMENDATIONS, SESSIONS
from yumai_pipelines.relations import Relation


def _written_by_the_chatbot(relation: Relation, group: str, number: str) -> dg.AssetSpec:
    return dg.AssetSpec(
        key=asset_key(relation),
        deps=[schema],
        description=f"{schema_snapshot.comment(relation)} Written by the chatbot. Section {number} of the database "
        "document.",
        group_name=group,
        kinds={"postgres", "table"},
        owners=[ENGINEERING],
        tags=section(number),
        metadata=relation_metadata(relation),
    )


SOURCES = [
    _written_by_the_chatbot(SESSIONS, "chatbot", "3.1"),
    _written_by_the_chatbot(INTERACTIONS, "logs", "3.3"),
    _written_by_the_chatbot(RECOMMENDATIONS, "logs", "3.3"),
    _written_by_the_chatbot(FEEDBACK, "logs", "3.3"),
]
