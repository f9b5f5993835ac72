"""Runs the migrations. Each file of `sql/migrations` is an Alembic revision, named by the number in its file name.

Migrations run in the order of their numbers, and only forward.
"""

from __future__ import annotations

import re
from enum import StrEnum
from itertools import takewhile
from types import ModuleType
from typing import TYPE_CHECKING

from alembic.runtime.migration import MigrationContext, MigrationStep
from alembic.script import Script
from alembic.script.revision import RevisionMap

from yumai_pipelines.postgres.sql_files import sql_path

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import sqlalchemy as sa


class Deploy(StrEnum):
    """When a migration runs: before or after the version of the application that brings it is deployed."""

    BEFORE = "before"
    AFTER = "after"


_DEPLOY = re.compile(r"^-- Deploy: (before|after)$", re.MULTILINE)
_FILE = re.compile(r"(\d{4})_\w+\.sql")


def migration_files() -> dict[str, Path]:
    """Return the files of the migrations by their revisions, in order.

    Raises:
        ValueError: a file has another kind of name, or the same number as another file.
    """
    files: dict[str, Path] = {}
    for path in sorted(sql_path("migrations").glob("*.sql")):
        name = _FILE.fullmatch(path.name)
        if name is None or name[1] in files:
            raise ValueError(f"{path.name}: a migration is named NNNN_what_it_does.sql, by a number of its own")
        files[name[1]] = path
    return files


def deploy_of(path: Path) -> Deploy:
    """When a migration runs. Those that landed before there was a mark add something, and run before."""
    found = _DEPLOY.search(path.read_text(encoding="utf-8"))
    return Deploy(found[1]) if found else Deploy.BEFORE


def migrate(connection: sa.Connection, *, before_deploy: bool = False) -> list[str]:
    """Run the migrations that have not run yet, in the connection's transaction.

    Args:
        connection: of SQLAlchemy.
        before_deploy: whether to stop at the first one that runs after the application is deployed.

    Returns:
        The revisions of the migrations that ran, in order.

    Raises:
        RevisionError: the database is at a revision that this version does not have.
    """
    ran: list[str] = []
    files = migration_files()

    def missing(heads: tuple[str, ...], _: MigrationContext) -> list[MigrationStep]:
        scripts = _scripts(connection, ran)
        revisions = RevisionMap(scripts.values)
        found = revisions.iterate_revisions("heads", heads or "base", implicit_base=True)
        wanted = [scripts[each.revision] for each in reversed([*found])]
        if before_deploy:
            wanted = [*takewhile(lambda each: deploy_of(files[each.revision]) is Deploy.BEFORE, wanted)]
        return [MigrationStep.upgrade_from_script(revisions, each) for each in wanted]

    options = {"fn": missing, "version_table_schema": "yumai_pipelines"}
    MigrationContext.configure(connection, opts=options).run_migrations()
    return ran


def _scripts(connection: sa.Connection, ran: list[str]) -> dict[str, Script]:
    """Make what Alembic needs for each revision: the revision before it, and a function that runs it."""
    scripts: dict[str, Script] = {}
    for revision, path in migration_files().items():
        module = ModuleType(f"migration_{revision}")
        vars(module).update(down_revision=next(reversed(scripts), None), upgrade=_upgrade(connection, path, ran))
        scripts[revision] = Script(module, revision, path)
    return scripts


def _upgrade(connection: sa.Connection, path: Path, ran: list[str]) -> Callable[[], None]:
    """The function that runs a file; Alembic writes its name to the log."""

    def upgrade() -> None:
        _run(connection, path)
        ran.append(path.name[:4])

    return upgrade


def _run(connection: sa.Connection, path: Path) -> None:
    """Run a file. SQLAlchemy would take colons in it for parameters, the driver's cursor does not."""
    cursor = connection.connection.cursor()
    cursor.execute(path.read_bytes())
    cursor.close()
