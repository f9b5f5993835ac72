"""The life of a month: made, filled, archived and brought back; the end of what is known of a person; an adoption.

Each is told again from wherever it was broken off. Run as a program (`python -m tests.story tell URL STORE`, which
`killed` does), each telling is a process that ends itself with SIGKILL at the first step at which none has ended.
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
from typing import TYPE_CHECKING
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


class Fate:
    """Strikes once at each step; a step is the same for every month, and not the same in every chapter if `strict`.

    Where a pattern is set, `of_interest`, it strikes only at the steps that this is found in, for every month anew.
    """

    def __init__(self, strike: Callable[[str], None], *, strict: bool) -> None:
        self.chapter = ""
        self.of_interest: str | None = None
        self.met: set[str] = set()
        self._strike = strike
        self._strict = strict
        # Of two connections that are at a step at once, one is struck, and the other not before the next telling.
        self._one_at_a_time = threading.Lock()

    def on_audit(self, event: str, arguments: tuple[object, ...]) -> None:
        if event == STEP_EVENT and self.chapter:
            step = str(arguments[0])
            if self.of_interest is None:
                step = re.sub(r"[0-9]{4}.[0-9]{2}", "month", step)
            elif not re.search(self.of_interest, step):
                return
            step = f"{self.chapter}: {step}" if self._strict else step
            with self._one_at_a_time:
                if step not in self.met:
                    self.met.add(step)
                    self._strike(step)


def tell(url: str, store: str, fate: Fate) -> None:
    """Make the months, archive August, and bring it back, as far as that has not been done."""
    with connect(url, application_name="test: to be killed") as owner:
        archive = archived.read(owner).get(AUGUST)
        fate.chapter = "make"
        months = OTHERS if archive else [AUGUST, *OTHERS]
        ensure_months(owner, months, zone=SEOUL, policy=POLICY, batch_rows=40)
        if archive is None or archive.state != "restored":
            fate.chapter = "archive"
            list(archive_months(owner, [AUGUST], store=Store.at(store), zone=SEOUL, policy=POLICY, kept=6, as_of=AS_OF))
            fate.chapter = "restore"
            restore_month(owner, AUGUST, zone=SEOUL, policy=POLICY, batch_rows=40)
        fate.chapter = ""


def forget(url: str, store: str, fate: Fate) -> None:
    """Erase whoever is known outside as `person`."""
    with connect(url, application_name="test: to be killed") as owner:
        fate.chapter = "forget"
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
        fate.chapter = ""


def adopt(url: str, steps: str, fate: Fate) -> None:
    """Adopt an older database; the steps of interest are those that a pattern is found in."""
    fate.of_interest, fate.chapter = steps, "adopt"
    adoption.adopt(url, Settings(lock_patience_s=120), as_of=ADOPTED_AS_OF)
    fate.chapter = ""


STORIES = {story.__name__: story for story in (tell, forget, adopt)}


def killed(story: str, url: str, argument: object) -> Iterator[str]:
    """Tell a story until it comes to its end, and yield each step at which it was killed."""
    with started(
        [sys.executable, "-m", "tests.story", story, url, str(argument)],
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


def tell_in_processes(story: str, url: str, argument: str) -> None:
    """A telling after the other; whoever listens says the step back before the next begins."""
    fate = Fate(end_here, strict=True)
    sys.addaudithook(fate.on_audit)
    while True:
        pid = os.fork()
        if pid == 0:
            STORIES[story](url, argument, fate)
            say(END)
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        if os.waitstatus_to_exitcode(status) not in (0, -signal.SIGKILL):
            sys.exit("This telling failed; what was wrong stands above.")
        answer = sys.stdin.readline().strip()
        if not answer or answer == END:
            return
        fate.met.add(answer)


if __name__ == "__main__":
    tell_in_processes(*sys.argv[1:])
