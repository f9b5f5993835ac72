"""Drops what let the older application go on writing, once that application is gone.

From then on a row needs an existing session, as in a fresh install, and a time that is sent without a time zone is read
in the time zone of the connection.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg import sql

from yumai_pipelines.adoption import conversions
from yumai_pipelines.adoption.compatibility import (
    RECOVER_USER,
    RECOVER_USER_TURNS,
    TRIGGER,
    column_type,
    function_of,
    has_trigger,
)
from yumai_pipelines.adoption.registry import SESSION_CHILDREN, TABLES
from yumai_pipelines.adoption.steps import Statement, exclusively, family
from yumai_pipelines.adoption.target import AWARE, ColumnShape, own_name, within

if TYPE_CHECKING:
    from yumai_pipelines.adoption.steps import Steps
    from yumai_pipelines.model.relations import Relation


@dataclass(frozen=True)
class FinishReport:
    """What was switched off.

    Attributes:
        tables: the tables that the older application can no longer write to; empty when there was nothing to do.
        kept: columns of theirs that something still reads, each with its readers; the triggers go on filling them.
    """

    tables: tuple[Relation, ...]
    kept: tuple[str, ...]

    def in_words(self) -> str:
        """The report for people, one line for each table and column."""
        lines = [f"An application that opens no sessions can no longer write to {table}." for table in self.tables]
        lines += [f"Still needed, and so kept: {each}" for each in self.kept]
        return "\n".join(lines) or "Nothing to do: nothing is switched on for an older application."


def switch_off(steps: Steps, zone: str) -> FinishReport:
    """Drop the triggers, their functions, and the naive columns that nothing reads any more. Idempotent."""
    kept: list[str] = []
    for table in TABLES:
        if has_trigger(steps.connection, table.relation, conversions.TRIGGER):
            kept += _end_wall_time(steps, table.relation, zone)
    tables = [t.relation for t in SESSION_CHILDREN if has_trigger(steps.connection, t.relation, TRIGGER)]
    for relation in tables:
        drop: list[Statement] = [
            sql.SQL("DROP TRIGGER {} ON {}").format(sql.Identifier(TRIGGER), relation.identifier),
            sql.SQL("DROP FUNCTION {}()").format(function_of(relation).identifier),
        ]
        locks = exclusively(*family(steps.connection, relation))
        steps.briefly(f"let only applications that open sessions write to {relation}", locks, drop)
    # An adoption by an earlier version made it for integers.
    recover = sql.SQL("DROP FUNCTION IF EXISTS {0}(bigint, text), {0}(integer, text); DROP TABLE IF EXISTS {1}").format(
        RECOVER_USER, RECOVER_USER_TURNS
    )
    if tables:
        steps.briefly("drop the recovery of users", [], [recover])
    return FinishReport(tuple(tables), tuple(kept))


def _end_wall_time(steps: Steps, table: Relation, zone: str) -> list[str]:
    """Drop the naive columns that nothing reads. The others are still filled, and returned with what reads them.

    A column of theirs that stands beside ours is never dropped, and stays in step: it may hold what ours cannot, and is
    emptied when a person is erased.
    """
    kept: dict[str, list[str]] = {}
    copies: dict[str, sql.Composed] = {}
    statements: list[Statement] = []
    for each in within("column", table):
        column, wall_time = own_name(each), ColumnShape.parse(each.definition).type == AWARE
        for form in (conversions.KEPT, conversions.KEPT_BESIDE):
            name = form.format(column)
            if column_type(steps.connection, table, name) is None:
                continue
            readers = conversions.dependents(steps.connection, table, name, [])
            if form == conversions.KEPT and not readers:
                drop = sql.SQL("ALTER TABLE {} DROP COLUMN {}").format(table.identifier, sql.Identifier(name))
                statements.append(drop)
            else:
                kept[name] = readers or ["it may hold what ours cannot"]
                copies[name] = conversions.older_value(column, zone, wall_time=wall_time)
    if kept:
        statements.append(conversions.reading_function(table, (), (), copies, zone))
    else:
        statements += [
            sql.SQL("DROP TRIGGER {} ON {}").format(sql.Identifier(conversions.TRIGGER), table.identifier),
            sql.SQL("DROP FUNCTION {}()").format(conversions.wall_time_function(table).identifier),
        ]
    locks = exclusively(*family(steps.connection, table))
    steps.briefly(f"read times of {table} as they are sent", locks, statements)
    return [f"{table}.{name}: {', '.join(readers)}" for name, readers in kept.items()]
