"""The SQL that builds the extracts, and its fingerprint."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import TYPE_CHECKING

from psycopg import sql

from yumai_pipelines.postgres.sql_files import read_sql, sql_path

if TYPE_CHECKING:
    from yumai_pipelines.model.entries import Extract
    from yumai_pipelines.model.relations import Relation

STAGES = ("stage_recommendations.sql", "stage_feedback.sql", "stage_opinions.sql", "stage_sources.sql")
"""The statements that read the logs, in order, for all extracts."""


def statement_of(extract: Extract, name: str, table: Relation | None = None) -> sql.Composed:
    """A statement of an extract's own folder, on a table that has rows of it; by default, on the extract itself."""
    return sql.SQL(read_sql("extracts", extract.relation.name, name)).format(
        extract=(table or extract.relation).identifier
    )


@cache
def code_version(extract: Extract) -> str:
    """The fingerprint of the SQL files that build an extract, including their comments."""
    files = [*(("extracts", name) for name in STAGES), ("extracts", extract.relation.name, "insert_months.sql")]
    files += [("functions", path.name) for path in sorted(sql_path("functions").glob("*_of*.sql"))]
    return hashlib.sha256("\n".join(read_sql(*file) for file in files).encode()).hexdigest()[:12]
