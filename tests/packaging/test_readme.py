"""Both READMEs name every setting and command, and link every page; explained messages are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_group

from yumai_pipelines.cli import app
from yumai_pipelines.settings import Settings

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["README.md", "README.ko.md"])
def readme(request: pytest.FixtureRequest) -> str:
    return (ROOT / str(request.param)).read_text(encoding="utf-8")


def test_every_setting_stands_there_with_its_default(readme: str) -> None:
    for name, field in Settings.model_fields.items():
        row = f"| `YUMAI_{name.upper()}` | "
        assert row + (f"`{field.default}`" if field.default is not None else "") in readme


def test_every_command_stands_there(readme: str) -> None:
    for name in get_group(app).commands:
        assert f"| `yumai {name}` |" in readme


def test_the_index_of_the_documents_is_linked_and_links_every_page(readme: str) -> None:
    assert "(docs/README.md)" in readme
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    pages = [
        path for path in (ROOT / "docs").iterdir() if path.suffix in (".md", ".ipynb") and path.name != "README.md"
    ]
    assert [page.name for page in pages if f"({page.name})" not in index] == []


@pytest.mark.parametrize("page", [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")], ids=lambda page: page.name)
def test_every_file_that_is_linked_is_there(page: Path) -> None:
    for path in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / path).exists(), path


def test_every_message_that_is_explained_is_one_of_the_code() -> None:
    page = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    files = [*(ROOT / "yumai_pipelines").rglob("*.py"), *(ROOT / "sql").rglob("*.sql")]
    code = "\n".join(path.read_text(encoding="utf-8") for path in files)
    messages = re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)
    assert len(messages) > 10
    assert [message for message in messages if message not in code] == []
