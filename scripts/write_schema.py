"""Writes what a fresh install looks like: `sql/schema.sql`, `sql/catalogue.jsonl`, `sql/migrations/SHA256SUMS`.

Run it after adding a migration or changing a function (`make schema`). With --check it writes nothing, and fails when
one of the files is not what it would write.
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

import psycopg
from psycopg.conninfo import conninfo_to_dict

from yumai_pipelines.local.server import LocalServer, program
from yumai_pipelines.postgres.sql_files import sql_path
from yumai_pipelines.schema import snapshot
from yumai_pipelines.schema.upgrade import upgrade
from yumai_pipelines.settings import Settings

SCHEMAS = ("chatbot", "ml_features", "analytics", "extracts", "yumai_pipelines")


def dump(url: str) -> str:
    """The schema as pg_dump prints it, without what differs from one run or server to the next."""
    parts = conninfo_to_dict(url)
    dumped = subprocess.run(
        [program("pg_dump"), "--schema-only", *(f"--schema={name}" for name in SCHEMAS)],
        env={
            **os.environ,
            **{f"PG{key.upper()}": str(parts[key]) for key in ("host", "port", "user", "password")},
            "PGDATABASE": str(parts["dbname"]),
        },
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    varying = ("\\restrict", "\\unrestrict", "-- Dumped ")
    return "".join(line + "\n" for line in dumped.splitlines() if not line.startswith(varying))


def files() -> dict[Path, str]:
    """The text of each file that this script keeps."""
    migrations = sorted(sql_path("migrations").glob("*.sql"))
    with tempfile.TemporaryDirectory() as home:
        # The account under which root starts the server must be able to enter.
        Path(home).chmod(0o755)
        server = LocalServer(Path(home))
        server.start()
        try:
            upgrade(server.url(), Settings())
            with psycopg.connect(server.url(), autocommit=True) as connection:
                catalogue = snapshot.to_lines(snapshot.describe(connection))
            dumped = dump(server.url())
        finally:
            server.stop()
    root = sql_path()
    return {
        root / "schema.sql": dumped,
        root / snapshot.SHIPPED: catalogue,
        root / "migrations" / "SHA256SUMS": "".join(
            f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in migrations
        ),
    }


def main() -> int:
    """Write the files, or compare them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file is out of date")
    check = parser.parse_args().check
    stale = 0
    for path, text in files().items():
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        if old == text:
            continue
        stale += 1
        if check:
            diff = difflib.unified_diff(old.splitlines(True), text.splitlines(True), str(path), "a fresh install")
            sys.stdout.writelines(diff)
        else:
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"wrote {path}\n")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
