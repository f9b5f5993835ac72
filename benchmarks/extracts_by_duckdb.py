"""Builds the extracts in DuckDB: it reads the logs from PostgreSQL, and writes the extracts into it."""

from __future__ import annotations

import importlib.util
import json
import resource
import sys
import time
from pathlib import Path

import duckdb

from benchmarks.extracts import SECRET

STATEMENTS = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
EXTENSION = "duckdb_extension_postgres_scanner"


def padded(secret: str, byte: int) -> bytes:
    """Return one of the two keys of an HMAC-SHA-256."""
    return bytes(byte ^ each for each in secret.encode().ljust(64, b"\0"))


def connect(url: str) -> duckdb.DuckDBPyConnection:
    """Connect to DuckDB in memory, with the database attached by the extension that a wheel brings."""
    found = importlib.util.find_spec(EXTENSION)
    if found is None or found.origin is None:
        raise ModuleNotFoundError(EXTENSION)
    connection = duckdb.connect()
    connection.load_extension(str(next(Path(found.origin).parent.rglob("*.duckdb_extension"))))
    connection.execute(f"ATTACH {duckdb.ConstantExpression(url)} AS pg (TYPE postgres)")
    return connection


def main(url: str) -> None:
    """Make all five extracts in one transaction, and report seconds and memory."""
    started = time.monotonic()
    with connect(url) as connection:
        connection.execute("BEGIN")
        for statement in connection.extract_statements(STATEMENTS):
            parameters = {"ipad": padded(SECRET, 0x36), "opad": padded(SECRET, 0x5C)}
            connection.execute(statement, {name: parameters[name] for name in statement.named_parameters})
        connection.execute("COMMIT")
    took = time.monotonic() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"seconds": took, "peak_mib": peak}))


if __name__ == "__main__":
    main(sys.argv[1])
