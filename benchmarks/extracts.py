"""Compares the pipeline's build of all extracts of 24 months with the bare SQL, DuckDB, pandas and the floor."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import psycopg
from psycopg import sql

from benchmarks.runner import Benchmark, Measure, Scale, seconds
from yumai_pipelines.extracts.build import SERVER_SETTINGS, month_parameters
from yumai_pipelines.extracts.code import STAGES, statement_of
from yumai_pipelines.local.server import program
from yumai_pipelines.model.calendar import first_days
from yumai_pipelines.model.months import Month
from yumai_pipelines.model.registry import EXTRACTS, FEEDBACK, SESSIONS
from yumai_pipelines.model.registry import RECOMMENDATIONS as RECOMMENDATION_LOG
from yumai_pipelines.postgres.sql_files import read_sql

if TYPE_CHECKING:
    from collections.abc import Sequence

SEOUL = ZoneInfo("Asia/Seoul")
MONTHS = list(Month(2024, 8).through(Month(2024, 8) + 23))
RECOMMENDATIONS = {Scale.SMALL: 50_000, Scale.MEDIUM: 500_000, Scale.LARGE: 5_000_000}
SECRET = "x" * 32
HERE = Path(__file__).parent
FLOAT8 = psycopg.postgres.types["float8"]


def fill(url: str, scale: Scale) -> None:
    """Fill the logs with two years of rows."""
    with psycopg.connect(url, autocommit=True) as admin:
        for statement in (HERE / "fill_logs.sql").read_text(encoding="utf-8").split(";"):
            admin.execute(statement.encode(), {"recommendations": RECOMMENDATIONS[scale]})


def in_a_process(module: str, url: str, scale: Scale) -> Measure:
    """Run a module in a process of its own, which reports its seconds and its peak memory."""
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
    make_partitions(url)
    return in_a_process("benchmarks.extracts_by_pandas", url, scale)


def by_duckdb(url: str, scale: Scale) -> Measure:
    """Build the extracts in DuckDB, and see that it did the same work: every cell is as in ours."""
    make_partitions(url)
    measure = in_a_process("benchmarks.extracts_by_duckdb", url, scale)
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("CREATE SCHEMA theirs")
        for extract in EXTRACTS:
            built = extract.relation.identifier
            kept = sql.Identifier("theirs", extract.relation.name)
            admin.execute(sql.SQL("CREATE TABLE {} AS TABLE {}").format(kept, built))
            admin.execute(sql.SQL("TRUNCATE {}").format(built))
        run_psql(url)
        for extract in EXTRACTS:
            mine, theirs = (rows_of(admin, schema, extract.relation.name) for schema in ("extracts", "theirs"))
            compare = sql.SQL("({0} EXCEPT ALL {1}) UNION ALL ({1} EXCEPT ALL {0}) LIMIT 1").format(mine, theirs)
            differing = admin.execute(compare).fetchone()
            if differing is not None:
                raise AssertionError(f"{extract.relation} of DuckDB is another: {differing}")
    return measure


def make_partitions(url: str) -> None:
    """Make the partitions of all months, with their indexes, for a side that writes into what is there."""
    with psycopg.connect(url, autocommit=True) as admin:
        for month in MONTHS:
            partition = sql.Identifier("extracts", f"recommendation_outcomes_{month.suffix}")
            create = "CREATE TABLE {} PARTITION OF extracts.recommendation_outcomes FOR VALUES FROM ({}) TO ({})"
            bounds = map(sql.Literal, first_days([month, month + 1]))
            admin.execute(sql.SQL(create).format(partition, *bounds))


def rows_of(connection: psycopg.Connection, schema: str, name: str) -> sql.Composed:
    """Return a query of a table's rows, with doubles to nine places: their last bits depend on the order of a sum."""
    table = sql.Identifier(schema, name)
    columns = connection.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(table)).description or ()
    shown = (
        sql.SQL("round({}::numeric, 9)" if each.type_code == FLOAT8.oid else "{}").format(sql.Identifier(each.name))
        for each in columns
    )
    return sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(shown), table)


def floor(url: str, _: Scale) -> Measure:
    """Read the logs once, write the extracts once by COPY into the partitions of each month, and do nothing else."""
    make_partitions(url)
    run_psql(url)
    logs = [each.identifier for each in (RECOMMENDATION_LOG, FEEDBACK, SESSIONS)]
    extracts = [each.relation.identifier for each in EXTRACTS]
    with psycopg.connect(url, autocommit=True) as admin, TemporaryDirectory() as directory:

        def read(tables: Sequence[sql.Identifier], into: Sequence[Path]) -> None:
            for table, path in zip(tables, into, strict=True):
                query = sql.SQL("COPY (TABLE {}) TO STDOUT (FORMAT binary)").format(table)
                with admin.cursor().copy(query) as rows, path.open("wb") as file:
                    for block in rows:
                        file.write(block)

        def write(tables: Sequence[sql.Identifier], kept: Sequence[Path]) -> None:
            for table, path in zip(tables, kept, strict=True):
                query = sql.SQL("COPY {} FROM STDIN (FORMAT binary)").format(table)
                with path.open("rb") as file, admin.cursor().copy(query) as rows:
                    while block := file.read(1 << 20):
                        rows.write(block)

        kept = [Path(directory, each.relation.name) for each in EXTRACTS]
        read(extracts, kept)
        for table in extracts:
            admin.execute(sql.SQL("TRUNCATE {}").format(table))
        reading = seconds(lambda: read(logs, [Path(os.devnull)] * len(logs)))
        writing = seconds(lambda: write(extracts, kept))
    return Measure(reading + writing, f"reading {reading:.1f}, writing {writing:.1f}")


def by_psql(url: str, _: Scale) -> Measure:
    """Run only the SQL statements, in one transaction."""
    make_partitions(url)
    return Measure(seconds(lambda: run_psql(url)))


def run_psql(url: str) -> None:
    """Run the SQL statements of `bare_sql`."""
    with NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(bare_sql(url))
        script.flush()
        command = [str(program("psql")), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", script.name, url]
        subprocess.run(command, check=True)


def bare_sql(url: str) -> str:
    """Return the statements that a DBA would paste, without ledger, locks or refusals."""
    parameters: dict[str, Any] = {
        **month_parameters(MONTHS, SEOUL),
        "user_key_secret": SECRET,
        "min_group_users": 1,
    }
    stages = [sql.SQL(read_sql("extracts", stage)) for stage in STAGES if stage != "stage_sources.sql"]
    with psycopg.connect(url) as connection:
        cursor = psycopg.ClientCursor(connection)
        statements: list[sql.SQL | sql.Composed] = [
            *stages,
            *(statement_of(each, "insert_months.sql") for each in EXTRACTS),
        ]
        texts = [cursor.mogrify(text, parameters) for text in statements]
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
    prepare=fill,
)
EXTRACTS_BY_PANDAS = Benchmark(
    "extracts-pandas",
    "all five extracts, 24 months",
    "pandas: read_sql, groupby, to_sql",
    "≥ 12 × faster",
    "s",
    ours,
    by_pandas,
    prepare=fill,
)
EXTRACTS_BY_DUCKDB = Benchmark(
    "extracts-duckdb",
    "all five extracts, 24 months",
    "DuckDB, reading from and writing to the same server; every cell compared",
    "≥ 1.3 × faster",
    "s",
    ours,
    by_duckdb,
    prepare=fill,
)
EXTRACTS_FLOOR = Benchmark(
    "extracts-floor",
    "all five extracts, 24 months",
    "the floor: the logs read once and the extracts written once, by COPY on one connection",
    "how far from it",
    "s",
    ours,
    floor,
    prepare=fill,
)
