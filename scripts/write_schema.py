"""Writes all files that are made from the migrations, the functions and the registry: `make schema`.

These are some lines of `sql/functions/clean_inactive_sessions.sql`; `sql/install.sql` and `sql/migrations/SHA256SUMS`;
`sql/migrations/LOCKS.jsonl`, which says what each migration locks;
`sql/schema.sql` and `sql/catalogue.jsonl`, which show a fresh install; and the data dictionary of the extracts,
`docs/extracts.md`. With --check it writes nothing, and fails if a file is not up to date.
"""

from __future__ import annotations

import argparse
import difflib
import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg.conninfo import conninfo_to_dict

from scripts.dictionary import DOCS, dictionary
from scripts.install_file import install_file
from scripts.last_rows import session_tables, with_last_rows
from scripts.locks import lock_lines
from yumai_pipelines.local.server import LocalServer, program
from yumai_pipelines.postgres.sql_files import sql_path
from yumai_pipelines.schema import snapshot
from yumai_pipelines.schema.migrations import migration_files
from yumai_pipelines.schema.plan import LOCKS
from yumai_pipelines.schema.upgrade import upgrade
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from yumai_pipelines.schema.snapshot import SchemaObject

SCHEMAS = ("chatbot", "ml_features", "analytics", "extracts", "yumai_pipelines")


def environment(url: str) -> dict[str, str]:
    """Return the environment in which PostgreSQL's programs connect to a URL."""
    parts = conninfo_to_dict(url)
    place = {f"PG{key.upper()}": str(parts[key]) for key in ("host", "port", "user", "password")}
    return {**os.environ, **place, "PGDATABASE": str(parts["dbname"])}


def copy_by_dump(url: str, empty: str) -> None:
    """Dump a database, and restore the dump into an empty one."""
    dumped = subprocess.run(
        [str(program("pg_dump")), "-Fc"], env=environment(url), capture_output=True, check=True
    ).stdout
    restore = [str(program("pg_restore")), "--exit-on-error", "-d", str(conninfo_to_dict(empty)["dbname"])]
    subprocess.run(restore, env=environment(empty), input=dumped, check=True)


def dump(url: str) -> str:
    """Return the schema as pg_dump prints it, without what differs between runs or servers."""
    command = [str(program("pg_dump")), "--schema-only", *(f"--schema={name}" for name in SCHEMAS)]
    dumped = subprocess.run(command, env=environment(url), capture_output=True, text=True, check=True).stdout
    varying = ("\\restrict", "\\unrestrict", "-- Dumped ")
    return "".join(line + "\n" for line in dumped.splitlines() if not line.startswith(varying))


def fresh_install() -> tuple[tuple[SchemaObject, ...], str, str]:
    """Install the files of `sql/` into an empty database, and return its objects, its dump, and what was locked."""
    with tempfile.TemporaryDirectory() as home:
        # The account that runs the server must be able to enter.
        Path(home).chmod(0o755)
        server = LocalServer(Path(home))
        server.start()
        try:
            upgrade(server.url(), Settings())
            with psycopg.connect(server.url(), autocommit=True) as connection:
                objects = snapshot.describe(connection)
                for name in ("restored", "stepwise"):
                    connection.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
            copy_by_dump(server.url(), server.url("restored"))
            with psycopg.connect(server.url("restored"), autocommit=True) as connection:
                objects = snapshot.with_restored(objects, snapshot.describe(connection))
            return objects, dump(server.url()), lock_lines(server.url("stepwise"))
        finally:
            server.stop()


def files() -> Iterator[tuple[Path, str]]:
    """Yield the path and text of each file. Write each file before asking for the next, which may be made from it."""
    root = sql_path()
    function = sql_path("functions", "clean_inactive_sessions.sql")
    yield function, with_last_rows(function.read_text(encoding="utf-8"), session_tables())
    yield root / "install.sql", install_file()
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in migration_files().values()]
    yield root / "migrations" / "SHA256SUMS", "".join(sums)
    objects, dumped, locks = fresh_install()
    yield root / "migrations" / LOCKS, locks
    yield root / "schema.sql", dumped
    yield root / snapshot.SHIPPED, snapshot.to_lines(objects)
    yield DOCS / "extracts.md", dictionary(objects)


def main() -> int:
    """Write the files, or check them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file is out of date")
    check = parser.parse_args().check
    stale = 0
    for path, text in files():
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        if old == text:
            continue
        stale += 1
        if check:
            diff = difflib.unified_diff(old.splitlines(True), text.splitlines(True), str(path), "what is written")
            sys.stdout.writelines(diff)
        else:
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"wrote {path}\n")
    if not check or not stale:
        return 0
    sys.stderr.write("These files are out of date: run `make schema`, and read what it changes.\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
