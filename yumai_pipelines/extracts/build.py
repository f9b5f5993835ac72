"""Building months of the extracts: the logs are read once into temporary tables, from which all extracts are filled.

One transaction and one snapshot: the extracts agree with each other, a reader sees the old months or the new ones, and
a run that is killed leaves the old ones. No row passes through Python.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg import sql
from psycopg.rows import dict_row

from yumai_pipelines.extracts.ledger import first_days, refuse_purged
from yumai_pipelines.extracts.user_key import key_id
from yumai_pipelines.online_ddl import advisory_lock
from yumai_pipelines.sql_files import read_sql, sql_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from zoneinfo import ZoneInfo

    import psycopg
    from pydantic import SecretStr

    from yumai_pipelines.catalog import Extract
    from yumai_pipelines.months import Month
    from yumai_pipelines.online_ddl import LockPolicy

ADVISORY_LOCK = "yumai_pipelines: extracts"
"""Who builds months, and who purges what they were built from, come one after the other."""

STAGES = ("stage_recommendations.sql", "stage_feedback.sql", "stage_opinions.sql", "stage_sources.sql")
WORK_MEM = "128MB"
"""Of each sort and hash of a build. The server's default of 4 MB would spill even a month's to its disk."""


@dataclass(frozen=True)
class Privacy:
    """What keeps people from being recognised.

    Attributes:
        secret: makes the users' pseudonyms.
        min_group_users: groups of fewer users are merged; 1 merges none.
    """

    secret: SecretStr
    min_group_users: int = 1


def month_parameters(months: Sequence[Month], zone: ZoneInfo) -> dict[str, Any]:
    """Adjoining months as the statements take them: `months`, their first days, and `bounds`, instants."""
    return {
        "months": first_days(months),
        "bounds": [month.start(zone) for month in months] + [month.end(zone) for month in months[-1:]],
    }


def code_version(extract: Extract) -> str:
    """The fingerprint of the SQL that builds an extract."""
    files = [*(("extracts", name) for name in STAGES), ("extracts", extract.relation.name, "insert_months.sql")]
    files += [("functions", path.name) for path in sorted(sql_path("functions").glob("*_of*.sql"))]
    return hashlib.sha256("\n".join(read_sql(*file) for file in files).encode()).hexdigest()[:12]


def stage_months(connection: psycopg.Connection[Any], months: Sequence[Month], zone: ZoneInfo) -> None:
    """Read the sources of adjoining months into the transaction's temporary tables, `staged_…`."""
    parameters = month_parameters(months, zone)
    connection.execute("SELECT set_config('work_mem', %s, true)", (WORK_MEM,))
    for stage in STAGES:
        connection.execute(read_sql("extracts", stage), parameters)
        connection.execute(
            sql.SQL("ANALYZE {}").format(sql.Identifier(stage.removesuffix(".sql").replace("stage", "staged")))
        )


def build_months(
    connection: psycopg.Connection[Any],
    extracts: Sequence[Extract],
    months: Sequence[Month],
    zone: ZoneInfo,
    privacy: Privacy,
    policy: LockPolicy,
    *,
    run_id: str | None = None,
) -> dict[str, list[dict[str, Any]]]:
    """Build months of extracts anew.

    Args:
        connection: in autocommit mode, as the owner of the extracts.
        extracts: what to build.
        months: adjoining months, in order.
        zone: the business's time zone, at whose midnights they begin.
        privacy: the secret of the user keys, and the smallest group.
        policy: how long to wait for another build, or for retention.
        run_id: for the ledger.

    Returns:
        What then stands there: for each extract, by its name, one row for each month.

    Raises:
        PurgedError: retention has deleted some of the sources.
        LockNotObtainedError: another run of them did not end.
    """
    parameters = {
        **month_parameters(months, zone),
        "user_key_secret": privacy.secret.get_secret_value(),
        "user_key_id": key_id(privacy.secret),
        "min_group_users": privacy.min_group_users,
        "run_id": run_id,
    }
    with advisory_lock(connection, ADVISORY_LOCK, policy), connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        refuse_purged(connection, extracts, months)
        stage_months(connection, months, zone)
        return {
            extract.relation.name: _replace(connection, extract, {**parameters, **_identity(extract)})
            for extract in extracts
        }


def _identity(extract: Extract) -> dict[str, str]:
    return {"extract": extract.relation.name, "code_version": code_version(extract)}


def _replace(connection: psycopg.Connection[Any], extract: Extract, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    for statement in _statements(extract):
        connection.execute(statement, parameters)
    with connection.cursor(row_factory=dict_row) as cursor:
        summary = read_sql("extracts", extract.relation.name, "summarize_months.sql")
        return cursor.execute(summary, parameters).fetchall()


def _statements(extract: Extract) -> Iterator[sql.Composed | str]:
    table = extract.relation.identifier
    yield sql.SQL(read_sql("extracts", "delete_months.sql")).format(extract=table)
    yield read_sql("extracts", extract.relation.name, "insert_months.sql")
    yield sql.SQL(read_sql("extracts", "record_months.sql")).format(extract=table)
