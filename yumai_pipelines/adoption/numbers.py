"""Adds the columns that number the rows of a table whose older design has none, while the table is in use.

ADD COLUMN … GENERATED AS IDENTITY would rewrite the table under an exclusive lock.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from psycopg import sql

from yumai_pipelines.adoption.constraints import drop_proof, prove_values
from yumai_pipelines.adoption.kinds import Kind
from yumai_pipelines.adoption.steps import exclusively
from yumai_pipelines.adoption.target import ColumnShape, home, own_name
from yumai_pipelines.model.relations import Relation
from yumai_pipelines.postgres.values import read_value

if TYPE_CHECKING:
    from yumai_pipelines.adoption.steps import Steps

PAGES = 64
"""Pages of a table whose rows are numbered in one transaction."""


def number_rows(steps: Steps) -> None:
    """Add each missing column of numbers: for new rows first, then for those that are there, then as an identity."""
    for each in steps.of_kind(Kind.NUMBER):
        shape = ColumnShape.parse(each.expected.definition)
        _number(steps, home(each.difference), own_name(each.difference), shape)


def _number(steps: Steps, table: Relation, column: str, shape: ColumnShape) -> None:
    name, aside = sql.Identifier(column), sql.Identifier(f"yumai_{column}")
    sequence = Relation(table.schema, f"yumai_numbers_of_{table.name}")
    if not read_value(steps.connection, "SELECT to_regclass(%s) IS NOT NULL", (sequence.quoted,)):
        begin = [
            sql.SQL("CREATE SEQUENCE {}").format(sequence.identifier),
            sql.SQL("GRANT USAGE ON SEQUENCE {} TO yumai_app").format(sequence.identifier),
            sql.SQL("ALTER TABLE {} ADD COLUMN {} {}").format(table.identifier, aside, sql.SQL(shape.type)),
            sql.SQL("ALTER TABLE {} ALTER {} SET DEFAULT nextval({})").format(
                table.identifier, aside, sql.Literal(sequence.quoted)
            ),
        ]
        steps.briefly(f"number new rows of {table}", exclusively(table), begin)
    # Rows that are changed meanwhile may move behind the last page.
    while read_value(
        steps.connection, sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE {} IS NULL)").format(table.identifier, aside)
    ):
        batches = [
            partial(_number_pages, steps, table, aside, sequence, page)
            for page in range(0, _pages(steps, table) + 1, PAGES)
        ]
        steps.in_batches(f"number the rows of {table}", batches, silently=True)
    prove_values(steps, table, [f"yumai_{column}"])

    def exchange() -> None:
        last = read_value(steps.connection, sql.SQL("SELECT last_value FROM {}").format(sequence.identifier))
        for statement in (
            sql.SQL("ALTER TABLE {} ALTER {} SET NOT NULL, ALTER {} DROP DEFAULT").format(
                table.identifier, aside, aside
            ),
            drop_proof(table, f"yumai_{column}"),
            sql.SQL("DROP SEQUENCE {}").format(sequence.identifier),
            sql.SQL("ALTER TABLE {} ALTER {} ADD {} (RESTART {})").format(
                table.identifier, aside, sql.SQL(shape.identity or ""), sql.Literal(last + 1)
            ),
            sql.SQL("ALTER TABLE {} RENAME {} TO {}").format(table.identifier, aside, name),
        ):
            steps.connection.execute(statement)

    steps.briefly(f"exchange the numbers of {table}", exclusively(table), exchange)


def _pages(steps: Steps, table: Relation) -> int:
    query = "SELECT pg_relation_size(%s::regclass) / current_setting('block_size')::bigint"
    return int(read_value(steps.connection, query, (table.quoted,)))


def _number_pages(steps: Steps, table: Relation, column: sql.Identifier, sequence: Relation, page: int) -> int:
    statement = sql.SQL(
        "UPDATE {} AS t SET {} = nextval({}) WHERE t.ctid >= '({},0)' AND t.ctid < '({},0)' AND t.{} IS NULL"
    ).format(
        table.identifier,
        column,
        sql.Literal(sequence.quoted),
        sql.SQL(str(page)),
        sql.SQL(str(page + PAGES)),
        column,
    )
    return steps.connection.execute(statement).rowcount
