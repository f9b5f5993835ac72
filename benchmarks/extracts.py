"""Compares the pipeline's build of all five extracts of 24 months with the bare SQL in psql and with pandas."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

from benchmarks.runner import Benchmark, Measure, Scale, seconds
from yumai_pipelines.extracts.build import SERVER_SETTINGS, month_parameters
from yumai_pipelines.extracts.code import STAGES
from yumai_pipelines.local.server import program
from yumai_pipelines.model.months import Month
from yumai_pipelines.model.registry import EXTRACTS
from yumai_pipelines.postgres.sql_files import read_sql

SEOUL = ZoneInfo("Asia/Seoul")
MONTHS = list(Month(2024, 8).through(Month(2024, 8) + 23))
RECOMMENDATIONS = {Scale.SMALL: 50_000, Scale.MEDIUM: 500_000, Scale.LARGE: 5_000_000}
SECRET = "x" * 32
HERE = Path(__file__).parent


def fill(url: str, scale: Scale) -> None:
    """Fill the logs with two years of rows."""
    with psycopg.connect(url, autocommit=True) as admin:
        for statement in (HERE / "fill_logs.sql").read_text(encoding="utf-8").split(";"):
            admin.execute(statement.encode(), {"recommendations": RECOMMENDATIONS[scale]})


def in_a_process(module: str, url: str, scale: Scale) -> Measure:
    """Run a module in a process of its own, which reports its seconds and its peak memory."""
    fill(url, scale)
    return report_of(start(module, url), scale)


def start(module: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a module in a process of its own."""
    environment = {**os.environ, "YUMAI_USER_KEY_SECRET": SECRET}
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments], env=environment, stdout=subprocess.PIPE, text=True
    )


def report_of(process: subprocess.Popen[str], scale: Scale) -> Measure:
    """Wait for a process of `start`, and return what it reports."""
    printed, _ = process.communicate()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    report = json.loads(printed.splitlines()[-1])
    return Measure(report["seconds"], f"{RECOMMENDATIONS[scale]:,} recommendations; Python {report['peak_mib']:,} MiB")


def ours(url: str, scale: Scale) -> Measure:
    """Materialize Dagster's assets over all months in one run."""
    return in_a_process("benchmarks.extracts_by_dagster", url, scale)


def by_pandas(url: str, scale: Scale) -> Measure:
    """Build the extracts with pandas, as one would in a notebook."""
    return in_a_process("benchmarks.extracts_by_pandas", url, scale)


def by_psql(url: str, scale: Scale) -> Measure:
    """Run only the SQL statements, in one transaction."""
    fill(url, scale)
    with NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(bare_sql(url))
        script.flush()
        command = [str(program("psql")), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", script.name, url]
        return Measure(seconds(lambda: subprocess.run(command, check=True)))


def bare_sql(url: str) -> str:
    """Return the statements that a DBA would paste, without ledger, locks or refusals."""
    parameters: dict[str, Any] = {
        **month_parameters(MONTHS, SEOUL),
        "user_key_secret": SECRET,
        "min_group_users": 1,
    }
    statements = [read_sql("extracts", stage) for stage in STAGES if stage != "stage_sources.sql"]
    statements += [read_sql("extracts", each.relation.name, "insert_months.sql") for each in EXTRACTS]
    with psycopg.connect(url) as connection:
        cursor = psycopg.ClientCursor(connection)
        texts = [cursor.mogrify(text.encode(), parameters) for text in statements]
    for place, table in ((1, "staged_recommendations"), (3, "staged_feedback"), (5, "staged_opinions")):
        texts.insert(place, f"ANALYZE {table}")
    settings = [f"SET LOCAL {name} = '{value}'" for name, value in SERVER_SETTINGS.items()]
    script = ["BEGIN", *settings, *texts, "COMMIT", ""]
    return ";\n".join(script)


EXTRACTS_BY_SQL = Benchmark(
    "extracts",
    "all five extracts, 24 months",
    "the bare SQL run by psql",
    "≤ 1.25 × bare SQL; the same memory at every scale, < 350 MiB",
    "s",
    ours,
    by_psql,
)
EXTRACTS_BY_PANDAS = Benchmark(
    "extracts-pandas",
    "all five extracts, 24 months",
    "pandas: read_sql, groupby, to_sql",
    "≥ 10 × faster",
    "s",
    ours,
    by_pandas,
)
