"""docs/operate.md has a section on each alert and each examination, and none on what is no more."""

from __future__ import annotations

import re
from pathlib import Path

from yumai_pipelines.defs.watch.examinations import DAGSTER_EXAMINATIONS
from yumai_pipelines.defs.watch.watches import KINDS, WATCHES
from yumai_pipelines.health.registry import DATABASE_EXAMINATIONS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")
NAMES = [each.name for each in DATABASE_EXAMINATIONS] + [each.name for each in DAGSTER_EXAMINATIONS]


def sections(chapter: str) -> list[str]:
    (text,) = re.findall(rf"^## {chapter}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return re.findall(r"^### (\w+)$", text, re.MULTILINE)


def test_each_alert_has_its_section() -> None:
    assert sorted(sections("Alerts")) == sorted(KINDS)
    named = set()
    for path in (ROOT / "yumai_pipelines" / "defs" / "watch").glob("*.py"):
        named |= set(re.findall(r'Trouble\(\s*"(\w+)"', path.read_text(encoding="utf-8")))
    assert named == set(KINDS)
    assert {each.kind for each in WATCHES} <= named


def test_each_examination_has_its_section() -> None:
    assert sections("Examinations") == NAMES
    assert len(set(NAMES)) == len(NAMES)
