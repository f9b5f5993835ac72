"""Each operation, broken at a statement in each way, and run again: nothing is lost, doubled or half done.

`make faults` breaks every statement; otherwise some are drawn.
"""

from __future__ import annotations

import shutil
from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from pydantic import SecretStr

from tests.hostile.life import FIRST, LAST, SEOUL, rows_of
from tests.hostile.proxy import Fault, failing
from tests.support import every
from yumai_pipelines.archives.archive import archive_months
from yumai_pipelines.archives.restore import restore_month
from yumai_pipelines.archives.store import ArchiveError, Store
from yumai_pipelines.erasure.erase import erase_user
from yumai_pipelines.extracts.build import Privacy, build_months
from yumai_pipelines.integrity.repair import repair_orphans
from yumai_pipelines.model.lock_policy import LockPolicy
from yumai_pipelines.model.registry import EXTRACTS, VIEWS
from yumai_pipelines.partitions.ensure import ensure_months
from yumai_pipelines.postgres.connections import connect
from yumai_pipelines.schema.upgrade import upgrade
from yumai_pipelines.settings import Settings
from yumai_pipelines.views.refresh import refresh

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Databases

POLICY = LockPolicy()
AS_OF = datetime(2025, 6, 15, tzinfo=UTC)
SECRET = SecretStr("of the tests, which nobody has to guess")
STORE = "store"
DRAWN = 2
"""Statements of each operation and kind of fault that are broken in an ordinary run of the tests."""


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


BEFORE: dict[Callable[[str, Path], None], tuple[Callable[[str, Path], None], ...]] = {
    up: (),
    months: (),
    extracts: (),
    archive: (months,),
    restore: (months, archive),
    erase: (months, extracts, archive),
    repair: (lose_sessions,),
    views: (),
}
"""The operations, each with those that come before it in its world."""


def contents(url: str) -> dict[str, Any]:
    """What must be the same, however an operation came to its end."""
    with psycopg.connect(url, autocommit=True) as connection:
        return {
            **rows_of(connection),
            "partitions": every(connection, "SELECT inhrelid::regclass::text FROM pg_inherits ORDER BY 1"),
            "archives": every(connection, "SELECT month, state, row_count, checksum FROM yumai_pipelines.archives"),
            "quarantine": every(
                connection, "SELECT source_table, source_key::text FROM yumai_pipelines.quarantine ORDER BY 1, 2"
            ),
            "left behind": every(
                connection,
                "SELECT relname FROM pg_class WHERE relnamespace = 'yumai_pipelines'::regnamespace "
                "AND relname LIKE 'conversations%' ORDER BY 1",
            ),
        }


@pytest.mark.parametrize("fault", Fault, ids=lambda each: each.name)
@pytest.mark.parametrize("operation", BEFORE, ids=lambda each: each.__name__)
def test_an_operation_that_was_broken_is_finished_by_the_next_run(
    databases: Databases,
    world: str,
    tmp_path: Path,
    pytestconfig: pytest.Config,
    operation: Callable[[str, Path], None],
    fault: Fault,
) -> None:
    store, kept = tmp_path / STORE, tmp_path / "kept"
    with databases.create(world) as ready:
        for each in BEFORE[operation]:
            each(databases.url(ready), store)
        if store.exists():
            shutil.copytree(store, kept)
        with databases.clone(ready) as url, failing(url, fault, at=0) as counting:
            operation(counting.url, store)
            statements = counting.statements
            expected = contents(url)
        every_statement = range(1, statements + 1)
        drawn = every_statement if pytestconfig.getoption("faults") == "all" else spread(statements, operation, fault)
        for at in drawn:
            shutil.rmtree(store, ignore_errors=True)
            if kept.exists():
                shutil.copytree(kept, store)
            with databases.clone(ready) as url:
                with failing(url, fault, at) as broken, suppress(Exception):
                    operation(broken.url, store)
                operation(url, store)
                assert contents(url) == expected, f"{operation.__name__}, {fault.name} at statement {at}"


def spread(statements: int, operation: Callable[[str, Path], None], fault: Fault) -> list[int]:
    """Some statements, other ones for each operation and fault."""
    seed = sum(f"{operation.__name__} {fault.name}".encode())
    return sorted({1 + (seed * 7 + each * statements // DRAWN) % statements for each in range(DRAWN)})
