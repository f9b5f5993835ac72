"""A copy of the project in which `docs/adding.md` was followed: a version with more than this one has."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

from tests.processes import finished

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "adding.md").read_text(encoding="utf-8")

BLOCK = r"```\w+\n(.*?)```"
NEW_FILE = re.compile(rf"^`(\S+)`:\n\n{BLOCK}", re.DOTALL | re.MULTILINE)
NEW_ENTRY = re.compile(rf"^In `(\w+)` of `(\S+)`[^\n]*:\n\n{BLOCK}", re.DOTALL | re.MULTILINE)


def copy_and_follow(copy: Path) -> Path:
    """Copy the project to a new directory, follow the page there, and return the directory."""
    copy.mkdir()
    for name in ("docs", "scripts", "sql", "tests", "yumai_pipelines"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dagster.yaml", "pyproject.toml", "workspace.yaml"):
        shutil.copy(ROOT / name, copy / name)
    _follow(copy)
    return copy


def _follow(copy: Path) -> None:
    number = max(int(each.name[:4]) for each in (copy / "sql" / "migrations").glob("*.sql"))
    for name, text in NEW_FILE.findall(PAGE):
        number += "NNNN" in name
        path = copy / name.replace("NNNN", f"{number:04}")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for tuple_name, name, entry in NEW_ENTRY.findall(PAGE):
        path = copy / name
        before, start, rest = path.read_text(encoding="utf-8").partition(f"\n{tuple_name}: ")
        entries, end, after = rest.partition("\n)\n")
        assert start
        assert end
        path.write_text(f"{before}{start}{entries}\n{entry.rstrip()},{end}{after}", encoding="utf-8")
    run(copy, "-m", "scripts.write_schema")


def run(copy: Path, *arguments: str) -> str:
    """Run a program in the copy, and return what it prints."""
    environment = {**os.environ, "PYTHONPATH": str(copy), "YUMAI_HOME": str(copy / "home")}
    done = finished([sys.executable, *arguments], cwd=copy, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout
