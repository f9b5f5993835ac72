"""Rules that every row must obey and no constraint can express. Each rule is an entry here and a folder of SQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg import sql

from yumai_pipelines.integrity.findings import Block, Finding, Severity
from yumai_pipelines.integrity.samples import sample
from yumai_pipelines.model.registry import CONVERSATIONS, RECOMMENDATIONS
from yumai_pipelines.postgres.sql_files import read_sql, sql_path

if TYPE_CHECKING:
    from yumai_pipelines.integrity.scope import Scope
    from yumai_pipelines.model.months import Month
    from yumai_pipelines.model.relations import Relation
    from yumai_pipelines.postgres.connections import Connection


@dataclass(frozen=True)
class RowRule:
    """A rule that each row of a table obeys.

    Its SQL is in the folder `sql/integrity/<name>`. `count_rows.sql` counts all rows of a `{scope}` and those that
    break the rule, by `{place}`. `list_rows.sql` lists the rows that break it. `correct_rows.sql`, if there is one,
    corrects them. The table is called `t` in each of these files.

    Attributes:
        name: the name of the check.
        table: the table whose rows must obey the rule.
        description: what is true when the check passes.
        broken: what to call the rows that break the rule, in the plural.
        cause: what may have caused such rows.
        remedy: what to do, in words.
        severity: the severity of a failure.
    """

    name: str
    table: Relation
    description: str
    broken: str
    cause: str
    remedy: str
    severity: Severity = Severity.ERROR


ROW_RULES = (
    RowRule(
        "user_is_the_sessions",
        CONVERSATIONS,
        description=f"The user of each row of {CONVERSATIONS}, where it names one, is the user of its session. Both "
        "point to the users, and no constraint makes them agree. Section 1.2 of the database document.",
        broken=f"rows of {CONVERSATIONS} whose user is not their session's",
        cause="a client wrote a turn into somebody else's session, or a session was given another user afterwards.",
        remedy="find out which of the two is right; where it is the session's, run the UPDATE.",
    ),
    RowRule(
        "selections_are_readable",
        RECOMMENDATIONS,
        description=f"Each user_selection of {RECOMMENDATIONS} can be read. One that cannot counts in the extracts as "
        "a selection that names no shop.",
        broken=f"rows of {RECOMMENDATIONS} whose user_selection cannot be read",
        cause="a client wrote JSON with more than a thousand brackets, or with what PostgreSQL keeps as text alone, "
        "such as \\u0000.",
        remedy="find out what was selected, correct the rows, and build their months of the extracts again.",
        severity=Severity.WARN,
    ),
)


def find_broken_rows(connection: Connection, scope: Scope, rule: RowRule) -> dict[Month | None, Finding]:
    """Find the rows of a scope that break a rule, by month."""
    counts = scope.totals(connection.execute(_statement(rule, "count_rows.sql", scope)), width=2)
    return {month: _finding(connection, scope, rule, month, *counts[month]) for month in counts}


def _finding(
    connection: Connection, scope: Scope, rule: RowRule, month: Month | None, rows: int, count: int
) -> Finding:
    folder = sql_path("integrity", rule.name)
    names = {"list the rows": "list_rows.sql", "correct the rows": "correct_rows.sql"}
    there = {does: _statement(rule, name, scope, month) for does, name in names.items() if (folder / name).exists()}
    return Finding(
        subject=rule.broken,
        count=count,
        sample=sample(connection, there["list the rows"]) if count else [],
        cause=rule.cause,
        remedy=rule.remedy,
        blocks=[Block.of(does, statement.as_string(connection)) for does, statement in there.items()],
        severity=rule.severity,
        metadata={"rows": rows},
    )


def _statement(rule: RowRule, name: str, scope: Scope, month: Month | None = None) -> sql.Composed:
    return sql.SQL(read_sql("integrity", rule.name, name)).format(place=scope.place, scope=scope.condition(month))
