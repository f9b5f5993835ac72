"""The supported versions of Python are the same wherever they are named, and no warning of ours is ignored."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT, TOOLS = PYPROJECT["project"], PYPROJECT["tool"]


def promised() -> list[int]:
    """Return the minor versions of the classifiers, in their order."""
    found = [re.fullmatch(r"Programming Language :: Python :: 3\.(\d+)", each) for each in PROJECT["classifiers"]]
    return [int(each[1]) for each in found if each]


def in_words(minors: list[int]) -> str:
    *others, last = [f"3.{minor}" for minor in minors]
    return f"Python {', '.join(others)} or {last}"


def test_they_follow_one_another() -> None:
    minors = promised()
    assert minors == list(range(minors[0], minors[-1] + 1))
    assert sys.version_info.minor in minors


def test_requires_python_says_the_same() -> None:
    minors = promised()
    assert PROJECT["requires-python"] == f">=3.{minors[0]},<3.{minors[-1] + 1}"


def test_the_readme_says_the_same() -> None:
    assert f"With {in_words(promised())} and make." in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_makefile_says_and_refuses_the_same() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    minors = promised()
    assert f"{in_words(minors)} is needed" in makefile
    assert f"(3, {minors[0]}) <= sys.version_info < (3, {minors[-1] + 1})" in makefile


def test_the_linters_know_the_oldest() -> None:
    assert TOOLS["ruff"]["target-version"] == f"py3{promised()[0]}"
    assert TOOLS["mypy"]["python_version"] == f"3.{promised()[0]}"


def test_a_warning_is_an_error_unless_it_is_named() -> None:
    """An ignored warning is named by message, category and another project's module, so that none of ours is hidden."""
    first, *exceptions = TOOLS["pytest"]["ini_options"]["filterwarnings"]
    assert first == "error"
    for exception in exceptions:
        action, message, category, module = exception.split(":")
        assert (action, bool(message), category.endswith("Warning")) == ("ignore", True, True)
        assert not module.startswith(("yumai", "tests"))
