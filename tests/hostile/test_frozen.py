"""Runs that are stopped in the middle: whoever waits for them goes on, and the run says what became of it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.processes import PATIENCE, started
from tests.support import wait_until

FREEZES = """
import os, signal, sys
from yumai_pipelines.model.lock_policy import LockPolicy
from yumai_pipelines.model.registry import CONVERSATIONS
from yumai_pipelines.postgres.connections import connect
from yumai_pipelines.postgres.locks import LockMode, TableLock
from yumai_pipelines.postgres.transactions import FrozenError, PatientTransactions

def freeze():
    os.kill(os.getpid(), signal.SIGSTOP)
    owner.execute("SELECT 1")

with connect(sys.argv[1], application_name="test: freezes") as owner:
    locks = [TableLock(CONVERSATIONS, LockMode[sys.argv[2]])]
    try:
        PatientTransactions(owner, LockPolicy()).run("freeze", locks, freeze)
    except FrozenError as error:
        print(error)
"""


@pytest.mark.parametrize("mode", ["SHARE_ROW_EXCLUSIVE", "ACCESS_EXCLUSIVE"])
def test_writers_go_on_while_a_run_is_frozen_in_its_transaction(database: str, mode: str) -> None:
    with started(
        [sys.executable, "-c", FREEZES, database, mode], cwd=Path(__file__).parents[2], stdout=subprocess.PIPE
    ) as frozen:
        wait_until(lambda: psutil.Process(frozen.pid).status() == psutil.STATUS_STOPPED)
        with psycopg.connect(database, options="-c statement_timeout=20s") as writer:
            writer.execute("LOCK TABLE chatbot.conversations IN ROW EXCLUSIVE MODE")
        frozen.send_signal(signal.SIGCONT)
        output, _ = frozen.communicate(timeout=PATIENCE)
    assert "Step 'freeze' did nothing in its transaction for so long that the server ended it" in output
