"""The whole life of a small database, and all that is left of it: two databases that lived alike hold the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg import sql

from tests.extracts.dirt import plant
from tests.graph import Graph, Run, leaving, months
from tests.hostile.operations import FIRST, LAST, SEOUL
from tests.support import every, one
from yumai_pipelines.archives.restore import restore_month
from yumai_pipelines.extracts.reading import export
from yumai_pipelines.model.lock_policy import LockPolicy
from yumai_pipelines.model.registry import EXTRACTS, TABLE_ENTRIES
from yumai_pipelines.postgres.connections import connect
from yumai_pipelines.schema.snapshot import columns

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    import dagster as dg

    from tests.support import Connection

VOLATILE = {"created_at", "updated_at", "user_key"}
"""Columns that hold when a row was made, or a pseudonym."""


def plant_world(connection: Connection) -> None:
    """The same rows each time, with every dirt that the logs may hold, and a conversation a day."""
    connection.execute("SET search_path = chatbot, ml_features, analytics, public")
    plant(connection, [FIRST, LAST], SEOUL, rows=60, seed=7)
    connection.execute(
        "INSERT INTO chatbot.conversations (session_id, user_id, conversation_time, input_text, recommended_shop_ids) "
        "SELECT s.session_id, s.user_id, s.session_start, '김치찌개 ' || row_number() OVER (ORDER BY s.session_start), "
        "ARRAY[NULL, 1] FROM chatbot.session_master AS s WHERE isfinite(s.session_start)"
    )


@dataclass(frozen=True)
class Life:
    """The runs of a life, by job, and what the database holds at the end."""

    runs: dict[str, Run]
    left: dict[str, Any]

    @property
    def failed(self) -> dict[str, list[str]]:
        """The jobs that failed, and what their steps say."""
        return {job: run.errors() for job, run in self.runs.items() if not run.success}


def live(
    url: str,
    admin: Connection,
    instance: dg.DagsterInstance,
    directory: Path,
    trouble: AbstractContextManager[None] | None = None,
) -> Life:
    """Months, extracts, upkeep, archive, restore, export and an erasure, in a database in which `plant_world` was.

    During `trouble` nothing can be archived: that is tried first, and the month stays where it is.
    """
    graph = Graph.on(url, instance)
    span = months(f"{FIRST}", f"{LAST}")
    runs = {
        "install_schema": graph.run("install_schema"),
        "monthly_partitions": graph.run("monthly_partitions", span),
        "monthly_extracts": graph.run("monthly_extracts", span),
        "daily_upkeep": graph.run("daily_upkeep"),
    }
    if trouble is not None:
        with trouble:
            assert not graph.run("monthly_archive", **leaving(f"{FIRST}")).success
        assert one(admin, "SELECT to_regclass('chatbot.conversations_2024_08') IS NOT NULL")
    runs["monthly_archive"] = graph.run("monthly_archive", **leaving(f"{FIRST}"))
    left: dict[str, Any] = {"archived": every(admin, "SELECT month, row_count, checksum FROM yumai_pipelines.archives")}
    with connect(url, application_name="test: restore") as owner:
        left["restored"] = restore_month(owner, FIRST, zone=SEOUL, policy=LockPolicy()).rows
    for extract in EXTRACTS:
        path = directory / f"{extract.relation.name}.csv"
        left[path.name] = export(extract.relation.name, path, months=[FIRST], url=url)
    person = one(admin, "SELECT min(id) FROM chatbot.users")
    runs["erase_user"] = graph.run("erase_user", user_id=person, reason="asked for", dry_run=False)
    return Life(runs, left | rows_of(admin))


def rows_of(admin: Connection) -> dict[str, list[str]]:
    """Every row of every table and extract, as text, without what differs from one run to the next."""
    rows: dict[str, list[str]] = {}
    for relation in [*(entry.relation for entry in TABLE_ENTRIES), *(extract.relation for extract in EXTRACTS)]:
        kept = [sql.Identifier(each.name) for each in columns(relation) if each.name not in VOLATILE]
        query = sql.SQL("SELECT ROW({})::text FROM {}").format(sql.SQL(", ").join(kept), relation.identifier)
        rows[str(relation)] = sorted(row for (row,) in admin.execute(query))
    return rows
