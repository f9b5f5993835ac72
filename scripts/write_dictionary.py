"""Writes the data dictionary of the extracts, `docs/extracts.md`, from the comments of their tables.

With --check it writes nothing, and fails when the file is not what it would write. What is no dictionary stands in
`docs/extracts/`, and is put in before and after.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from yumai_pipelines.model.registry import EXTRACTS, LEDGER
from yumai_pipelines.schema import snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from yumai_pipelines.model.relations import Relation

DOCS = Path(__file__).parents[1] / "docs"


def dictionary() -> str:
    """The whole file."""
    queries = (DOCS / "extracts" / "queries.sql").read_text(encoding="utf-8").strip()
    parts = [(DOCS / "extracts" / "introduction.md").read_text(encoding="utf-8").strip(), "## The tables"]
    keys = {extract.relation: extract.key for extract in EXTRACTS} | {LEDGER: ("extract", "month")}
    parts += ["\n".join(table(relation, f"Key: {', '.join(key)}.")) for relation, key in keys.items()]
    parts.append("## Queries to start from")
    for block in queries.split("\n\n"):
        words, _, statement = block.partition("\n")
        parts.append(f"{words.removeprefix('-- ')}\n\n```sql\n{statement}\n```")
    return "\n\n".join(parts) + "\n"


def table(relation: Relation, key: str) -> Iterator[str]:
    """The section of a table, line by line."""
    yield f"### {relation}\n"
    yield f"{snapshot.comment(relation)} {key}\n"
    yield "| column | type | meaning |"
    yield "|---|---|---|"
    never_null = {each.name for each in snapshot.shipped() if "NOT NULL" in each.definition}
    for column in snapshot.columns(relation):
        missing = "" if f"{relation}.{column.name}" in never_null else ", may be NULL"
        yield f"| `{column.name}` | {column.type}{missing} | {(column.description or '').replace('|', chr(92) + '|')} |"


def main() -> int:
    """Write the file, or compare it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when the file is out of date")
    path, text = DOCS / "extracts.md", dictionary()
    if not parser.parse_args().check:
        path.write_text(text, encoding="utf-8")
        return 0
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return 0
    sys.stderr.write(f"{path.name} is out of date: run `python scripts/write_dictionary.py`.\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
