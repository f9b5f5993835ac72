"""The wheel contains everything: it is built, installed elsewhere, and used without the checkout."""

from __future__ import annotations

import signal
import subprocess
import sys
import sysconfig
import venv
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

import psutil
import pytest

from tests.processes import PATIENCE, finished, kill_what_does_not_end, started
from tests.support import free_port, server_home

if TYPE_CHECKING:
    from collections.abc import Iterator

# One worker builds the wheel and uses it.
pytestmark = pytest.mark.xdist_group("wheel")

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    """A directory that the embedded server's account may enter."""
    with server_home() as directory:
        yield directory


@pytest.fixture(scope="module")
def wheel(directory: Path) -> Path:
    build = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(directory)]
    run(ROOT, sys.executable, "-m", "pip", *build, ROOT)
    (wheel,) = directory.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def programs(directory: Path, wheel: Path) -> Path:
    """The programs of an environment with the wheel. Its dependencies come from the environment of the tests."""
    environment = directory / "venv"
    venv.create(environment, symlinks=True)
    python = environment / "bin" / "python"
    install = ["--python", str(python), "install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    run(directory, sys.executable, "-m", "pip", *install)
    (site_packages,) = environment.glob("lib/*/site-packages")
    (site_packages / "lent.pth").write_text(sysconfig.get_path("purelib"))
    return python.parent


@pytest.fixture(scope="module")
def elsewhere(directory: Path) -> Path:
    elsewhere = directory / "elsewhere"
    elsewhere.mkdir()
    return elsewhere


def run(directory: Path, *command: object) -> str:
    done = finished([*map(str, command)], cwd=directory)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_wheel_has_the_sql_and_the_instance_file_and_no_tests(wheel: Path) -> None:
    packed = set(ZipFile(wheel).namelist())
    tracked = run(ROOT, "git", "ls-files", "sql", "yumai_pipelines", "dagster.yaml", "workspace.yaml").split()
    expected = {name if name.startswith("yumai_pipelines/") else f"yumai_pipelines/{name}" for name in tracked}
    assert expected <= packed
    assert {Path(name).parts[0] for name in packed if ".dist-info/" not in name} == {"yumai_pipelines"}


def test_installed_package_works_without_the_checkout(programs: Path, elsewhere: Path) -> None:
    where = run(elsewhere, programs / "python", "-c", "import yumai_pipelines; print(yumai_pipelines.__file__)")
    assert where.startswith(str(programs.parent))

    yumai = programs / "yumai"
    try:
        run(elsewhere, yumai, "up")
        assert run(elsewhere, yumai, "url").startswith("postgresql://")
        assert run(elsewhere, yumai, "psql", "--", "-XAtc", "select 1") == "1\n"
        run(
            elsewhere,
            programs / "python",
            "-m",
            "dagster",
            "definitions",
            "validate",
            "-m",
            "yumai_pipelines.definitions",
        )
        serve_and_interrupt(elsewhere, yumai)
    finally:
        run(elsewhere, yumai, "down")
    assert (elsewhere / ".yumai" / "dagster" / "dagster.yaml").read_bytes() == (ROOT / "dagster.yaml").read_bytes()


def status_of_the_page(port: int, host: str) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", "/", headers={"Host": host})
        return connection.getresponse().status
    finally:
        connection.close()


def serve_and_interrupt(elsewhere: Path, yumai: Path) -> None:
    """Check that `yumai dev` says where the UI is and guards it, and that Ctrl-C ends it with all that it started.

    It is started like a background job of a script, with SIGINT ignored, which its children would inherit.
    """
    port = free_port()
    command = [str(yumai), "dev", "--port", str(port)]
    with started(
        ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *command],
        cwd=elsewhere,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as dev:
        assert dev.stdout is not None
        said = ""
        while "The Dagster UI is at" not in said:
            line = dev.stdout.readline()
            assert line, said
            said += line
        assert f"http://127.0.0.1:{port}" in said
        assert status_of_the_page(port, "127.0.0.1") == 200
        assert status_of_the_page(port, "evil.example") == 403
        second = finished(command, cwd=elsewhere)
        assert second.returncode == 1
        assert f"yumai dev --port {port + 1}" in second.stderr
        family = psutil.Process(dev.pid).children(recursive=True)
        dev.send_signal(signal.SIGINT)
        assert "Dagster has ended" in dev.communicate(timeout=PATIENCE)[0]
        assert dev.returncode == 0
    assert kill_what_does_not_end(family, 10) == []
