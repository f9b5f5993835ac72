"""What other hosts must reach is in an object store: archived months, and what steps print."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import fsspec
import pytest
import yaml

from tests.archives.test_archives import archive, contents, ensure, plant, restore
from tests.object_store import BUCKET, object_store
from tests.processes import finished
from yumai_pipelines.archives.store import Store
from yumai_pipelines.report.storage import ReportStore
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support import Connection

DEPLOY = Path(__file__).parents[2] / "deploy"


@pytest.fixture(scope="module")
def store() -> Iterator[dict[str, str]]:
    """The variables of an object store with an empty bucket."""
    with object_store() as variables, pytest.MonkeyPatch.context() as patched:
        for name, value in variables.items():
            patched.setenv(name, value)
        yield variables
        fsspec.filesystem("s3").clear_instance_cache()


@pytest.mark.usefixtures("store")
def test_a_month_is_archived_in_the_store_and_comes_back_the_same(database: str, connection: Connection) -> None:
    ensure(database, "2024-08")
    plant(connection)
    before = contents(connection)
    (report,) = archive(database, Store.at(f"s3://{BUCKET}/archive"), "2024-08")
    assert report.archive is not None
    assert len(contents(connection)) < len(before)
    files = fsspec.filesystem("s3").find(f"{BUCKET}/archive")
    assert [Path(each).suffix for each in files] == [".json", ".parquet"]
    restore(database, "2024-08")
    assert contents(connection) == before


@pytest.mark.usefixtures("store")
def test_a_report_is_kept_in_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YUMAI_REPORT_URL", f"s3://{BUCKET}/reports")
    reports = ReportStore.of(Settings())
    for name in ("2025-06.html", "2025-07.ko.html", "2025-07.html", "2025-07.html"):
        reports.write(name, name)
    reports.remove("2025-06.html")
    reports.remove("2025-06.html")
    assert (reports.names(""), reports.names(".ko")) == (["2025-07.html"], ["2025-07.ko.html"])
    assert reports.read("2025-07.html") == b"2025-07.html"


def test_what_a_step_prints_is_kept_in_the_store(store: dict[str, str], tmp_path: Path) -> None:
    """By the instance of the image, whose process is over before anybody reads it."""
    instance = yaml.safe_load((DEPLOY / "docker" / "dagster.yaml").read_text(encoding="utf-8"))
    logs = {**instance["compute_logs"], "config": {**instance["compute_logs"]["config"], "local_dir": str(tmp_path)}}
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump({"compute_logs": logs, "telemetry": {"enabled": False}}))
    printed = finished(
        [sys.executable, "-c", _PRINT],
        env={**os.environ, **store, "DAGSTER_HOME": str(tmp_path), "DAGSTER_LOGS_BUCKET": BUCKET},
        cwd=tmp_path,
    )
    assert printed.returncode == 0, printed.stderr
    s3 = fsspec.filesystem("s3")
    (out,) = [each for each in s3.find(f"{BUCKET}/logs") if each.endswith(".out")]
    assert s3.cat(out) == b"printed by a step\n"


_PRINT = """
import dagster as dg

@dg.op
def prints():
    print("printed by a step")

@dg.job(executor_def=dg.in_process_executor)
def job():
    prints()

with dg.DagsterInstance.get() as instance:
    assert job.execute_in_process(instance=instance).success
"""
