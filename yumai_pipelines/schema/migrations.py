"""The migrations: the files of `sql/migrations`, each named by the number of its revision."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from yumai_pipelines.postgres.sql_files import sql_path

if TYPE_CHECKING:
    from pathlib import Path


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
