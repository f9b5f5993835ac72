"""How a database differs from what this version's migrations make, and which of these differences may stay.

Adoption accepts what stays unlike ours, and a person accepts or withdraws a difference by `yumai differences`. What is
accepted is no drift until the object changes, or until this version wants something else of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg.rows import class_row

from yumai_pipelines.model.relations import Relation
from yumai_pipelines.postgres.errors import DatabaseError
from yumai_pipelines.postgres.values import relation_exists
from yumai_pipelines.schema import snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from yumai_pipelines.postgres.connections import Connection
    from yumai_pipelines.schema.snapshot import Difference

ACCEPTED = Relation("yumai_pipelines", "accepted_differences")


@dataclass(frozen=True)
class Accepted:
    """A difference that may stay: a row of `yumai_pipelines.accepted_differences`."""

    object: str
    theirs: str | None
    ours: str | None
    why: str
    since: datetime

    def __str__(self) -> str:
        """One line for people."""
        theirs = "missing" if self.theirs is None else f"[{' '.join(self.theirs.split())}]"
        ours = "unknown to this version" if self.ours is None else f"[{' '.join(self.ours.split())}] in an install"
        return f"{self.object} is {theirs}, {ours}: {self.why} (since {self.since:%Y-%m-%d})"


class DifferenceError(DatabaseError):
    """There is no such difference, so nothing was accepted or withdrawn."""


def list_accepted(connection: Connection) -> list[Accepted]:
    """The accepted differences by object; none in a database from before there were any."""
    if not relation_exists(connection, ACCEPTED):
        return []
    with connection.cursor(row_factory=class_row(Accepted)) as cursor:
        return cursor.execute(
            "SELECT object, theirs, ours, why, since FROM yumai_pipelines.accepted_differences ORDER BY object"
        ).fetchall()


def all_differences(connection: Connection) -> list[Difference]:
    """The objects of YUMAI's schemas that are not what this version's migrations make, by kind and name."""
    return snapshot.compare(snapshot.shipped(), snapshot.describe(connection))


def drift(connection: Connection) -> list[Difference]:
    """The differences that nobody has accepted, by kind and name."""
    accepted = {_seen(each.object, each.theirs, each.ours) for each in list_accepted(connection)}
    return [each for each in all_differences(connection) if _seen(each.object, *each.definitions) not in accepted]


def _seen(name: str, *definitions: str | None) -> tuple[str | None, ...]:
    """A difference, whatever spelling its definitions have: a restored dump has another."""
    return (name, *(None if each is None else snapshot.loosely(each) for each in definitions))


def accept(connection: Connection, differences: Iterable[tuple[Difference, str]]) -> None:
    """Let differences stay, each with why; a difference of the same object that was accepted before is replaced.

    A difference of the comment alone is left out: it cannot be told from none.
    """
    rows = [(each.object, *each.definitions, why) for each, why in differences if len(set(each.definitions)) > 1]
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO yumai_pipelines.accepted_differences AS a (object, theirs, ours, why) VALUES (%s, %s, %s, %s) "
            "ON CONFLICT (object) DO UPDATE SET theirs = excluded.theirs, ours = excluded.ours, why = excluded.why, "
            "since = excluded.since",
            rows,
        )


def accept_by_name(connection: Connection, name: str, why: str) -> None:
    """Let one difference stay, as a person decides.

    Args:
        connection: as the owner of the schema.
        name: kind and name, such as `column chatbot.coupons.coupon_type`.
        why: the reason, which is shown with it.

    Raises:
        DifferenceError: the object does not differ, or no reason is given.
    """
    found = {each.object: each for each in drift(connection)}
    if name not in found:
        known = "".join(f"\n  - {each}" for each in found) or " none"
        raise DifferenceError(f"There is no difference {name!r} to accept. There are:{known}")
    if not why.strip():
        raise DifferenceError(f"Say why {name} may stay as it is.")
    accept(connection, [(found[name], why)])


def withdraw(connection: Connection, name: str) -> None:
    """Let an accepted difference be drift again.

    Raises:
        DifferenceError: no such difference is accepted.
    """
    done = connection.execute("DELETE FROM yumai_pipelines.accepted_differences WHERE object = %s", (name,))
    if not done.rowcount:
        known = "".join(f"\n  - {each.object}" for each in list_accepted(connection)) or " none"
        raise DifferenceError(f"No difference {name!r} is accepted. There are:{known}")


def forget_settled(connection: Connection) -> None:
    """Forget accepted differences that are no more."""
    left = [each.object for each in all_differences(connection)]
    connection.execute("DELETE FROM yumai_pipelines.accepted_differences WHERE NOT object = ANY(%s)", (left,))
