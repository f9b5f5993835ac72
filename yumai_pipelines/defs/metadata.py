"""How Dagster shows a table or view of YUMAI: its key, its columns and its owners.

This comes from the registry and from the shipped catalogue, without a connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg

from yumai_pipelines.schema import snapshot

if TYPE_CHECKING:
    from yumai_pipelines.model.relations import Relation

ENGINEERING = "team:data-engineering"
ANALYTICS = "team:analytics"


def asset_key(relation: Relation) -> dg.AssetKey:
    """Return the asset key of a table or view, such as `["chatbot", "conversations"]`."""
    return dg.AssetKey([relation.schema, relation.name])


def relation_metadata(relation: Relation) -> dict[str, Any]:
    """Return the name of a table or view in the database, and its columns with their meanings."""
    columns = [dg.TableColumn(column.name, column.type, column.description) for column in snapshot.columns(relation)]
    return {
        "dagster/column_schema": dg.TableSchema(columns),
        "dagster/table_name": str(relation),
        "dagster/storage_kind": "postgres",
    }


def section(number: str) -> dict[str, str]:
    """Return the tag that names a section of the database document."""
    return {"document_section": number}
