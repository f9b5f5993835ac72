"""Leaves out, and says so, what there is no library for on this machine."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore = [] if find_spec("helm_python") else ["test_chart.py"]


def pytest_report_header() -> list[str]:
    """Return a line about the files that are left out."""
    return [f"tests/deploy: no {name}, since helm-python-sdk is not here" for name in collect_ignore]
