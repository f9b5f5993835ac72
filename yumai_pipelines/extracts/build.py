"""Builds months of the extracts. The logs are read once into temporary tables, from which all extracts are filled.

Everything is read in one snapshot, so the extracts agree with each other. A reader sees a month as it was before or as
it is afterwards, in all extracts, and a run that is killed changes nothing. A range of months is divided among
connections, whose transactions are committed when all of them are done. Other runs may build other months at the same
time. No row passes through Python. The rows of a month that has no partition yet are written before their indexes are
made, in about half the time: see `new_months`.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Any

from psycopg import sql
from psycopg.rows import dict_row

from yumai_pipelines.extracts.changes import look, reasons, settle
from yumai_pipelines.extracts.code import STAGES, code_version, statement_of
from yumai_pipelines.extracts.ledger import refuse_purged
from yumai_pipelines.extracts.new_months import attach, beside, list_new
from yumai_pipelines.extracts.user_key import key_id
from yumai_pipelines.model.calendar import first_days
from yumai_pipelines.model.registry import EXTRACTS
from yumai_pipelines.postgres.locks import AdvisoryLock, advisory_lock, nobody_else
from yumai_pipelines.postgres.side_by_side import side_by_side
from yumai_pipelines.postgres.sql_files import read_sql
from yumai_pipelines.postgres.values import read_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from zoneinfo import ZoneInfo

    from pydantic import SecretStr

    from yumai_pipelines.extracts.new_months import NewMonth
    from yumai_pipelines.model.entries import Extract
    from yumai_pipelines.model.lock_policy import LockPolicy
    from yumai_pipelines.model.months import Month
    from yumai_pipelines.model.relations import Relation
    from yumai_pipelines.postgres.connections import Connection

Summaries = dict[str, list[dict[str, Any]]]
"""One row for each month of each extract, by the extract's name."""

ASKED_FOR = "somebody asked for it"
"""Why a month is built that needed no build."""

SERVER_SETTINGS = {"work_mem": "128MB", "default_statistics_target": "10"}
"""Settings of transactions that read months of the logs. With the server's 4 MB, even the sorts of one month would go
to disk; and the plans for the temporary tables need no statistics of a hundred values."""


@dataclass(frozen=True)
class Privacy:
    """The settings that keep people from being recognised in the extracts.

    Attributes:
        secret: the secret that the users' pseudonyms are made with.
        min_group_users: groups with fewer users are merged; 1 merges none.
    """

    secret: SecretStr
    min_group_users: int = 1


def month_parameters(months: Sequence[Month], zone: ZoneInfo) -> dict[str, Any]:
    """Statement parameters of adjoining months: `months`, first days; `bounds`, their starts and the last one's end."""
    return {
        "months": first_days(months),
        "bounds": [month.start(zone) for month in months] + [month.end(zone) for month in months[-1:]],
    }


def apply_server_settings(connection: Connection) -> None:
    """Apply `SERVER_SETTINGS` until the end of the transaction."""
    for setting in SERVER_SETTINGS.items():
        connection.execute("SELECT set_config(%s, %s, true)", setting)


def _stage_months(connection: Connection, parameters: dict[str, Any]) -> None:
    """Read the sources of adjoining months into the transaction's temporary tables, `staged_…`."""
    apply_server_settings(connection)
    for stage in STAGES:
        connection.execute(read_sql("extracts", stage), parameters)
        connection.execute(
            sql.SQL("ANALYZE {}").format(sql.Identifier(stage.removesuffix(".sql").replace("stage", "staged")))
        )


def build_months(
    connections: Sequence[Connection],
    extracts: Sequence[Extract],
    months: Sequence[Month],
    zone: ZoneInfo,
    privacy: Privacy,
    policy: LockPolicy,
    *,
    run_id: str | None = None,
) -> Summaries:
    """Build months of extracts, replacing what the extracts have of them.

    Args:
        connections: in autocommit mode, as the owner of the extracts; each builds a share of the months, at the same
            time as the others.
        extracts: the extracts to build.
        months: adjoining months, in order.
        zone: the business's time zone, at whose midnights months begin.
        privacy: the secret of the user keys, and the smallest group.
        policy: how long to wait for another build of one of the months, or for retention.
        run_id: id of the run, for the ledger.

    Returns:
        A summary of each month of each extract, as built.

    Raises:
        PurgedError: retention has deleted some of the sources.
        NameTakenError: another relation has the name of a month's partition. Nothing was changed.
        LockNotObtainedError: another build of one of the months, or retention, did not end in time; or somebody who
            indexes or analyzes an extract did not, so that months could not be attached. Each month is then as it was
            or as it is.
    """
    parameters = {
        "user_key_secret": privacy.secret.get_secret_value(),
        "user_key_id": key_id(privacy.secret),
        "min_group_users": privacy.min_group_users,
        "run_id": run_id,
    }

    def build(share: Sequence[Month], connection: Connection) -> Summaries:
        shared = {**parameters, **month_parameters(share, zone)}
        _stage_months(connection, shared)
        built = {each.relation.name: write(each, share, connection) for each in extracts}
        if set(extracts) >= set(EXTRACTS):
            connection.execute(read_sql("extracts", "forget_built_changes.sql"), shared)
        return built

    def write(extract: Extract, share: Sequence[Month], connection: Connection) -> list[dict[str, Any]]:
        to_attach = list_new(connection, extract, share)
        is_new = {each.month for each in to_attach}
        summaries = []
        if old := [month for month in share if month not in is_new]:
            months = {**parameters, **identity(extract, old)}
            connection.execute(_statement("delete_months.sql", extract.relation), months)
            summaries += _fill(connection, extract, extract.relation, months)
        if to_attach:
            new[connection] += to_attach
            months = {**parameters, **identity(extract, sorted(is_new))}
            with beside(connection, extract.relation, to_attach) as table:
                summaries += _fill(connection, extract, table, months)
        return sorted(summaries, key=lambda summary: summary["month"])

    def identity(extract: Extract, months: Sequence[Month]) -> dict[str, Any]:
        name = extract.relation.name
        because = [why.get((name, month), ASKED_FOR) for month in months]
        return {
            "extract": name,
            "code_version": code_version(extract),
            "months": first_days(months),
            "because": because,
        }

    def finish(connection: Connection) -> None:
        attach(connection, new[connection], policy)

    size = ceil(len(months) / len(connections))
    shares = [months[first : first + size] for first in range(0, len(months), size)]
    builders = connections[: len(shares)]
    new: dict[Connection, list[NewMonth]] = {each: [] for each in builders}
    with advisory_lock(builders[0], AdvisoryLock.EXTRACTS, policy, months), ExitStack() as snapshot:
        with nobody_else(builders[0], AdvisoryLock.EXTRACTS) as alone:
            if alone:
                settle(builders[0])
        why = reasons(look(builders[0], months, extracts), privacy.min_group_users)
        snapshot.enter_context(_one_snapshot(builders, extracts, finish))
        refuse_purged(builders[0], months)
        built = side_by_side(builders, [partial(build, share) for share in shares], connection_of=lambda each: each)
    return {each.relation.name: [row for part in built for row in part[each.relation.name]] for each in extracts}


@contextmanager
def _one_snapshot(
    connections: Sequence[Connection], extracts: Sequence[Extract], finish: Callable[[Connection], None]
) -> Iterator[None]:
    """Open transactions that share a snapshot; when the work of all is done, finish and commit one after the other.

    Each locks the extracts with pseudonyms before the snapshot is taken. The advisory lock is the first connection's
    alone: if its session is ended, the others may go on for a while, and an erasure waits for them.
    """
    with_pseudonyms = [extract.relation.identifier for extract in extracts if extract.user_key]
    first, *others = connections
    with ExitStack() as transactions:
        for connection in connections:
            transactions.enter_context(_finished(connection, finish))
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            for table in with_pseudonyms:
                connection.execute(sql.SQL("LOCK TABLE {} IN ROW EXCLUSIVE MODE").format(table))
        snapshot = read_value(first, "SELECT pg_export_snapshot()")
        for connection in others:
            connection.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(snapshot))
        yield


@contextmanager
def _finished(connection: Connection, finish: Callable[[Connection], None]) -> Iterator[None]:
    """Open a transaction, and finish its work right before it is committed."""
    with connection.transaction():
        yield
        finish(connection)


def _fill(
    connection: Connection, extract: Extract, table: Relation, parameters: dict[str, Any]
) -> list[dict[str, Any]]:
    """Write months of an extract into a table, record them in the ledger, and return their summaries."""
    connection.execute(statement_of(extract, "insert_months.sql", table), parameters)
    connection.execute(_statement("record_months.sql", table), parameters)
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement_of(extract, "summarize_months.sql", table), parameters).fetchall()


def _statement(name: str, table: Relation) -> sql.Composed:
    """A statement that is the same for all extracts, on a table that has rows of one."""
    return sql.SQL(read_sql("extracts", name)).format(extract=table.identifier)
