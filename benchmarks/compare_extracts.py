"""Compares every cell of every extract with pandas over the raw rows, on two years of the demonstration.

`python -m benchmarks.compare_extracts` compares 200,000 recommendations or more, which takes minutes. It is not part of
the tests, which compare the extracts on dirty rows. Exit status 1 if a cell differs.
"""

from __future__ import annotations

import argparse
import sys
from datetime import datetime
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from benchmarks.runner import running_server, seconds
from tests.extracts.oracle import differences, expected, extracted
from yumai_pipelines.demo.generate import Size, generate
from yumai_pipelines.demo.load import fill
from yumai_pipelines.extracts.build import Privacy, build_months
from yumai_pipelines.model.lock_policy import LockPolicy
from yumai_pipelines.model.months import Month
from yumai_pipelines.model.registry import EXTRACTS
from yumai_pipelines.postgres.connections import connect

SEOUL = ZoneInfo("Asia/Seoul")
SECRET = "x" * 32
MONTHS = [*Month(2024, 8).through(Month(2024, 8) + 23)]
NOW = MONTHS[-1].end(SEOUL)


def main() -> int:
    """Fill, build and compare, and print how many cells differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=160_000, help="of the demonstration (160000)")
    sessions = parser.parse_args().sessions
    differing = 0
    with running_server(None) as server, server.database() as url, connect(url, application_name="compare") as owner:
        fill(owner, generate(Size(sessions, len(MONTHS)), until=NOW, zone=SEOUL))
        privacy = Privacy(SecretStr(SECRET))
        took = seconds(lambda: build_months([owner], EXTRACTS, MONTHS, SEOUL, privacy, LockPolicy()))
        print(f"built in {took:.1f} s; pandas is at work …", flush=True)
        started = datetime.now(SEOUL)
        wanted = expected(owner, MONTHS, SEOUL, SECRET)
        print(f"pandas took {(datetime.now(SEOUL) - started).total_seconds():.1f} s")
        for extract in EXTRACTS:
            found = extracted(owner, extract)
            told = differences(found, wanted[extract.relation.name], extract.key)
            print(
                f"{extract.relation}: {len(found):,} rows, {found.size:,} cells, {len(told):,} differ",
                *told[:5],
                sep="\n  ",
            )
            differing += len(told)
    return int(differing > 0)


if __name__ == "__main__":
    sys.exit(main())
