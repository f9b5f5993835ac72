"""Adopts many drawn older databases, side by side: `python -m tests.adoption.many FIRST LAST PROCESSES DIRECTORY`.

What became of each is a line of `DIRECTORY/drawn.jsonl`. A failure ends nothing: it is such a line, too, with the
statements that make the database. A number that has a line is not drawn again, so a run may be stopped and begun again.
One of fifty lives on after its adoption. The last lines printed are the table of kinds, of all in the directory.
"""

from __future__ import annotations

import json
import logging
import re
import signal
import sys
import time
import traceback
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.adoption.drawn import draw
from tests.adoption.proving import bare_database, prove_adoption
from tests.conftest import Databases, running_server

Outcome = dict[str, Any]

LIVES_ON = 50
"""One of so many lives on afterwards, which takes as long as adopting ten."""
_PLACE: dict[str, Any] = {}


def begin(server_url: str) -> None:
    """Make what a process needs: a database to copy, which is dropped with the server."""
    logging.disable(logging.CRITICAL)  # The jobs of a life say much.
    _PLACE["databases"] = databases = Databases(server_url)
    _PLACE["kept"] = kept = ExitStack()
    _PLACE["bare"] = kept.enter_context(bare_database(databases))


def adopt_one(number: int) -> Outcome:
    """Draw and adopt the database of a number, and say what became of it."""
    started = time.monotonic()
    older = draw(number)
    outcome: Outcome = {"number": number, "changes": sorted(set(older.changes)), "killed_at": older.killed_at}
    try:
        with TemporaryDirectory() as directory:
            lives_on = Path(directory) if number % LIVES_ON == 0 else None
            outcome["became"] = prove_adoption(_PLACE["databases"], _PLACE["bare"], older, lives_on)
    except BaseException as error:  # What is said of one database must not hide the next.
        if isinstance(error, KeyboardInterrupt):
            raise
        outcome |= {"became": "failed", "error": traceback.format_exc(), "statements": older.statements}
    return outcome | {"seconds": round(time.monotonic() - started, 1)}


def read(file: Path) -> list[Outcome]:
    """What became of those that were drawn before."""
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def table(outcomes: list[Outcome]) -> str:
    """The kinds of changes, and what became of the databases that had each."""
    found = [({_kind(change) for change in each["changes"]}, each["became"]) for each in outcomes]
    kinds = sorted({kind for has, _ in found for kind in has})
    became = sorted({each for _, each in found})
    lines = [f"| in the database | {' | '.join(became)} |", "|---|" + "--:|" * len(became)]
    for kind in ["(all)", *kinds]:
        count = Counter(each for has, each in found if kind in {"(all)", *has})
        lines.append(f"| {kind} | {' | '.join(str(count[each]) for each in became)} |")
    return "\n".join(lines)


def _kind(change: str) -> str:
    """A change without the types, names and numbers that it is about."""
    change = re.sub(r"(column) .* as .*", r"\1 of another type", change)
    change = re.sub(r"(numbered): .*", r"\1 in another way", change)
    return re.sub(r"(own object: \w+ \w+).*", r"\1", change)


def main(first: int, last: int, processes: int, directory: Path) -> int:
    """Adopt those of the numbers that were not adopted before; return how many of all have failed."""
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / "drawn.jsonl"
    done = {each["number"] for each in read(file)}
    left = [number for number in range(first, last + 1) if number not in done]
    with (
        running_server("embedded") as url,
        ProcessPoolExecutor(processes, get_context("spawn"), begin, (url,)) as pool,
        file.open("a") as lines,
    ):
        drawn = [pool.submit(adopt_one, number) for number in left]
        try:
            for count, future in enumerate(as_completed(drawn), start=1):
                outcome = future.result()
                lines.write(json.dumps(outcome, ensure_ascii=False) + "\n")
                lines.flush()
                if outcome["became"] == "failed":
                    print(f"number {outcome['number']} failed: {outcome['error'].strip().splitlines()[-1]}", flush=True)
                if count % 50 == 0:
                    print(f"{count} of {len(left)}", flush=True)
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
    outcomes = read(file)
    print(table(outcomes))
    return sum(each["became"] == "failed" for each in outcomes)


if __name__ == "__main__":
    # What is started in the background ignores this signal otherwise.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    failed = main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
    sys.exit(f"{failed} failed" if failed else 0)
