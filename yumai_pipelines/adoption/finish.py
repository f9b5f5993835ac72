"""Drops what let the older application go on writing, once that application is gone.

From then on a row needs an existing session, as in a fresh install, and a time that is sent without a time zone is read
in the time zone of the connection.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg import sql

from yumai_pipelines.adoption import wall_time
from yumai_pipelines.adoption.compatibility import RECOVER_USER, TRIGGER, column_type, function_of, has_trigger
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
        kept: naive columns that something still reads, each with its readers; the triggers go on filling them.
    """

    tables: tuple[Relation, ...]
    kept: tuple[str, ...]

    def in_words(self) -> str:
        """The report for people, one line for each table and column."""
        lines = [f"An application that opens no sessions can no longer write to {table}." for table in self.tables]
        lines += [f"Still read, and so kept: {each}" for each in self.kept]
        return "\n".join(lines) or "Nothing to do: nothing is switched on for an older application."


def switch_off(steps: Steps, zone: str) -> FinishReport:
    """Drop the triggers, their functions, and the naive columns that nothing reads any more. Idempotent."""
    kept: list[str] = []
    for table in TABLES:
        if has_trigger(steps.connection, table.relation, wall_time.TRIGGER):
            kept += _end_wall_time(steps, table.relation, zone)
    tables = [t.relation for t in SESSION_CHILDREN if has_trigger(steps.connection, t.relation, TRIGGER)]
    for relation in tables:
        drop: list[Statement] = [
            sql.SQL("DROP TRIGGER {} ON {}").format(sql.Identifier(TRIGGER), relation.identifier),
            sql.SQL("DROP FUNCTION {}()").format(function_of(relation).identifier),
        ]
        locks = exclusively(*family(steps.connection, relation))
        steps.briefly(f"let only applications that open sessions write to {relation}", locks, drop)
    recover = sql.SQL("DROP FUNCTION IF EXISTS {}(integer, text)").format(RECOVER_USER)
    if tables:
        steps.briefly("drop the recovery of users", [], [recover])
    return FinishReport(tuple(tables), tuple(kept))


def _end_wall_time(steps: Steps, table: Relation, zone: str) -> list[str]:
    """Drop the naive columns that nothing reads. The others are still filled, and returned with what reads them."""
    kept: dict[str, list[str]] = {}
    statements: list[Statement] = []
    for column in _instants(table):
        naive = wall_time.KEPT.format(column)
        if column_type(steps.connection, table, naive) is None:
            continue
        if readers := wall_time.dependents(steps.connection, table, naive, []):
            kept[column] = readers
        else:
            statements.append(sql.SQL("ALTER TABLE {} DROP COLUMN {}").format(table.identifier, sql.Identifier(naive)))
    if kept:
        statements.append(wall_time.reading_function(table, (), list(kept), zone))
    else:
        statements += [
            sql.SQL("DROP TRIGGER {} ON {}").format(sql.Identifier(wall_time.TRIGGER), table.identifier),
            sql.SQL("DROP FUNCTION {}()").format(wall_time.wall_time_function(table).identifier),
        ]
    steps.briefly(f"read times of {table} as they are sent", exclusively(table), statements)
    return [f"{table}.{wall_time.KEPT.format(column)}: {', '.join(readers)}" for column, readers in kept.items()]


def _instants(table: Relation) -> list[str]:
    return [own_name(each) for each in within("column", table) if ColumnShape.parse(each.definition).type == AWARE]
