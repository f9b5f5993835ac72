"""The check of soft references: ids in arrays and in JSON, which no foreign key can watch. A failure is a warning."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from psycopg import sql

from yumai_pipelines.integrity.findings import SAMPLE, Block, Finding, Severity
from yumai_pipelines.integrity.samples import sample
from yumai_pipelines.postgres.sql_files import read_sql

if TYPE_CHECKING:
    from decimal import Decimal

    from yumai_pipelines.integrity.scope import Scope
    from yumai_pipelines.model.entries import SoftReference
    from yumai_pipelines.model.months import Month
    from yumai_pipelines.postgres.connections import Connection


def soft_references(connection: Connection, scope: Scope, tolerance: Decimal) -> dict[Month | None, Finding]:
    """Find the ids in the table's rows that refer to a row that is gone, by month.

    A value that is in the place of an id but is not a number cannot be followed. It is counted in the metadata.

    Args:
        connection: in autocommit mode.
        scope: the rows to look at.
        tolerance: the share of the ids that may refer to nothing, because shops close and that alone is no problem.
    """
    references = scope.table.soft_references
    counts = {
        each: scope.totals(connection.execute(_statement("count_soft_references.sql", each, scope)), width=3)
        for each in references
    }
    return {place: _finding(connection, scope, place, counts, tolerance) for place in scope.places}


def _finding(
    connection: Connection,
    scope: Scope,
    month: Month | None,
    counts: dict[SoftReference, dict[Month | None, list[int]]],
    tolerance: Decimal,
) -> Finding:
    gone = {each: counts[each][month][1] for each in counts}
    limit = int(tolerance * sum(counts[each][month][0] for each in counts))
    listings = {
        each.column: _statement("list_soft_references.sql", each, scope, month) for each in counts if gone[each]
    }
    named = " and ".join(each.column for each in counts)
    return Finding(
        subject=f"ids in {named} of {scope.table.relation} that name a shop that is gone",
        count=sum(gone.values()),
        limit=limit,
        sample=list(islice((row for listing in listings.values() for row in sample(connection, listing)), SAMPLE)),
        cause="a shop was deleted after it was named here. PostgreSQL knows no foreign key from an array or from JSON.",
        remedy="nothing, where it is enough that readers leave such shops out, as the extracts do. "
        "clean_invalid_shop_references() takes them out of recommended_shop_ids, favorite_shops and "
        "top_recommendation_shop_id; a list of recommendations stays as it was shown.",
        blocks=[
            *(
                Block.of(f"list the ids in {column}", listing.as_string(connection))
                for column, listing in listings.items()
            ),
            Block.of("take the ids out", "SELECT chatbot.clean_invalid_shop_references()"),
        ],
        severity=Severity.WARN,
        metadata={"tolerance": float(tolerance)}
        | {
            f"{each.column} ({label})": number
            for each in counts
            for label, number in zip(("ids", "gone", "unreadable"), counts[each][month], strict=True)
        },
    )


def _statement(name: str, reference: SoftReference, scope: Scope, month: Month | None = None) -> sql.Composed:
    return sql.SQL(read_sql("integrity", name)).format(
        place=scope.place,
        table=scope.table.relation.identifier,
        column=sql.Identifier(reference.column),
        name=sql.Literal(reference.column),
        path=sql.Literal(reference.path),
        referenced=reference.referenced.identifier,
        key=sql.SQL(", ").join(sql.Identifier("t", column) for column in scope.table.key),
        scope=scope.condition(month),
    )
