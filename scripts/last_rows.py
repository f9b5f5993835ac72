"""Makes the lines of `sql/functions/clean_inactive_sessions.sql` that ask each table with a session for its last row.

They are between two comments of that file, so that the rest of the function is written by hand where it is read.
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
    """The tables of the registry with a session, each with the column that says when a row happened."""
    return {str(entry.relation): entry.time for entry in TABLE_ENTRIES if entry.session_child}


def with_last_rows(text: str, tables: Mapping[str, str | None]) -> str:
    """The text of the function, with the lines between the two comments made anew.

    Raises:
        ValueError: the two comments are not there, or a table has no column of a time.
    """
    place = _PLACE.search(text)
    if place is None:
        raise ValueError("the comments between which `make schema` writes are gone; take them from an earlier version")
    untimed = [table for table, time in tables.items() if time is None]
    if untimed:
        raise ValueError(f"the registry does not say which column is the time of {', '.join(untimed)}")
    # The names as they are: the linter wants no quotes about names that need none.
    rows = sql.SQL(",\n").join(
        _LAST_ROW.format(table=sql.SQL(table), time=sql.SQL(time)) for table, time in tables.items() if time
    )
    lines = indent(rows.as_string(), place["margin"])
    return f"{text[: place.start()]}{place['first']}{lines}\n{place['last']}{text[place.end() :]}"
