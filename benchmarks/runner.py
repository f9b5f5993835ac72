"""Runs benchmarks: a server, a database for each side, both sides in turn, and medians with their ratio.

What is measured, and against what, is in the other modules.
"""

from __future__ import annotations

import argparse
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

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
        prepare: fills a database, of which each measurement gets a copy; without it, each fills its own.
    """

    name: str
    what: str
    against: str
    goal: str
    unit: str
    ours: Callable[[str, Scale], Measure]
    theirs: Callable[[str, Scale], Measure]
    needs: str | None = None
    prepare: Callable[[str, Scale], None] | None = None


@dataclass
class Server:
    """A server on which databases with the schema are made."""

    url: str
    _numbers: Iterator[int] = field(default_factory=count)
    _prepared: dict[Callable[[str, Scale], None], str] = field(default_factory=dict)
    _kept: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Server:
        """Keep what `prepared` makes until the end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Drop the prepared databases."""
        self._kept.close()

    def prepared(self, prepare: Callable[[str, Scale], None], scale: Scale) -> str:
        """Return the name of a database that was prepared like this. It is made once, and is there to be copied."""
        if prepare not in self._prepared:
            url = self._kept.enter_context(self.database())
            prepare(url, scale)
            self._prepared[prepare] = str(conninfo_to_dict(url)["dbname"])
        return self._prepared[prepare]

    @contextmanager
    def database(self, original: str = "template0") -> Iterator[str]:
        """Make a database with the schema, a copy of the original, and yield its URL. It is dropped at the end."""
        name = f"yumai_benchmark_{next(self._numbers)}"
        with psycopg.connect(self.url, autocommit=True) as admin:
            drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            admin.execute(drop)
            create = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
            admin.execute(create.format(sql.Identifier(name), sql.Identifier(original)))
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
        with Server(url) as server:
            yield server
        return
    with TemporaryDirectory(prefix="yumai-benchmarks-") as home:
        Path(home).chmod(0o755)  # the account that runs the server must be able to enter
        local = LocalServer(Path(home))
        local.start()
        try:
            with Server(local.url("postgres")) as server:
                yield server
        finally:
            local.stop()


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
        print(f"PostgreSQL {version}, scale {arguments.scale}, medians of {arguments.rounds} (least to most)\n")
        print("| what | ours | against | theirs | ratio | to reach |")
        print("|---|---|---|---|---|---|")
        for benchmark in chosen:
            if server.lacks(benchmark.needs):
                print(f"| {benchmark.what} | | {benchmark.against} | not on this server | | {benchmark.goal} |")
            else:
                print(_row(benchmark, server, arguments.scale, arguments.rounds), flush=True)


def _row(benchmark: Benchmark, server: Server, scale: Scale, rounds: int) -> str:
    sides: tuple[list[Measure], list[Measure]] = ([], [])
    original = server.prepared(benchmark.prepare, scale) if benchmark.prepare else "template0"
    for _ in range(rounds):
        for measures, side in zip(sides, (benchmark.ours, benchmark.theirs), strict=True):
            with server.database(original) as url:
                measures.append(side(url, scale))
    ours, theirs = (median(each.value for each in measures) for measures in sides)
    shown = [_show(measures, benchmark.unit) for measures in sides]
    ratio = f"{theirs / ours:,.1f} ×" if ours else "–"
    return f"| {benchmark.what} | {shown[0]} | {benchmark.against} | {shown[1]} | {ratio} | {benchmark.goal} |"


def _show(measures: Sequence[Measure], unit: str) -> str:
    values = [each.value for each in measures]
    spread = [f"{min(values):,.1f} to {max(values):,.1f}"] if len(values) > 1 else []
    remarks = "; ".join(spread + list(dict.fromkeys(each.remarks for each in measures if each.remarks)))
    return f"{median(values):,.1f} {unit}" + (f" ({remarks})" if remarks else "")


def seconds(work: Callable[[], object]) -> float:
    """Return how many seconds the work takes."""
    started = time.monotonic()
    work()
    return time.monotonic() - started
