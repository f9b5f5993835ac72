"""The SQL that builds the extracts, and its fingerprint."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import TYPE_CHECKING

from yumai_pipelines.postgres.sql_files import read_sql, sql_path

if TYPE_CHECKING:
    from yumai_pipelines.model.entries import Extract

STAGES = ("stage_recommendations.sql", "stage_feedback.sql", "stage_opinions.sql", "stage_sources.sql")
"""The statements that read the logs, in order, for all extracts."""


@cache
def code_version(extract: Extract) -> str:
    """The fingerprint of the SQL files that build an extract, including their comments."""
    files = [*(("extracts", name) for name in STAGES), ("extracts", extract.relation.name, "insert_months.sql")]
    files += [("functions", path.name) for path in sorted(sql_path("functions").glob("*_of*.sql"))]
    return hashlib.sha256("\n".join(read_sql(*file) for file in files).encode()).hexdigest()[:12]
