"""An analyst can run the queries of `docs/extracts.md`. A test of the schema checks that the page is up to date."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg

from tests.extracts.dirt import plant
from tests.extracts.support import MONTHS, ZONE, build
from tests.support import Connection, login

ROOT = Path(__file__).parents[2]


def test_every_query_gives_an_analyst_something(database: str, connection: Connection) -> None:
    plant(connection, MONTHS, ZONE, rows=300, seed=2)
    build(connection)
    queries = re.findall(r"```sql\n(.*?)```", (ROOT / "docs" / "extracts.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(queries) >= 7
    with login(connection, database, "IN ROLE yumai_analyst") as url, psycopg.connect(url) as analyst:
        for query in queries:
            assert analyst.execute(query.encode()).fetchall(), query
