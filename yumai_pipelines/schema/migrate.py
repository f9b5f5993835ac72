"""Runs the migrations. Each file of `sql/migrations` is an Alembic revision, named by the number in its file name.

Migrations run in the order of their numbers, and only forward.
"""

from __future__ import annotations

from itertools import takewhile
from types import ModuleType
from typing import TYPE_CHECKING

from alembic.runtime.migration import MigrationContext, MigrationStep
from alembic.script import Script
from alembic.script.revision import RevisionMap

from yumai_pipelines.schema.migrations import Deploy, deploy_of, migration_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import sqlalchemy as sa


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
