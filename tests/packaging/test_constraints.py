from __future__ import annotations

import re
from importlib.metadata import distributions
from pathlib import Path

CONSTRAINTS = Path(__file__).parents[2] / "constraints.txt"
OURS = {"yumai-pipelines"}
OF_PYTHON = {"setuptools"}
"""Packages that `python -m venv` installs, up to Python 3.11."""


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_installed_package_has_the_version_of_the_constraints() -> None:
    pinned = dict(line.split("==") for line in CONSTRAINTS.read_text().splitlines())
    pinned = {normalized(name): version for name, version in pinned.items()}
    installed = {normalized(each.metadata["Name"]): each.version for each in distributions()}
    for name in OURS | OF_PYTHON:
        installed.pop(name, None)
    assert installed.items() <= pinned.items(), "Pin what differs in constraints.txt, or run `make install`."
