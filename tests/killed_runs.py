"""Runs that are killed at each of their steps and begun again: the life of a month, an erasure, an adoption.

`killed` starts `python -m tests.killed_runs RUN URL ARGUMENT 1 0`, which begins the run again and again, each time in a
new process. That kills itself at the first step at which no process was killed before. The last one reaches the end.
Where the steps are many, a drawn part of them is enough: one in so many, which ones is told by a checksum of each.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING
from zlib import crc32
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from tests.processes import PATIENCE, started
from yumai_pipelines import adoption
from yumai_pipelines.archives.archive import archive_months
from yumai_pipelines.archives.restore import restore_month
from yumai_pipelines.archives.store import Store
from yumai_pipelines.erasure.erase import erase_user
from yumai_pipelines.model.lock_policy import LockPolicy
from yumai_pipelines.model.months import Month
from yumai_pipelines.partitions import archived
from yumai_pipelines.partitions.ensure import ensure_months
from yumai_pipelines.postgres.connections import connect
from yumai_pipelines.postgres.transactions import STEP_EVENT
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SEOUL = ZoneInfo("Asia/Seoul")
POLICY = LockPolicy(timedelta(milliseconds=100), timedelta(seconds=30))
AS_OF = datetime(2025, 6, 15, tzinfo=SEOUL)
AUGUST = Month(2024, 8)
OTHERS = [Month(2024, 9), Month(2024, 11)]
ADOPTED_AS_OF = datetime(2025, 4, 1, 10, tzinfo=UTC)
END = "the end"


class StepKiller:
    """Kills at each step once.

    Steps of different months are the same step. With `strict`, steps of different stages are different steps. If the
    pattern `of_interest` is set, only steps that match it count, and those of each month count separately. Only
    steps count that are drawn.
    """

    def __init__(
        self, kill: Callable[[str], None], *, strict: bool, drawn: Callable[[str], bool] = lambda _: True
    ) -> None:
        self.stage = ""
        self.of_interest: str | None = None
        self.met: set[str] = set()
        self._kill = kill
        self._strict = strict
        self._drawn = drawn
        # If two connections reach a step at the same time, one kills, and the other has to wait for the next run.
        self._one_at_a_time = threading.Lock()

    def on_audit(self, event: str, arguments: tuple[object, ...]) -> None:
        if event == STEP_EVENT and self.stage:
            step = str(arguments[0])
            if self.of_interest is None:
                step = re.sub(r"[0-9]{4}.[0-9]{2}", "month", step)
            elif not re.search(self.of_interest, step):
                return
            step = f"{self.stage}: {step}" if self._strict else step
            with self._one_at_a_time:
                if step not in self.met and self._drawn(step):
                    self.met.add(step)
                    self._kill(step)


def make_archive_and_restore(url: str, store: str, killer: StepKiller) -> None:
    """Make the months, archive August, and bring it back, unless earlier runs have done it."""
    with connect(url, application_name="test: to be killed") as owner:
        archive = archived.read(owner).get(AUGUST)
        if archive is None or archive.state != "restored":
            killer.stage = "make"
            months = OTHERS if archive else [AUGUST, *OTHERS]
            ensure_months(owner, months, zone=SEOUL, policy=POLICY, batch_rows=40)
            killer.stage = "archive"
            list(archive_months(owner, [AUGUST], store=Store.at(store), zone=SEOUL, policy=POLICY, kept=6, as_of=AS_OF))
        killer.stage = "restore"
        restore_month(owner, AUGUST, zone=SEOUL, policy=POLICY, batch_rows=40)
        killer.stage = ""


def erase(url: str, store: str, killer: StepKiller) -> None:
    """Erase the person whose external id is `person`."""
    with connect(url, application_name="test: to be killed") as owner:
        killer.stage = "erase"
        erase_user(
            owner,
            external_user_id="person",
            reason="asked for",
            run_id="test",
            zone=SEOUL,
            user_key_secrets=lambda: [SecretStr("secret")],
            store=Store.at(store),
            policy=POLICY,
        )
        killer.stage = ""


def adopt(url: str, steps: str, killer: StepKiller) -> None:
    """Adopt an older database. `steps` is a pattern of the steps at which to kill."""
    killer.of_interest, killer.stage = steps, "adopt"
    adoption.adopt(url, Settings(lock_patience_s=120), as_of=ADOPTED_AS_OF)
    killer.stage = ""


RUNS = {run.__name__: run for run in (make_archive_and_restore, erase, adopt)}


def killed(run: str, url: str, argument: object, *, one_in: int = 1) -> Iterator[str]:
    """Begin a run again and again until it comes to its end, and yield each step at which it was killed."""
    drawn = SystemRandom().randrange(one_in)
    with started(
        [sys.executable, "-m", "tests.killed_runs", run, url, str(argument), str(one_in), str(drawn)],
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=1,
    ) as process:
        assert process.stdin
        assert process.stdout
        for line in process.stdout:
            process.stdin.write(line)
            if line.strip() == END:
                break
            yield line.strip()
        assert process.wait(PATIENCE) == 0


def say(line: str) -> None:
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


def end_here(step: str) -> None:
    say(step)
    os.kill(os.getpid(), signal.SIGKILL)


def run_in_processes(run: str, url: str, argument: str, one_in: str, drawn: str) -> None:
    """Start one process after the other. Print each step, and read it back from stdin before the next process."""

    def is_drawn(step: str) -> bool:
        return crc32(step.encode()) % int(one_in) == int(drawn)

    killer = StepKiller(end_here, strict=True, drawn=is_drawn)
    sys.addaudithook(killer.on_audit)
    while True:
        pid = os.fork()
        if pid == 0:
            RUNS[run](url, argument, killer)
            say(END)
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        if os.waitstatus_to_exitcode(status) not in (0, -signal.SIGKILL):
            sys.exit("This run failed; what was wrong is said above.")
        answer = sys.stdin.readline().strip()
        if not answer or answer == END:
            return
        killer.met.add(answer)


if __name__ == "__main__":
    run_in_processes(*sys.argv[1:])
