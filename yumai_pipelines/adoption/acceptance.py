"""Writes down what stays unlike a fresh install when an adoption ends, and why it may."""

from __future__ import annotations

from typing import TYPE_CHECKING

from yumai_pipelines.adoption.compatibility import TRIGGER
from yumai_pipelines.adoption.foretelling import Foreteller
from yumai_pipelines.adoption.kinds import Action, There, rulings
from yumai_pipelines.schema.differences import accept, drift, forget_settled
from yumai_pipelines.schema.snapshot import compare, describe, shipped

if TYPE_CHECKING:
    from yumai_pipelines.postgres.connections import Connection
    from yumai_pipelines.schema.snapshot import Difference

FOR_THE_OLDER_APPLICATION = "lets the older application write on, or is read by it; `yumai adopt --finish` ends that"
_UNDONE = "a migration could not change it"


def accept_what_is_left(connection: Connection, zone: str) -> None:
    """Accept every difference that is left, each with the reason of its kinds and the rows that are against a rule."""
    objects = describe(connection)
    there = There.of(connection, objects)
    reasons: dict[str, list[str]] = {}
    for each in Foreteller(connection, there.rulings(), there, zone).foretell():
        reasons.setdefault(each.ruling.difference.object, []).append(each.reason)
    accept(connection, [(each, _why(each, there, reasons)) for each in compare(shipped(), objects)])


def accept_what_is_kept(connection: Connection) -> None:
    """Accept what `finish` has changed and left, and forget what it has dropped."""
    forget_settled(connection)
    kept = [each for each in drift(connection) if each.expected is None and _is_ours(each.name)]
    accept(connection, [(each, FOR_THE_OLDER_APPLICATION) for each in kept])


def _why(each: Difference, there: There, reasons: dict[str, list[str]]) -> str:
    if each.expected is None and _is_ours(each.name):
        return FOR_THE_OLDER_APPLICATION
    # What only a later migration wants is in none of the target's differences.
    later = [ruling.kind.done for ruling in rulings([each], there) if ruling.kind.action == Action.KEEP]
    return "; ".join(dict.fromkeys(reasons.get(each.object) or later or [_UNDONE]))


def _is_ours(name: str) -> bool:
    own = name.rpartition(".")[2].partition("(")[0]
    return own.endswith("_naive") or own.startswith((TRIGGER, "yumai_", "accept_", "wall_time_of_", "recover_user"))
