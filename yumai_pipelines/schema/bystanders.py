"""What functions of others in the database do to statements of ours: triggers and event triggers that refuse them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from yumai_pipelines.postgres.connections import OWNER_ROLE
from yumai_pipelines.schema import snapshot

if TYPE_CHECKING:
    import psycopg

_FUNCTION = re.compile(r"(?:PL/\w+ function|SQL function) \"?([^\s(\"]+)")


def function_of_theirs(error: psycopg.Error) -> str | None:
    """The function in which an error came up, if it is not ours."""
    found = _FUNCTION.search(error.diag.context or "")
    if found is None or found[1].startswith("yumai_pipelines.") or found[1] in _own_functions():
        return None
    return found[1]


def explain_theirs(error: psycopg.Error) -> str | None:
    """What to do about an error in a function that is not ours; None of any other error."""
    if (name := function_of_theirs(error)) is None:
        return None
    said = (error.diag.message_primary or "").rstrip(".")
    return (
        f"{name}, a function of the database that is not this project's, ended it: {said}. A trigger or an event "
        "trigger has called it. Let it allow what this project does, or disable that trigger for as long. It has the "
        f"rights of {OWNER_ROLE} then, and finds names in pg_catalog alone: ALTER FUNCTION {name} SECURITY DEFINER SET "
        "search_path = … gives it its owner's rights, and the schemas that it needs. Then run this again: what is done "
        "stays done."
    )


def _own_functions() -> set[str]:
    return {each.name.partition("(")[0] for each in snapshot.shipped() if each.kind == "function"}
