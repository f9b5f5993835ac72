"""Makes the data dictionary of the extracts, `docs/extracts.md`, from the comments of their tables.

The text before the dictionary and the queries after it come from `docs/extracts/`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from yumai_pipelines.model.registry import EXTRACTS, LEDGER
from yumai_pipelines.schema import snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from yumai_pipelines.model.relations import Relation
    from yumai_pipelines.schema.snapshot import SchemaObject

DOCS = Path(__file__).parents[1] / "docs"


def dictionary(catalogue: Sequence[SchemaObject]) -> str:
    """Return the text of the file, made from the objects of a fresh install."""
    queries = (DOCS / "extracts" / "queries.sql").read_text(encoding="utf-8").strip()
    parts = [(DOCS / "extracts" / "introduction.md").read_text(encoding="utf-8").strip(), "## The tables"]
    keys = {extract.relation: extract.key for extract in EXTRACTS} | {LEDGER: ("extract", "month")}
    for relation, key in keys.items():
        parts.append("\n".join(_table(relation, f"Key: {', '.join(key)}.", catalogue)))
    parts.append("## Queries to start from")
    for block in queries.split("\n\n"):
        words, _, statement = block.partition("\n")
        parts.append(f"{words.removeprefix('-- ')}\n\n```sql\n{statement}\n```")
    return "\n\n".join(parts) + "\n"


def _table(relation: Relation, key: str, catalogue: Sequence[SchemaObject]) -> Iterator[str]:
    """Yield the lines of a table's section."""
    yield f"### {relation}\n"
    yield f"{snapshot.comment(relation, catalogue)} {key}\n"
    yield "| column | type | meaning |"
    yield "|---|---|---|"
    never_null = {each.name for each in catalogue if "NOT NULL" in each.definition}
    for column in snapshot.columns(relation, catalogue):
        missing = "" if f"{relation}.{column.name}" in never_null else ", may be NULL"
        yield f"| `{column.name}` | {column.type}{missing} | {(column.description or '').replace('|', chr(92) + '|')} |"
