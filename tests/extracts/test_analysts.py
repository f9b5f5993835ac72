"""Every command of `docs/analysts.md` runs as it is written there, as an analyst."""

from __future__ import annotations

import os
import re
import sys
from importlib.metadata import requires
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import psycopg
import pytest
from nbclient import NotebookClient
from packaging.requirements import Requirement

from tests.extracts.dirt import plant
from tests.extracts.support import MONTHS, ZONE, build
from tests.processes import finished
from tests.support import Connection, one
from yumai_pipelines.local.server import program

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "analysts.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(sql|sh|python)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
LOGIN = "mina"


@pytest.fixture
def analyst(database: str, connection: Connection) -> Iterator[str]:
    """The URL of the analyst that the page makes."""
    plant(connection, MONTHS, ZONE, rows=120, seed=5)
    build(connection)
    name = f"{LOGIN}_{one(connection, 'SELECT pg_backend_pid()')}"
    connection.execute(BLOCKS[0][1].replace(LOGIN, name).encode())
    try:
        with psycopg.connect(database) as asked:
            place = f"{asked.info.host}:{asked.info.port}/{asked.info.dbname}"
        yield f"postgresql://{name}:choose%20another%20one@{place}"
    finally:
        connection.execute(f"DROP ROLE {name}".encode())


def test_every_command_runs(analyst: str, tmp_path: Path) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), str(program("psql").parent), os.environ["PATH"]])
    environment = os.environ | {"YUMAI_DATABASE_URL": analyst, "PATH": path, "PGSSLMODE": "prefer"}
    for language, block in BLOCKS[1:]:
        command = ["sh", "-ec", block] if language == "sh" else [sys.executable, "-c", block]
        done = finished(command, env=environment, cwd=tmp_path)
        assert done.returncode == 0, (block, done.stderr)
    assert sorted(each.name for each in tmp_path.iterdir() if each.is_file()) == [
        "ledger.csv", "shops.csv", "shops.csv.gz", "shops.parquet", "shops.xlsx",
    ]  # fmt: skip


def test_the_notebook_runs_and_draws(analyst: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YUMAI_DATABASE_URL", analyst)
    monkeypatch.setenv("PGSSLMODE", "prefer")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    notebook: nbformat.NotebookNode = nbformat.read(  # type: ignore[no-untyped-call]
        DOCS / "first-look.ipynb", as_version=4
    )
    nbformat.validate(notebook)
    assert not any(cell.get("outputs") for cell in notebook.cells), "Clear the outputs before you commit it."
    NotebookClient(notebook, timeout=120).execute()
    shown = {cell.id: {kind for each in cell.outputs for kind in each.get("data", {})} for cell in notebook.cells[1:]
             if cell.cell_type == "code"}  # fmt: skip
    assert all(shown.values())
    assert "image/png" in shown["plot"]


def test_reading_needs_only_what_the_page_installs(analyst: str, tmp_path: Path) -> None:
    """In a process that can import nothing but what the page names, and what that requires."""
    named = re.search(r"and `pip install ([^`]*)`", " ".join(PAGE.split()))
    assert named
    code = f"""
import sys
from importlib.metadata import packages_distributions

class Absent:
    def find_spec(self, name, path=None, target=None):
        owners = {{each.lower().replace("_", "-") for each in installed.get(name.partition(".")[0], ())}}
        if owners and not owners & {_with_what_they_require(named[1].replace("'", "").split())!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

installed = packages_distributions()
sys.meta_path.insert(0, Absent())

from yumai_pipelines import read_extract
from yumai_pipelines.cli import main

assert len(read_extract("shop_performance")) > 0
sys.argv = ["yumai", "export", "shop_performance", "shops.xlsx"]
main()
"""
    done = finished([sys.executable, "-c", code], env=os.environ | {"YUMAI_DATABASE_URL": analyst}, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "shops.xlsx").is_file()


def _with_what_they_require(names: list[str]) -> set[str]:
    """The names of distributions, and of those that they require."""
    found, left = {"yumai-pipelines"}, [Requirement(name) for name in names]
    while left:
        wanted = left.pop()
        name = wanted.name.lower().replace("_", "-")
        needs = [Requirement(each) for each in requires(wanted.name) or () if name not in found]
        left += [
            each
            for each in needs
            if not each.marker or any(each.marker.evaluate({"extra": extra}) for extra in wanted.extras or {""})
        ]
        found.add(name)
    return found
