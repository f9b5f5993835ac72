"""The entries of the registry: of a table, of a materialized view, and of an extract."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from yumai_pipelines.model.relations import Relation


@dataclass(frozen=True)
class SoftReference:
    """Ids in a column, or in its JSON, that no foreign key can watch.

    Attributes:
        column: the column that contains the ids.
        referenced: the table whose `id` they refer to.
        path: the SQL/JSON path of the ids in the column's value as JSON; by default, the elements of an array.
    """

    column: str
    referenced: Relation
    path: str = "$[*]"


@dataclass(frozen=True)
class TableEntry:
    """What PostgreSQL does not know about a table. Its keys and columns are read from the shipped catalogue.

    Attributes:
        relation: its name.
        session_child: whether its rows belong to a session, and are deleted with it.
        soft_references: its references without a foreign key.
        time: for tables of events, the column with the time of the event.
        later: columns with later times, which may be NULL.
        personal: columns that are emptied when a user is erased and the user's row stays as a record of the business.
    """

    relation: Relation
    session_child: bool = False
    soft_references: tuple[SoftReference, ...] = ()
    time: str | None = None
    later: tuple[str, ...] = ()
    personal: tuple[str, ...] = ()


@dataclass(frozen=True)
class View:
    """A materialized view, which is refreshed daily, and after the erasure of a person.

    Attributes:
        relation: its name. It has a unique index, so that it can be refreshed while it is read.
        sources: the tables that it selects from.
        section: the section of the database document that describes it.
    """

    relation: Relation
    sources: tuple[Relation, ...]
    section: str


@dataclass(frozen=True)
class Share:
    """A column that is the count `part` divided by the count `whole`, to five decimals; NULL where `whole` is zero."""

    column: str
    part: str
    whole: str


@dataclass(frozen=True)
class Mean:
    """A column whose values are in a range, such as a mean.

    Attributes:
        column: its name.
        of: the column that counts the values of which it is the mean: the mean is NULL exactly where this count is
            zero. None for a column that may be NULL for other reasons.
        lowest: its lowest possible value.
        highest: its highest possible value.
    """

    column: str
    of: str | None
    lowest: float
    highest: float = float("inf")


@dataclass(frozen=True)
class Source:
    """Columns of one table."""

    relation: Relation
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Readable:
    """A table with months that analysts read.

    Attributes:
        relation: its name.
        key: the columns of its primary key.
        categories: its columns that have few different texts, which pandas can keep as categories.
    """

    relation: Relation
    key: tuple[str, ...]
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Extract(Readable):
    """A monthly table for analysts in the schema `extracts`, whose key begins with the month.

    The statements that build and reconcile it are in `sql/extracts/<name>/`.

    Attributes:
        grain: what one row is about.
        sources: the tables that it is computed from.
        lineage: for each of its columns, the columns of tables from which that is computed.
        shares: its rates.
        means: its other measures with a range.
        merged: a column of the key, and the value in it that marks merged groups of too few users, which have no rates.
        user_key: the column with the user's pseudonym, if a row is about a user. Such rows are deleted when the user is
            erased.
    """

    grain: str
    sources: tuple[Relation, ...]
    lineage: Mapping[str, tuple[Source, ...]] = field(compare=False)
    shares: tuple[Share, ...] = ()
    means: tuple[Mean, ...] = ()
    merged: tuple[str, str | int] | None = None
    user_key: str | None = None
