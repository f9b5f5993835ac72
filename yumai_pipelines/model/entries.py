"""What an entry of the registry says: of a table, of a materialized view, of an extract."""

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
        column: the column that names them.
        referenced: the table that they refer to, by its `id`.
        path: where they stand in its value as JSON, as an SQL/JSON path; an array's elements by default.
    """

    column: str
    referenced: Relation
    path: str = "$[*]"


@dataclass(frozen=True)
class TableEntry:
    """What PostgreSQL cannot say of a table. Its keys, foreign keys and columns are read from the shipped catalogue.

    Attributes:
        relation: its name.
        session_child: whether its rows belong to a session, and go with it.
        soft_references: what it names without a foreign key.
        time: the column that says when a row happened, for tables of events.
        later: columns with times that come after that one, where they are known.
        personal: columns to empty in a row that stays as a record of the business when its user is erased.
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
        section: of the database document.
    """

    relation: Relation
    sources: tuple[Relation, ...]
    section: str


@dataclass(frozen=True)
class Share:
    """A column that is one count divided by another, to five decimals; NULL where that is zero."""

    column: str
    part: str
    whole: str


@dataclass(frozen=True)
class Mean:
    """A column that lies between two values.

    Attributes:
        column: its name.
        of: the column that counts what it is the mean of: it is NULL exactly where that is zero. None for a column that
            may be NULL otherwise.
        lowest: the least that it can be.
        highest: the most that it can be.
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
class Extract:
    """A monthly table for analysts in the schema `extracts`.

    Attributes:
        relation: its name; the statements that build and reconcile it stand in `sql/extracts/<name>/`.
        grain: what one row stands for.
        key: the columns that tell rows apart, the month first.
        sources: the tables that it is computed from.
        lineage: the columns of tables that each of its columns comes from.
        categories: its columns of few different words: pandas keeps each word once.
        shares: its rates.
        means: its other measures with a range.
        merged: a column of the key, with the value by which it marks groups of too few users, which have no rates.
        user_key: the column with the user's pseudonym, where a row is somebody's; such rows go when they are erased.
    """

    relation: Relation
    grain: str
    key: tuple[str, ...]
    sources: tuple[Relation, ...]
    lineage: Mapping[str, tuple[Source, ...]] = field(compare=False)
    categories: tuple[str, ...] = ()
    shares: tuple[Share, ...] = ()
    means: tuple[Mean, ...] = ()
    merged: tuple[str, str | int] | None = None
    user_key: str | None = None
