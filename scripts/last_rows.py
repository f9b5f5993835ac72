"""Makes the lines of `sql/functions/clean_inactive_sessions.sql` that find the last row of a session in each table.

The lines are between two comments of that file. The rest of the function is written by hand.
"""

from __future__ import annotations

import re
from textwrap import indent
from typing import TYPE_CHECKING

from psycopg import sql

from yumai_pipelines.model.registry import TABLE_ENTRIES

if TYPE_CHECKING:
    from collections.abc import Mapping

_PLACE = re.compile(
    r"(?P<first>^(?P<margin> *)-- From here on `make schema` writes[^\n]*\n).*?(?P<last>^ *-- Up to here\.$)",
    re.DOTALL | re.MULTILINE,
)
_LAST_ROW = sql.SQL("""\
(
    SELECT max(t.{time}) FROM {table} AS t
    WHERE t.session_id = s.session_id
)""")


def session_tables() -> dict[str, str | None]:
    """Return the registry's tables with a session, each with the column that holds the time of a row."""
    return {str(entry.relation): entry.time for entry in TABLE_ENTRIES if entry.session_child}


def with_last_rows(text: str, tables: Mapping[str, str | None]) -> str:
    """Return the text of the function, with new lines between the two comments.

    Raises:
        ValueError: the two comments are missing, or the registry does not name a table's column of time.
    """
    place = _PLACE.search(text)
    if place is None:
        raise ValueError("the comments between which `make schema` writes are gone; take them from an earlier version")
    untimed = [table for table, time in tables.items() if time is None]
    if untimed:
        raise ValueError(f"the registry does not say which column is the time of {', '.join(untimed)}")
    # The names are not quoted, since the linter refuses quotes around names that need none.
    rows = sql.SQL(",\n").join(
        _LAST_ROW.format(table=sql.SQL(table), time=sql.SQL(time)) for table, time in tables.items() if time
    )
    lines = indent(rows.as_string(), place["margin"])
    return f"{text[: place.start()]}{place['first']}{lines}\n{place['last']}{text[place.end() :]}"
