"""Leaves out, and says so, what there is no library for on this machine. Tells what became of killed workers."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from tests.support import recorded

if TYPE_CHECKING:
    import pytest

collect_ignore = [] if find_spec("helm_python") else ["test_chart.py"]


def pytest_report_header() -> list[str]:
    """Return a line about the files that are left out."""
    return [f"tests/deploy: no {name}, since helm-python-sdk is not here" for name in collect_ignore]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was killed, when, how soon that was noticed, how its runs ended, and how many rows were compared."""
    kills = recorded(terminalreporter, "kill")
    if kills:
        terminalreporter.section("kills")
        terminalreporter.write_line("| job | killed while it | noticed after | its runs | compared |")
        terminalreporter.write_line("|---|---|--:|---|--:|")
    for kill in kills:
        terminalreporter.write_line(f"| {' | '.join(str(each).replace('|', ' ') for each in kill)} |")
