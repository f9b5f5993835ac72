"""The files of the image and of compose agree with each other and with the project. No engine is asked."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any
from uuid import uuid4

import dagster as dg
import pytest
import yaml
from dagster._core.launcher.base import WorkerStatus
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin

from yumai_pipelines.launchers.docker import YumaiDockerRunLauncher
from yumai_pipelines.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
INSTANCE = yaml.safe_load((DEPLOY / "docker" / "dagster.yaml").read_text(encoding="utf-8"))
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The file as compose reads it."""
    content: dict[str, Any] = yaml.safe_load(COMPOSE)
    return content


def test_what_must_be_given_is_in_the_example(compose: dict[str, Any]) -> None:
    required = set(re.findall(r"\$\{([A-Z_]+):\?", COMPOSE))
    example = re.findall(r"^(?:# )?([A-Z_]+)=(.*)$", (DEPLOY / "example.env").read_text(encoding="utf-8"), re.M)
    assert required <= {name for name, _ in example}
    known = set(re.findall(r"\$\{([A-Z_]+)", COMPOSE))
    assert {name for name, _ in example} <= known
    assert {name for name, value in example if value and "PASSWORD" not in value} == {"UI_URL"}, "no secret is given"
    assert compose["services"]


def test_every_setting_is_one(compose: dict[str, Any]) -> None:
    given = {name for name in compose["x-yumai"]["environment"] if name.startswith(PREFIX)}
    assert given <= {PREFIX + name.upper() for name in Settings.model_fields}


def test_the_code_location_is_where_the_workspace_says(compose: dict[str, Any]) -> None:
    workspace = yaml.safe_load((DEPLOY / "docker" / "workspace.yaml").read_text(encoding="utf-8"))
    (server,) = [each["grpc_server"] for each in workspace["load_from"]]
    assert server["host"] in compose["services"]
    assert f'"--port", "{server["port"]}"' in DOCKERFILE


def test_runs_are_in_the_network_of_the_database(compose: dict[str, Any]) -> None:
    network = INSTANCE["run_launcher"]["config"]["network"]
    assert compose["networks"][network] == {"name": network}
    assert network in compose["services"]["database"]["networks"]
    assert INSTANCE["compute_logs"]["config"]["bucket"]["env"] in compose["x-yumai"]["environment"]


def test_a_run_has_every_setting_of_the_daemon_and_nothing_of_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("YUMAI_MIN_GROUP_USERS", "AWS_REGION", "DAGSTER_LOGS_BUCKET", "UNRELATED"):
        monkeypatch.setenv(name, "1")
    config = {**INSTANCE["run_launcher"]["config"], "env_vars": ["UNNAMED=1"]}
    launcher = YumaiDockerRunLauncher.from_config_value(None, config)
    assert {"UNNAMED=1", "YUMAI_MIN_GROUP_USERS", "AWS_REGION", "DAGSTER_LOGS_BUCKET"} <= set(launcher.env_vars)
    assert "UNRELATED" not in launcher.env_vars


def test_the_image_is_made_of_what_is_there() -> None:
    let_through = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copied = [line.split()[1:-1] for line in DOCKERFILE.splitlines() if re.match("COPY (?!--)", line)]
    for name in (each for sources in copied for each in sources):
        assert (ROOT / name).exists(), name
        assert any(f"!{part}" in let_through for part in (name, str(Path(name).parent))), name
    (extras,) = re.findall(r"ARG EXTRAS=(\S+)", DOCKERFILE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(extras.split(",")) == set(project["optional-dependencies"])
    assert "USER 10001" in DOCKERFILE


def test_a_run_that_a_command_executes_is_left_alone() -> None:
    """Dagster's launchers say that its container is missing, and the daemon would mark it as failed while it works."""
    launcher = YumaiDockerRunLauncher.from_config_value(None, INSTANCE["run_launcher"]["config"])
    run = dg.DagsterRun("monthly_extracts", run_id=str(uuid4()), status=dg.DagsterRunStatus.STARTED)
    assert launcher.check_run_worker_health(run).status is WorkerStatus.RUNNING
    repository = RemoteRepositoryOrigin(GrpcServerCodeLocationOrigin("code", 4000), "__repository__")
    launched = run._replace(remote_job_origin=RemoteJobOrigin(repository, "monthly_extracts"))
    assert launcher.check_run_worker_health(launched).status is WorkerStatus.NOT_FOUND
