"""Names that the project uses although Dagster does not promise them."""

from __future__ import annotations

import ast
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.processes import finished

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "yumai_pipelines"


def private_imports(path: Path) -> list[str]:
    """Return what a module imports from Dagster's private modules at run time, without imports for type checkers."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(each)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for each in ast.walk(block)
    }
    return [
        f"from {each.module} import {name.name}"
        for each in ast.walk(tree)
        if isinstance(each, ast.ImportFrom)
        and id(each) not in typing_only
        and (each.module or "").startswith("dagster._")
        for name in each.names
    ]


PRIVATE = {path.relative_to(PACKAGE): found for path in PACKAGE.rglob("*.py") if (found := private_imports(path))}


def test_few_modules_need_private_names() -> None:
    assert {path.as_posix() for path in PRIVATE} == {
        "defs/evaluations.py",
        "defs/schedules.py",
        "defs/watch/examinations.py",
        "defs/watch/watches.py",
        "launchers/terminal.py",
        "runs.py",
        "webserver.py",
    }


def test_all_of_them_are_there() -> None:
    statements = "\n".join(statement for each in PRIVATE.values() for statement in each)
    done = finished([sys.executable, "-c", statements])
    assert done.returncode == 0, f"This version of Dagster has moved a name that is private. {done.stderr}"


@pytest.mark.parametrize("statement", PRIVATE[Path("webserver.py")])
def test_the_private_names_of_the_webserver_are_there(statement: str) -> None:
    assert finished([sys.executable, "-c", statement]).returncode == 0, (
        f"This version of Dagster has moved what `{statement}` names. See how `dagster_webserver/cli.py` makes its "
        "application now, do the same in yumai_pipelines/webserver.py, and see that tests/ui/test_guard.py passes. "
        "Never start dagster-webserver without the guard: any web page could launch a run."
    )


@pytest.mark.parametrize("statement", PRIVATE[Path("defs/evaluations.py")])
def test_the_private_names_are_there(statement: str) -> None:
    assert finished([sys.executable, "-c", statement]).returncode == 0, (
        f"This version of Dagster has moved what `{statement}` names. Look where `AssetCheckEvaluation` now gets its "
        "target_materialization_data from, change the import in yumai_pipelines/defs/evaluations.py, and see that "
        "test_a_months_evaluation_counts_for_its_latest_materialization passes. If a plain AssetCheckResult has "
        "evaluations by partition by then, use that instead. Only then raise the limit of dagster in pyproject.toml."
    )


def test_dagster_is_held_below_its_next_minor_version() -> None:
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    for name in ("dagster", "dagster-dg-cli", "dagster-postgres", "dagster-webserver"):
        major, minor, *_ = version(name).split(".")
        (held,) = [each for each in dependencies if each.startswith(f"{name}>")]
        assert held.endswith(f",<{major}.{int(minor) + 1}")
