"""What people said is in files that their owner alone may read, also where the umask would let everybody."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.archives.test_archives import archive, plant
from tests.support import Connection, server_home
from yumai_pipelines.archives.store import PARTIAL, Store
from yumai_pipelines.extracts.user_key import user_key_secret
from yumai_pipelines.local.server import LocalServer
from yumai_pipelines.local.ui import make_instance
from yumai_pipelines.report.storage import ReportStore
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

OTHERS = stat.S_IRWXG | stat.S_IRWXO


@pytest.fixture(autouse=True)
def _open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def readable(directory: Path, *, reached: bool = True) -> list[Path]:
    """Return what others may read in a directory and below it."""
    mode = directory.stat().st_mode
    found = [directory] if reached and mode & (OTHERS if directory.is_file() else OTHERS & ~0o111) else []
    if directory.is_dir():
        for each in directory.iterdir():
            found += readable(each, reached=reached and bool(mode & 0o011))
    return found


def test_archives_are_their_owners_alone(database: str, connection: Connection, tmp_path: Path) -> None:
    plant(connection)
    shared = tmp_path / "shared"
    shared.mkdir(0o755)
    for store in (tmp_path / "home" / "archive", shared):
        archive(database, store, "2024-08" if store == shared else "2024-09")
        files = [path for path in store.rglob("*") if path.is_file()]
        assert len(files) == 2
        assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "home").rglob("*") if path.is_dir()} == {0o700}
    assert stat.S_IMODE(shared.stat().st_mode) == 0o755


def test_a_report_is_written_through_no_link(tmp_path: Path) -> None:
    """The directory of the reports may be shared, and the name of the draft is known beforehand."""
    other = tmp_path / "other"
    other.write_text("of the same account")
    path = tmp_path / "2024-08.html"
    (tmp_path / f"{path.name}{PARTIAL}").symlink_to(other)
    ReportStore.of(Settings(report_url=str(tmp_path))).write(path.name, "what was recommended")
    assert (path.read_text(), other.read_text()) == ("what was recommended", "of the same account")
    assert not path.is_symlink()


def test_an_archive_is_written_through_no_link(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("of the same account")
    (tmp_path / f"file{PARTIAL}").symlink_to(other)
    with Store.at(str(tmp_path)).writing("file") as file:
        file.write(b"rows")
    assert ((tmp_path / "file").read_text(), other.read_text()) == ("rows", "of the same account")


def test_a_report_is_its_owners_alone(tmp_path: Path) -> None:
    reports = ReportStore.of(Settings(home=tmp_path / "home"))
    path = Path(reports.place("2024-08.html"))
    reports.write(path.name, "what was recommended")
    path.chmod(0o644)
    reports.write(path.name, "what was recommended")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_report_in_a_place_for_others_is_for_others_to_read(tmp_path: Path) -> None:
    reports = ReportStore.of(Settings(report_url=str(tmp_path / "reports")))
    reports.write("2024-08.html", "what was recommended")
    assert stat.S_IMODE((tmp_path / "reports" / "2024-08.html").stat().st_mode) == 0o644


def test_what_is_below_the_home_is_its_owners_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with server_home() as directory:
        home = directory / "home"
        server = LocalServer(home)
        server.start()
        try:
            make_instance(home)
            monkeypatch.setenv("YUMAI_HOME", str(home))
            monkeypatch.delenv("YUMAI_USER_KEY_SECRET", raising=False)
            user_key_secret(Settings(), embedded=True)
            (home / "dagster" / "compute.log").write_text("what a run has printed")
            assert readable(home) == []
        finally:
            server.stop()


def test_an_instance_that_was_open_is_closed(tmp_path: Path) -> None:
    (tmp_path / "dagster").mkdir(0o755)
    assert stat.S_IMODE(make_instance(tmp_path).stat().st_mode) == 0o700
