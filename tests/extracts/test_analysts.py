"""Every command of `docs/analysts.md` runs as it is written there, as an analyst."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.extracts.dirt import plant
from tests.extracts.support import MONTHS, ZONE, build
from tests.processes import finished
from tests.support import Connection, one
from yumai_pipelines.local.server import program

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = (Path(__file__).parents[2] / "docs" / "analysts.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(sql|sh|python)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
LOGIN = "mina"


@pytest.fixture
def analyst(database: str, connection: Connection) -> Iterator[str]:
    """The URL of the analyst that the page makes."""
    plant(connection, MONTHS, ZONE, rows=120, seed=5)
    build(connection)
    name = f"{LOGIN}_{one(connection, 'SELECT pg_backend_pid()')}"
    connection.execute(BLOCKS[0][1].replace(LOGIN, name).encode())
    try:
        with psycopg.connect(database) as asked:
            place = f"{asked.info.host}:{asked.info.port}/{asked.info.dbname}"
        yield f"postgresql://{name}:choose%20another%20one@{place}"
    finally:
        connection.execute(f"DROP ROLE {name}".encode())


def test_every_command_runs(analyst: str, tmp_path: Path) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), str(program("psql").parent), os.environ["PATH"]])
    environment = os.environ | {"YUMAI_DATABASE_URL": analyst, "PATH": path, "PGSSLMODE": "prefer"}
    for language, block in BLOCKS[1:]:
        command = ["sh", "-ec", block] if language == "sh" else [sys.executable, "-c", block]
        done = finished(command, env=environment, cwd=tmp_path)
        assert done.returncode == 0, (block, done.stderr)
    assert sorted(each.name for each in tmp_path.iterdir() if each.is_file()) == [
        "shops.csv", "shops.csv.gz", "shops.parquet",
    ]  # fmt: skip
