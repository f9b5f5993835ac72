"""Runs the migrations. Each file of `sql/migrations` is an Alembic revision, named by the number in its file name.

Migrations run in the order of their numbers, and only forward.
"""

from __future__ import annotations

import re
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


def migrate(connection: sa.Connection) -> list[str]:
    """Run the migrations that have not run yet, in the connection's transaction.

    Returns:
        The revisions of the migrations that ran, in order.

    Raises:
        RevisionError: the database is at a revision that this version does not have.
    """
    ran: list[str] = []

    def missing(heads: tuple[str, ...], _: MigrationContext) -> list[MigrationStep]:
        scripts = _scripts(connection, ran)
        revisions = RevisionMap(scripts.values)
        found = revisions.iterate_revisions("heads", heads or "base", implicit_base=True)
        return [MigrationStep.upgrade_from_script(revisions, scripts[each.revision]) for each in reversed([*found])]

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
        # SQLAlchemy would take colons in the file for parameters, the driver's cursor does not.
        cursor = connection.connection.cursor()
        cursor.execute(path.read_bytes())
        cursor.close()
        ran.append(path.name[:4])

    return upgrade
