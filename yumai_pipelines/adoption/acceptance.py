"""Writes down what stays unlike a fresh install when an adoption ends, and why it may."""

from __future__ import annotations

from typing import TYPE_CHECKING

from yumai_pipelines.adoption.compatibility import TRIGGER
from yumai_pipelines.adoption.foretelling import Foreteller
from yumai_pipelines.adoption.kinds import There, read_rulings
from yumai_pipelines.schema.differences import accept, all_differences

if TYPE_CHECKING:
    from yumai_pipelines.postgres.connections import Connection
    from yumai_pipelines.schema.snapshot import Difference

FOR_THE_OLDER_APPLICATION = "lets the older application write on, or is read by it; `yumai adopt --finish` ends that"
_MADE = "no longer as the adoption had made it"


def accept_what_is_left(connection: Connection, zone: str) -> None:
    """Accept every difference that is left, each with the reason of its kinds and the rows that are against a rule."""
    there = There.read(connection)
    reasons: dict[str, list[str]] = {}
    for each in Foreteller(connection, read_rulings(connection), there, zone).foretell():
        reasons.setdefault(each.ruling.difference.object, []).append(each.reason)
    accept(connection, [(each, _why(each, reasons)) for each in all_differences(connection)])


def _why(each: Difference, reasons: dict[str, list[str]]) -> str:
    if each.expected is None and _is_ours(each.name):
        return FOR_THE_OLDER_APPLICATION
    return "; ".join(dict.fromkeys(reasons.get(each.object, [_MADE])))


def _is_ours(name: str) -> bool:
    own = name.rpartition(".")[2].partition("(")[0]
    return own.endswith("_naive") or own.startswith((TRIGGER, "yumai_", "accept_", "wall_time_of_", "recover_user"))
