"""The chart renders objects that Kubernetes accepts, and the job of a run is one, too. No cluster is asked.

Where the library that has Helm in it is not installed, `conftest.py` leaves this file out.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import helm_python as helm
import kubernetes_validate
import pytest
import yaml
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.launcher import LaunchRunContext
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import EmptyWorkspaceTarget
from pydantic import ValidationError

from yumai_pipelines.definitions import defs
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

Object = dict[str, Any]

CHART = Path(__file__).parents[2] / "deploy" / "helm"
IMAGE = "registry.example.com/data/yumai-pipelines:1"
VALUES: Object = {
    "image": {"repository": "registry.example.com/data/yumai-pipelines", "tag": "1", "pullSecrets": ["registry"]},
    "settings": {
        "YUMAI_ARCHIVE_URL": "s3://bucket/archive",
        "YUMAI_REPORT_URL": "s3://bucket/reports",
        "YUMAI_TIMEZONE": "Asia/Seoul",
        "AWS_REGION": "us-east-1",
    },
    "logs": {"bucket": "bucket"},
    "uiUrl": "https://pipelines.example.com",
    "nodeSelector": {"pool": "data"},
    "tolerations": [{"key": "data", "operator": "Exists"}],
}
OLDEST, NEWEST = "1.27", "1.34"
"""The versions of Kubernetes whose schemas the objects are held against."""


def rendered(**values: object) -> dict[tuple[str, str], Object]:
    """Return the objects of a release that is called `yumai`, by kind and name."""
    with helm.Chart.load(str(CHART)) as chart:
        files = chart.render(VALUES | values, name="yumai", namespace="data")
    objects = [each for text in files.values() for each in yaml.safe_load_all(text) if each]
    return {(each["kind"], each["metadata"]["name"]): each for each in objects}


def pods(objects: dict[tuple[str, str], Object]) -> Iterator[Object]:
    """Yield the pods that the objects make."""
    yield from (each["spec"]["template"] for each in objects.values() if each["kind"] in {"Deployment", "Job"})


def refusals(thing: Object) -> list[str]:
    """Return what Kubernetes would say against an object, in its oldest and its newest version here."""
    said = []
    for version in (OLDEST, NEWEST):
        try:
            kubernetes_validate.validate(thing, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            said.append(f"{version}: {error.message}")
    return said


def test_the_chart_is_in_order() -> None:
    found = helm.lint(str(CHART), VALUES)
    assert found["errors"] == []


def test_kubernetes_accepts_every_object_and_refuses_a_misspelt_one() -> None:
    objects = rendered()
    assert {kind for kind, _ in objects} == {
        "ConfigMap", "Deployment", "Job", "NetworkPolicy", "PodDisruptionBudget", "Role", "RoleBinding", "Service",
        "ServiceAccount",
    }  # fmt: skip
    assert {name: refusals(each) for name, each in objects.items() if refusals(each)} == {}
    daemon = objects["Deployment", "yumai-daemon"]
    daemon["spec"]["template"]["spec"]["containers"][0]["imagePulPolicy"] = "Always"
    assert len(refusals(daemon)) == 2


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"uiUrl": ""}, "uiUrl"),
        ({"logs": {"bucket": ""}}, "bucket"),
        ({"image": {"repository": ""}}, "repository"),
        ({"settings": {"YUMAI_ARCHIVE_URL": "/var/archive"}}, "YUMAI_ARCHIVE_URL"),
        ({"settings": {"YUMAI_ARCHIVE_URL": "s3://b", "YUMAI_DATABASE_URL": "postgresql://u:p@h/d"}}, "DATABASE_URL"),
        ({"replicas": 2}, "replicas"),
    ],
)
def test_values_that_would_not_work_and_secrets_are_refused(values: Object, said: str) -> None:
    with pytest.raises(helm.HelmError, match=said):
        rendered(**values)


def test_every_pod_is_held_back_and_knows_its_secrets_by_reference() -> None:
    for pod in pods(rendered()):
        spec = pod["spec"]
        (container,) = spec["containers"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["resources"]["requests"]
        assert container["image"] == IMAGE
        assert {"secretRef": {"name": "yumai-pipelines"}} in container["envFrom"]


def test_labels_select_the_pods_that_they_are_meant_for() -> None:
    objects = rendered()
    for kind, name in objects:
        if kind in {"Service", "PodDisruptionBudget", "NetworkPolicy"} and not name.endswith("-run"):
            spec = objects[kind, name]["spec"]
            selector = spec.get("podSelector") or spec["selector"]
            wanted = selector.get("matchLabels", selector)
            part = [each for each in pods(objects) if wanted.items() <= each["metadata"]["labels"].items()]
            assert len(part) == 1, (kind, name)


def test_every_pod_has_a_network_policy() -> None:
    objects = rendered()
    policies = [
        each["spec"]["podSelector"]["matchLabels"] for (kind, _), each in objects.items() if kind == "NetworkPolicy"
    ]
    for pod in pods(objects):
        assert [each for each in policies if each.items() <= pod["metadata"]["labels"].items()]


def test_every_setting_of_the_pods_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = rendered()["ConfigMap", "yumai-settings"]["data"]
    secrets = {
        "YUMAI_DATABASE_URL": "postgresql://db/yumai",
        "YUMAI_USER_KEY_SECRET": "of the tests, which nobody has to guess",
    }
    for name, value in {**settings, **secrets, "YUMAI_WORKER": "true"}.items():
        monkeypatch.setenv(name, value)
    assert Settings().ui_url == "https://pipelines.example.com"
    monkeypatch.delenv("YUMAI_ARCHIVE_URL")
    with pytest.raises(ValidationError, match="YUMAI_HOME is lost with its host"):
        Settings()


def test_an_upgrade_removes_nothing_before_the_new_version_is_there() -> None:
    done = {
        each["metadata"]["annotations"]["helm.sh/hook"]: each["spec"]["template"]["spec"]["containers"][0]["command"]
        for each in rendered().values()
        if each["kind"] == "Job"
    }
    assert done == {
        "pre-install": ["yumai", "up"],
        "pre-upgrade": ["yumai", "up", "--before-deploy"],
        "post-upgrade": ["yumai", "up"],
    }


class _Server(BaseHTTPRequestHandler):
    """The part of Kubernetes that takes a job."""

    jobs: list[tuple[str, Object]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.jobs.append((self.path, json.loads(body)))
        self.send_response(201)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[Path, list[tuple[str, Object]]]]:
    """A kubeconfig, and the jobs that were sent where it leads."""
    jobs: list[tuple[str, Object]] = []
    server = HTTPServer(("127.0.0.1", 0), type("Server", (_Server,), {"jobs": jobs}))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))
    yield tmp_path / "kubeconfig", jobs
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_job_of_a_run_is_one_that_kubernetes_accepts(
    tmp_path: Path, cluster: tuple[Path, list[tuple[str, Object]]]
) -> None:
    """As the launcher of the rendered dagster.yaml sends it."""
    kubeconfig, sent = cluster
    objects = rendered()
    instance_yaml = yaml.safe_load(objects["ConfigMap", "yumai-instance"]["data"]["dagster.yaml"])
    launcher = instance_yaml["run_launcher"]
    launcher["config"] |= {"load_incluster_config": False, "kubeconfig_file": str(kubeconfig)}
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump({"run_launcher": launcher}))
    repository = ReconstructableRepository.for_module("yumai_pipelines.definitions", "defs")
    origin = repository.get_reconstructable_job("monthly_extracts").get_python_origin()
    origin = origin._replace(repository_origin=origin.repository_origin._replace(container_image=IMAGE))

    with (
        dg.DagsterInstance.from_config(str(tmp_path)) as instance,
        WorkspaceProcessContext(instance, EmptyWorkspaceTarget()) as workspace,
    ):
        run = instance.create_run_for_job(defs.resolve_job_def("monthly_extracts"), job_code_origin=origin)
        instance.run_launcher.launch_run(LaunchRunContext(run, workspace.create_request_context()))

    ((path, job),) = sent
    assert path.startswith("/apis/batch/v1/namespaces/data/jobs")
    assert refusals(job) == []
    pod = job["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    assert container["image"] == IMAGE
    assert container["envFrom"] == [
        {"configMapRef": {"name": "yumai-settings"}},
        {"secretRef": {"name": "yumai-pipelines"}},
    ]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
    assert pod["spec"]["nodeSelector"] == {"pool": "data"}
    policy = objects["NetworkPolicy", "yumai-run"]["spec"]["podSelector"]["matchLabels"]
    assert policy.items() <= pod["metadata"]["labels"].items()
    job["spec"]["template"]["spec"]["nodeSelektor"] = {}
    assert len(refusals(job)) == 2
