"""What several tests of a world that is not ours share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.hostile.life import plant_world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Databases


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many statements of each operation were broken in each way, and whether all was well."""
    lines = [
        f"{operation:10} {fault:15} {drawn:5} of {statements:5} statements: {outcome}"
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
        for name, (operation, fault, drawn, statements) in report.user_properties
        if name == "faults"
    ]
    if lines:
        terminalreporter.section("faults")
        terminalreporter.write_line("\n".join(sorted(lines)))


@pytest.fixture(scope="module")
def world(databases: Databases, template: str) -> Iterator[str]:
    """The name of a database with rows, to be cloned."""
    with databases.create(template) as name:
        with psycopg.connect(databases.url(name), autocommit=True) as connection:
            plant_world(connection)
        yield name
