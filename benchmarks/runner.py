"""Runs benchmarks: a server, a database for each side, both sides in turn, and medians with their ratio.

What is measured, and against what, is in the other modules.
"""

from __future__ import annotations

import argparse
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from yumai_pipelines.local.server import LocalServer
from yumai_pipelines.postgres.connections import with_database
from yumai_pipelines.schema.upgrade import upgrade
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


class Scale(StrEnum):
    """How much data is used. `large` must fit a machine with 2 cores and 24 GiB."""

    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"


@dataclass(frozen=True)
class Measure:
    """The result of one side.

    Attributes:
        value: the measured value.
        remarks: what else there is to know, such as inserts that failed.
    """

    value: float
    remarks: str = ""


@dataclass(frozen=True)
class Benchmark:
    """One row of the table.

    Attributes:
        name: name on the command line.
        what: what is measured.
        against: what it is compared with.
        goal: the result to reach.
        unit: unit of the measured values, of which less is better.
        ours: measures our side, on a database of its own.
        theirs: measures the other side, on a database of its own.
        needs: the extension that the other side needs, if any.
    """

    name: str
    what: str
    against: str
    goal: str
    unit: str
    ours: Callable[[str, Scale], Measure]
    theirs: Callable[[str, Scale], Measure]
    needs: str | None = None


@dataclass
class Server:
    """A server on which databases with the schema are made."""

    url: str
    _numbers: Iterator[int] = field(default_factory=count)

    @contextmanager
    def database(self) -> Iterator[str]:
        """Make a database with the schema and without rows, and yield its URL. It is dropped at the end."""
        name = f"yumai_benchmark_{next(self._numbers)}"
        with psycopg.connect(self.url, autocommit=True) as admin:
            drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            admin.execute(drop)
            admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
            try:
                url = with_database(self.url, name)
                upgrade(url, Settings())
                yield url
            finally:
                admin.execute(drop)

    def lacks(self, extension: str | None) -> bool:
        """Return whether an extension is needed that is not available on this server."""
        with psycopg.connect(self.url) as connection:
            query = "SELECT FROM pg_available_extensions WHERE name = %s"
            return extension is not None and connection.execute(query, (extension,)).fetchone() is None


@contextmanager
def running_server(url: str | None) -> Iterator[Server]:
    """Yield the server at this URL, or start an embedded one for this run."""
    if url is not None:
        yield Server(url)
        return
    with TemporaryDirectory(prefix="yumai-benchmarks-") as home:
        Path(home).chmod(0o755)  # the account that runs the server must be able to enter
        server = LocalServer(Path(home))
        server.start()
        try:
            yield Server(server.url("postgres"))
        finally:
            server.stop()


def run(benchmarks: Sequence[Benchmark]) -> None:
    """Run the benchmarks that the command line names, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(each.name for each in benchmarks)}; all without any")
    parser.add_argument("--scale", type=Scale, choices=list(Scale), default=Scale.SMALL)
    parser.add_argument("--rounds", type=int, default=1, help="how often both sides are measured (1)")
    parser.add_argument("--postgres", help="libpq URL of a superuser; an embedded server without it")
    arguments = parser.parse_args()
    chosen = [each for each in benchmarks if not arguments.names or each.name in arguments.names]
    if unknown := set(arguments.names) - {each.name for each in benchmarks}:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    with running_server(arguments.postgres) as server:
        with psycopg.connect(server.url) as connection:
            version = connection.info.parameter_status("server_version")
        print(f"PostgreSQL {version}, scale {arguments.scale}, medians of {arguments.rounds}\n")
        print("| what | ours | against | theirs | ratio | to reach |")
        print("|---|---|---|---|---|---|")
        for benchmark in chosen:
            if server.lacks(benchmark.needs):
                print(f"| {benchmark.what} | | {benchmark.against} | not on this server | | {benchmark.goal} |")
            else:
                print(_row(benchmark, server, arguments.scale, arguments.rounds), flush=True)


def _row(benchmark: Benchmark, server: Server, scale: Scale, rounds: int) -> str:
    sides: tuple[list[Measure], list[Measure]] = ([], [])
    for _ in range(rounds):
        for measures, side in zip(sides, (benchmark.ours, benchmark.theirs), strict=True):
            with server.database() as url:
                measures.append(side(url, scale))
    ours, theirs = (median(each.value for each in measures) for measures in sides)
    shown = [_show(measures, benchmark.unit) for measures in sides]
    ratio = f"{theirs / ours:,.1f} ×" if ours else "–"
    return f"| {benchmark.what} | {shown[0]} | {benchmark.against} | {shown[1]} | {ratio} | {benchmark.goal} |"


def _show(measures: Sequence[Measure], unit: str) -> str:
    remarks = "; ".join(dict.fromkeys(each.remarks for each in measures if each.remarks))
    return f"{median(each.value for each in measures):,.1f} {unit}" + (f" ({remarks})" if remarks else "")


def seconds(work: Callable[[], object]) -> float:
    """Return how many seconds the work takes."""
    started = time.monotonic()
    work()
    return time.monotonic() - started
