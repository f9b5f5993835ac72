"""What the pipeline does to a database, as functions that another process can be given: each of a URL and a store."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import psycopg
from pydantic import SecretStr

from tests.killed_runs import ADOPTED_AS_OF
from tests.support import every
from yumai_pipelines.adoption import adopt as adopt_database
from yumai_pipelines.archives.archive import archive_months
from yumai_pipelines.archives.restore import restore_month
from yumai_pipelines.archives.store import ArchiveError, Store
from yumai_pipelines.erasure.erase import erase_user
from yumai_pipelines.extracts.build import Privacy, build_months
from yumai_pipelines.integrity.repair import repair_orphans
from yumai_pipelines.model.lock_policy import LockPolicy
from yumai_pipelines.model.months import Month
from yumai_pipelines.model.registry import EXTRACTS, VIEWS
from yumai_pipelines.partitions.ensure import ensure_months
from yumai_pipelines.postgres.connections import connect
from yumai_pipelines.postgres.sql_files import sql_path
from yumai_pipelines.schema.upgrade import upgrade
from yumai_pipelines.settings import Settings
from yumai_pipelines.views.refresh import refresh

if TYPE_CHECKING:
    from collections.abc import Callable

    Operation = Callable[[str, Path], None]

SEOUL = ZoneInfo("Asia/Seoul")
FIRST, LAST = Month(2024, 8), Month(2024, 9)
POLICY = LockPolicy()
AS_OF = datetime(2025, 6, 15, tzinfo=UTC)
SECRET = SecretStr("of the tests, which nobody has to guess")
LEGACY = Path(__file__).parents[1] / "adoption" / "legacy"


def up(url: str, _store: Path) -> None:
    upgrade(url, Settings())


def months(url: str, _store: Path) -> None:
    with connect(url, application_name="test: faults") as owner:
        ensure_months(owner, [FIRST, LAST], zone=SEOUL, policy=POLICY, batch_rows=40)


def extracts(url: str, _store: Path) -> None:
    with connect(url, application_name="test: faults") as one, connect(url, application_name="test: faults") as two:
        build_months([one, two], EXTRACTS, [FIRST, LAST], SEOUL, Privacy(SECRET), POLICY)


def archive(url: str, store: Path) -> None:
    with connect(url, application_name="test: faults") as owner:
        list(archive_months(owner, [FIRST], store=Store.at(str(store)), zone=SEOUL, policy=POLICY, kept=6, as_of=AS_OF))


def restore(url: str, _store: Path) -> None:
    with connect(url, application_name="test: faults") as owner:
        states = every(owner, "SELECT state FROM yumai_pipelines.archives WHERE month = '2024-08-01'")
        # Of a month that is back there may be something to remove, and nothing to restore.
        with suppress(ArchiveError) if states == [("restored",)] else nullcontext():
            restore_month(owner, FIRST, zone=SEOUL, policy=POLICY, batch_rows=40)


def erase(url: str, store: Path) -> None:
    with connect(url, application_name="test: faults") as owner:
        if every(owner, "SELECT FROM chatbot.users WHERE external_user_id = 'dirt 1'"):
            erase_user(
                owner,
                external_user_id="dirt 1",
                reason="asked for",
                run_id="test",
                zone=SEOUL,
                user_key_secrets=lambda: [SECRET],
                store=Store.at(str(store)),
                policy=POLICY,
            )


def lose_sessions(url: str, _store: Path) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SET session_replication_role = replica; DELETE FROM chatbot.session_master WHERE session_id IN "
            "(SELECT session_id FROM chatbot.session_master ORDER BY session_start, session_id LIMIT 7)"
        )


def repair(url: str, _store: Path) -> None:
    with connect(url, application_name="test: faults") as owner:
        repair_orphans(owner, run_id="test", dry_run=False, batch_rows=5)


def views(url: str, _store: Path) -> None:
    with connect(url, application_name="test: faults") as owner:
        for view in VIEWS:
            refresh(owner, view.relation)


def make_older(url: str, _store: Path) -> None:
    """An older YUMAI database, with every defect."""
    with psycopg.connect(url, autocommit=True) as connection:
        for path in (*sql_path("bootstrap").glob("2_*.sql"), LEGACY / "schema.sql", LEGACY / "rows.sql"):
            connection.execute(path.read_bytes())


def adopt(url: str, _store: Path) -> None:
    adopt_database(url, Settings(), as_of=ADOPTED_AS_OF)


BEFORE: dict[Operation, tuple[Operation, ...]] = {
    up: (),
    months: (),
    extracts: (),
    archive: (months,),
    restore: (months, archive),
    erase: (months, extracts, archive),
    repair: (lose_sessions,),
    views: (),
    adopt: (make_older,),
}
"""The operations, each with those that come before it in its world."""
