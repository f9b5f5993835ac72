"""One run of `make schema` writes everything that follows from a new migration."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.processes import finished

if TYPE_CHECKING:
    from tests.processes import Finished

ROOT = Path(__file__).parents[2]


def write_schema(root: Path, *options: str) -> Finished:
    return finished([sys.executable, "-m", "scripts.write_schema", *options], cwd=root)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the script reads and writes."""
    for name in ("docs", "scripts", "sql", "yumai_pipelines"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_what_it_writes_is_up_to_date() -> None:
    check = write_schema(ROOT, "--check")
    assert check.returncode == 0, f"{check.stdout}{check.stderr}"


def test_a_new_migration_needs_no_second_place(checkout: Path) -> None:
    migration = checkout / "sql" / "migrations" / "9999_other_words.sql"
    migration.write_text("COMMENT ON COLUMN extracts.shop_performance.listed IS 'Said in other words.';\n")
    follows = {
        "sql/install.sql": r"\ir migrations/9999_other_words.sql",
        "sql/migrations/SHA256SUMS": "9999_other_words.sql",
        "sql/migrations/LOCKS.jsonl": '"step": "9999"',
        "sql/schema.sql": "Said in other words.",
        "sql/catalogue.jsonl": "Said in other words.",
        "docs/extracts.md": "Said in other words.",
    }
    before = {name: (checkout / name).read_text(encoding="utf-8") for name in follows}
    check = write_schema(checkout, "--check")
    assert check.returncode == 1
    assert check.stderr == "These files are out of date: run `make schema`, and read what it changes.\n"
    assert {name: (checkout / name).read_text(encoding="utf-8") for name in follows} == before

    written = write_schema(checkout)
    assert written.returncode == 0, written.stderr
    assert written.stdout == "".join(f"wrote {checkout / name}\n" for name in follows)
    for name, words in follows.items():
        assert words in (checkout / name).read_text(encoding="utf-8"), name
        assert f"--- {checkout / name}" in check.stdout
    assert "(version_num) VALUES ('9999');" in (checkout / "sql" / "install.sql").read_text(encoding="utf-8")
    again = write_schema(checkout, "--check")
    assert again.returncode == 0, again.stdout
