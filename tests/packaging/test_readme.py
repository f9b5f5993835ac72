"""The README names every setting and every command, and links every page of the documentation."""

from __future__ import annotations

from pathlib import Path

from typer.main import get_group

from yumai_pipelines.cli import app
from yumai_pipelines.settings import Settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_setting_stands_there_with_its_default() -> None:
    for name, field in Settings.model_fields.items():
        row = f"| `YUMAI_{name.upper()}` | "
        assert row + (f"`{field.default}`" if field.default is not None else "") in README


def test_every_command_stands_there() -> None:
    for name in get_group(app).commands:
        assert f"| `yumai {name}` |" in README


def test_every_page_of_the_documents_is_linked() -> None:
    for page in sorted((ROOT / "docs").glob("*.md")):
        assert f"(docs/{page.name})" in README
