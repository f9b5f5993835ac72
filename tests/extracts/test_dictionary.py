"""`docs/extracts.md` is what the comments say, and its queries run as an analyst."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import psycopg

from tests.extracts.dirt import plant
from tests.extracts.support import MONTHS, ZONE, build
from tests.processes import finished
from tests.support import Connection, login

ROOT = Path(__file__).parents[2]


def test_the_dictionary_is_up_to_date() -> None:
    script = ROOT / "scripts" / "write_dictionary.py"
    check = finished([sys.executable, str(script), "--check"])
    assert check.returncode == 0, check.stderr


def test_every_query_gives_an_analyst_something(database: str, connection: Connection) -> None:
    plant(connection, MONTHS, ZONE, rows=300, seed=2)
    build(connection)
    queries = re.findall(r"```sql\n(.*?)```", (ROOT / "docs" / "extracts.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(queries) >= 7
    with login(connection, database, "IN ROLE yumai_analyst") as url, psycopg.connect(url) as analyst:
        for query in queries:
            assert analyst.execute(query.encode()).fetchall(), query
