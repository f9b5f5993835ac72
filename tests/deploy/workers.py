"""Workers in containers, as in production: dagster-daemon, its launcher for Docker, and the queue, on one database.

The daemon, the code location and the object store are processes of this machine; each run is a container. Its image is
one that somebody has built (`--worker-image`), or else is empty and shows, read-only, the programs of this machine.
"""

from __future__ import annotations

import io
import json
import os
import socket
import sys
import tarfile
import time
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import dagster as dg
import docker
import fsspec
import psycopg
import pytest
import yaml
from dagster._cli.job import execute_launch_command
from dagster._core.execution.backfill import BULK_ACTION_TERMINAL_STATUSES, BulkActionStatus, PartitionBackfill
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES
from dagster._core.storage.tags import RETRY_NUMBER_TAG, WILL_RETRY_TAG
from dagster._core.utils import make_new_backfill_id
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import GrpcServerTarget
from dagster_shared.cli import WorkspaceOpts
from docker.errors import DockerException
from psycopg import sql

from tests.hostile.operations import SECRET
from tests.object_store import BUCKET, object_store
from tests.processes import started
from tests.support import every, free_port, one
from yumai_pipelines.postgres.connections import with_database
from yumai_pipelines.schema.upgrade import configure_database
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from docker.models.containers import Container

    from tests.support import Connection
    from yumai_pipelines.model.months import Month

ROOT = Path(__file__).parents[2]
LOCATION = "yumai_pipelines"
IMAGE = "yumai-tests-worker:1"
OF_THE_SYSTEM = [Path("/bin"), Path("/lib"), Path("/lib64")]
PATIENCE = 240
"""Seconds within which a run comes to its end, also on a busy machine."""

KILLED = 137
"""The exit status of a container whose process was killed."""

T = TypeVar("T")

WAITING = """
SELECT query FROM pg_stat_activity
WHERE application_name LIKE 'yumai: %%' AND %s = ANY(pg_blocking_pids(pid))
"""
"""What waits for a lock of a process."""


def engine() -> docker.DockerClient:
    """Return the client of the Docker engine of this machine."""
    try:
        return docker.from_env()
    except DockerException as error:
        pytest.fail(
            f"No Docker engine answers here, and the workers are containers: start one, or omit --kills. {error}"
        )


def whose_programs_are_shown() -> tuple[str, dict[str, dict[str, str]]]:
    """Make an image of nothing but links and a path, and return it with the directories to be shown in it."""
    layers = io.BytesIO()
    with tarfile.open(fileobj=layers, mode="w") as archive:
        for name in ("tmp", "usr", "etc"):
            directory = tarfile.TarInfo(name)
            directory.type, directory.mode = tarfile.DIRTYPE, 0o1777
            archive.addfile(directory)
        for path in filter(Path.is_symlink, OF_THE_SYSTEM):
            link = tarfile.TarInfo(path.name)
            link.type, link.linkname = tarfile.SYMTYPE, str(path.readlink())
            archive.addfile(link)
    engine().api.import_image_from_data(
        layers.getvalue(),
        *IMAGE.split(":"),
        changes=[f"ENV PATH={sys.prefix}/bin:/usr/bin LANG=C.UTF-8 HOME=/tmp MPLCONFIGDIR=/tmp PYTHONPATH={ROOT}"],
    )
    shown = {"/usr", "/etc/ssl", "/etc/ld.so.cache", sys.prefix, sys.base_prefix, str(ROOT)}
    shown |= {str(path) for path in OF_THE_SYSTEM if not path.is_symlink()}
    return IMAGE, {each: {"bind": each, "mode": "ro"} for each in sorted(shown) if Path(each).exists()}


class Workers:
    """The daemon and the workers of one YUMAI database, which tests put back to what it was."""

    def __init__(self, server_url: str, home: Path, image: str | None) -> None:
        self.image, self._shown = (image, {}) if image else whose_programs_are_shown()
        self._home = home
        self._server_url = server_url
        self._name = f"yumai_workers_{os.getpid()}"
        self._kept, self._dagster = f"{self._name}_kept", f"{self._name}_dagster"
        self.url = with_database(server_url, self._name)
        self.instance: dg.DagsterInstance
        self._workspace: WorkspaceProcessContext
        self._port = free_port()
        self._files: dict[str, bytes] = {}
        self._daemon = ExitStack()
        self._looks_every: int | None = None

    @classmethod
    @contextmanager
    def at_work(cls, server_url: str, home: Path, image: str | None) -> Iterator[Self]:
        """Start the object store and the code location, with settings that hold for this process, too."""
        workers = cls(server_url, home, image)
        with ExitStack() as stack:
            variables = stack.enter_context(object_store())
            settings = stack.enter_context(pytest.MonkeyPatch.context())
            stack.callback(fsspec.filesystem("s3").clear_instance_cache)
            for name, value in {**variables, **workers._settings()}.items():
                settings.setenv(name, value)
            workers._drop()
            stack.callback(workers._drop)
            stack.callback(workers._remove_containers)
            for name in (workers._name, workers._dagster):
                workers._run(sql.SQL("CREATE DATABASE {}"), name)
            workers._configure()
            workers.instance = stack.enter_context(dg.DagsterInstance.from_config(str(home)))
            workers._serve(stack)
            target = GrpcServerTarget(host="127.0.0.1", port=workers._port, socket=None, location_name=LOCATION)
            workers._workspace = stack.enter_context(WorkspaceProcessContext(workers.instance, target))
            workers._stop_what_ticks()
            stack.enter_context(workers._daemon)
            yield workers

    def _settings(self) -> dict[str, str]:
        return {
            "DAGSTER_HOME": str(self._home),
            "DAGSTER_LOGS_BUCKET": BUCKET,
            "DAGSTER_CURRENT_IMAGE": self.image,
            "YUMAI_WORKER": "true",
            "YUMAI_DATABASE_URL": self.url,
            "YUMAI_DAGSTER_URL": with_database(self._server_url, self._dagster),
            "YUMAI_USER_KEY_SECRET": SECRET.get_secret_value(),
            "YUMAI_ARCHIVE_URL": f"s3://{BUCKET}/archive",
            "YUMAI_REPORT_URL": f"s3://{BUCKET}/reports",
            "YUMAI_EXTRACTS_URL": f"s3://{BUCKET}/extracts",
        }

    def _configure(self) -> None:
        """Write the instance and the workspace: the image's, but for what is near instead of far, and soon."""
        instance: dict[str, Any] = {}
        for path in (ROOT / "dagster.yaml", ROOT / "deploy" / "docker" / "dagster.yaml"):
            instance |= yaml.safe_load(path.read_text(encoding="utf-8"))
        instance["run_monitoring"]["poll_interval_seconds"] = 1
        launcher = instance["run_launcher"]["config"]
        launcher["network"] = "host"
        launcher["container_kwargs"] |= {"volumes": self._shown, "user": "10001", "labels": [self._name]}
        instance["compute_logs"]["config"]["local_dir"] = "/tmp/yumai-tests-logs"
        (self._home / "dagster.yaml").write_text(yaml.safe_dump(instance))
        server = {"host": "127.0.0.1", "port": self._port, "location_name": LOCATION}
        (self._home / "workspace.yaml").write_text(yaml.safe_dump({"load_from": [{"grpc_server": server}]}))

    def _serve(self, stack: ExitStack) -> None:
        """Start the code location, and wait until it answers."""
        self._start(stack, "dagster", "api", "grpc", "--port", self._port, "--module-name", f"{LOCATION}.definitions")
        self.wait_for(lambda: answers(self._port))

    def _start(self, stack: ExitStack, module: str, *arguments: object) -> None:
        log = stack.enter_context((self._home / "log").open("a"))
        command = [sys.executable, "-m", module, *map(str, arguments)]
        stack.enter_context(started(command, stdout=log, stderr=log, cwd=self._home))

    def _stop_what_ticks(self) -> None:
        """Have no schedule and no sensor launch a run of its own, whatever the time."""
        for entry in self._workspace.create_request_context().get_code_location_entries().values():
            assert entry.code_location is not None, entry.load_error
            for repository in entry.code_location.get_repositories().values():
                for schedule in repository.get_schedules():
                    self.instance.stop_schedule(schedule.get_remote_origin_id(), schedule.selector_id, schedule)
                for sensor in repository.get_sensors():
                    self.instance.stop_sensor(sensor.get_remote_origin_id(), sensor.selector_id, sensor)

    def have_daemon(self, seconds: int = 1) -> None:
        """Let dagster-daemon work: it starts runs, looks after them, starts them again, and goes on with backfills.

        Args:
            seconds: how often it looks whether a failed run is to be started again.
        """
        if self._looks_every == seconds:
            return
        self._daemon.close()
        self._looks_every = seconds
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("DAGSTER_EVENT_LOG_CONSUMER_DAEMON_INTERVAL_SECONDS", str(seconds))
            self._start(self._daemon, "dagster._daemon", "run", "--workspace", self._home / "workspace.yaml")

    # The database and the files

    def _run(self, statement: sql.SQL, *names: str) -> None:
        with psycopg.connect(self._server_url, autocommit=True, application_name="test: workers") as admin:
            admin.execute(statement.format(*map(sql.Identifier, names)))

    def _drop(self) -> None:
        for name in (self._name, self._kept, self._dagster):
            self._run(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)"), name)

    def _remove_containers(self) -> None:
        for container in engine().containers.list(all=True, filters={"label": self._name}):
            container.remove(force=True)

    def begin_with(self, template: str) -> None:
        """Make the database anew, as a copy of another one to which nobody is connected, and the files none."""
        self._run(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)"), self._name)
        self._run(sql.SQL("CREATE DATABASE {} TEMPLATE {}"), self._name, template)
        # The settings of a database are not copied with it.
        self._run(sql.SQL("ALTER DATABASE {} SET TimeZone = 'Asia/Seoul'"), self._name)
        with self.connect() as connection:
            if one(connection, "SELECT to_regnamespace('yumai_pipelines') IS NOT NULL"):
                configure_database(connection, Settings().timezone)
        store = fsspec.filesystem("s3")
        store.invalidate_cache()
        for path in store.find(BUCKET):
            store.rm_file(path)

    def keep(self) -> None:
        """Remember what the database and the files are now."""
        self._run(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)"), self._kept)
        self._run(sql.SQL("CREATE DATABASE {} TEMPLATE {}"), self._kept, self._name)
        store = fsspec.filesystem("s3")
        store.invalidate_cache()
        self._files = {path: store.cat_file(path) for path in store.find(BUCKET)}

    def go_back(self) -> None:
        """Make the database and the files what they were when they were kept. Nothing goes on of earlier tests."""
        for run in self.instance.get_runs(dg.RunsFilter(statuses=list(NOT_FINISHED_STATUSES))):
            self.instance.report_run_canceled(run)
        self._remove_containers()
        self.begin_with(self._kept)
        store = fsspec.filesystem("s3")
        for path, content in self._files.items():
            store.pipe_file(path, content)

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """Connect to the database as a superuser, in autocommit mode."""
        with psycopg.connect(self.url, autocommit=True, application_name="test: workers") as connection:
            yield connection

    # Runs

    def launch(self, job: str, config: Mapping[str, Any] | None = None, tags: Mapping[str, str] | None = None) -> str:
        """Launch a run as people do, and return its id. It waits in the queue until the daemon starts its container."""
        run = execute_launch_command(
            instance=self.instance,
            workspace_opts=WorkspaceOpts(workspace=(str(self._home / "workspace.yaml"),)),
            job_name=job,
            config_json=json.dumps(config) if config else None,
            tags=json.dumps(tags) if tags else None,
        )
        return str(run.run_id)

    def backfill(self, job: str, months: list[Month]) -> str:
        """Ask for a backfill of a job as the UI does, and return its id. The daemon launches its runs."""
        (location,) = self._workspace.create_request_context().code_locations
        (repository,) = location.get_repositories().values()
        (partitions,) = [each for each in repository.get_partition_sets() if each.job_name == job]
        backfill = PartitionBackfill(
            backfill_id=make_new_backfill_id(),
            partition_set_origin=partitions.get_remote_origin(),
            status=BulkActionStatus.REQUESTED,
            partition_names=[each.partition_key for each in months],
            from_failure=False,
            reexecution_steps=None,
            tags={},
            backfill_timestamp=time.time(),
        )
        self.instance.add_backfill(backfill)
        return backfill.backfill_id

    def runs_of_backfill(self, backfill_id: str, number: int) -> list[str] | None:
        """Return the ids of the runs that a backfill has launched, if there are so many."""
        runs = self.instance.get_runs(dg.RunsFilter(tags=dg.DagsterRun.tags_for_backfill_id(backfill_id)))
        return [run.run_id for run in runs] if len(runs) == number else None

    def is_over(self, backfill_id: str) -> bool:
        """Return whether a backfill goes on no more."""
        backfill = self.instance.get_backfill(backfill_id)
        return backfill is not None and backfill.status in BULK_ACTION_TERMINAL_STATUSES

    def container(self, run_id: str) -> Container:
        """Return the container of a run, as soon as it has one."""
        labelled = {"label": f"dagster/run_id={run_id}"}
        return self.wait_for(lambda: engine().containers.list(filters=labelled))[0]

    def kill(self, run_id: str) -> datetime:
        """Kill the container of a run, and return when it was."""
        container = self.container(run_id)
        container.kill("SIGKILL")
        assert container.wait()["StatusCode"] == KILLED
        return datetime.now(UTC)

    def runs_of(self, run_id: str) -> list[dg.DagsterRun]:
        """Return a run, and the runs that were started again after it, in order."""
        group = self.instance.get_run_group(run_id)
        assert group is not None
        return sorted(group[1], key=lambda run: int(run.tags.get(RETRY_NUMBER_TAG, "0")))

    def end_of(self, run_id: str) -> list[dg.DagsterRun]:
        """Wait until a run, and what is started again after it, has come to its end; and return them all."""

        def ended() -> list[dg.DagsterRun] | None:
            *_, last = runs = self.runs_of(run_id)
            # Dagster decides a moment after a failure whether the run is started again.
            over = last.tags.get(WILL_RETRY_TAG) == "false" if last.is_failure else last.is_finished
            return runs if over else None

        return self.wait_for(ended)

    def has_ended_each_step(self, run_id: str) -> bool:
        """Whether a run had done all its work when it was killed."""
        plan_id = self.runs_of(run_id)[0].execution_plan_snapshot_id
        assert plan_id is not None
        ended = {each.step_key for each in self.instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_SUCCESS)}
        return ended >= set(self.instance.get_execution_plan_snapshot(plan_id).step_keys_to_execute)

    def errors_of(self, run_id: str) -> list[str]:
        """Return why the steps of a run failed."""
        entries = self.instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
        return [str(each.get_dagster_event().step_failure_data.error) for each in entries]

    def failed_at(self, run_id: str) -> datetime:
        """Return when the daemon marked a run as failed."""
        (entry,) = self.instance.all_logs(run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
        return datetime.fromtimestamp(entry.timestamp, UTC)

    def wait_for(self, condition: Callable[[], T | None]) -> T:
        """Wait for something that takes a while, and return it. If it does not come, tell what the daemon said."""
        deadline = time.monotonic() + PATIENCE
        while not (found := condition()):
            if time.monotonic() > deadline:
                raise AssertionError((self._home / "log").read_text(encoding="utf-8")[-5000:])
            time.sleep(0.02)
        return found


def answers(port: int) -> bool:
    """Return whether something listens at a port of this machine."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def shortened(statement: str) -> str:
    """Return the beginning of a statement, without the comments before it, in one line."""
    lines = [line.strip() for line in statement.splitlines()]
    return " ".join(line for line in lines if line and not line.startswith("--"))[:80]


@contextmanager
def held(url: str, relation: str, mode: str) -> Iterator[Callable[[], list[str]]]:
    """Hold a lock on a table. Yield what returns the statements of the pipeline that wait for it."""
    with psycopg.connect(url, application_name="test: holds a lock") as holder, psycopg.connect(url) as looker:
        looker.autocommit = True
        lock = sql.SQL("LOCK TABLE {} IN {} MODE")
        holder.execute(lock.format(sql.Identifier(*relation.split(".")), sql.SQL(mode)))
        yield lambda: [shortened(statement) for (statement,) in every(looker, WAITING, holder.info.backend_pid)]
        holder.rollback()
