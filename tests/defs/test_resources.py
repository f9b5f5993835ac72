"""The resources of a run: each is made once, only for those that need it, and replacing one replaces it for all."""

from __future__ import annotations

import ast
import shutil
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest
from pydantic import SecretStr, ValidationError

import yumai_pipelines
from tests.graph import Graph, leaving, months
from yumai_pipelines.archives.store import Store
from yumai_pipelines.definitions import build_definitions, defs
from yumai_pipelines.defs import resources
from yumai_pipelines.defs.resources import PostgresResource, SmallResults
from yumai_pipelines.extracts.user_key import FILE, UserKeySecretError
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(yumai_pipelines.__file__).parent
ELSEWHERE = "postgresql://somebody@elsewhere/yumai"
SECRET = SecretStr("s" * 32)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home directory in an environment without other settings."""
    monkeypatch.setenv("YUMAI_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@contextmanager
def given(**overrides: object) -> Iterator[Any]:
    """Yield the resources that a graph gives to a run when some of them are replaced."""
    with dg.build_resources(dict(build_definitions(overrides).resources or {})) as found:
        yield found


# Where resources come from


def reads_of_the_environment(module: Path) -> int:
    """Count how often a module reads settings from the environment, under whatever name it imports them."""
    nodes = list(ast.walk(ast.parse(module.read_text())))
    imported = [alias for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names]
    names = {alias.asname or alias.name for alias in imported if alias.name == "Settings"}
    called = [ast.unparse(node.func) for node in nodes if isinstance(node, ast.Call)]
    return sum(each in names or each.endswith(".Settings") for each in called)


def test_settings_are_read_in_two_places() -> None:
    modules = [PACKAGE / "definitions.py", *(PACKAGE / "defs").rglob("*.py")]
    reads = {module.relative_to(PACKAGE).as_posix(): reads_of_the_environment(module) for module in modules}
    assert {module: count for module, count in reads.items() if count} == {"defs/resources.py": 1, "defs/months.py": 1}


def test_nothing_takes_the_settings_from_the_database() -> None:
    for module in (PACKAGE / "defs").rglob("*.py"):
        assert "postgres.settings" not in module.read_text(), module


def test_the_archive_and_the_secrets_are_given_to_few() -> None:
    jobs = defs.get_repository_def().get_all_jobs()
    takers: dict[str, set[str]] = {}
    for node in (node for job in jobs for node in job.all_node_defs if isinstance(node, dg.OpDefinition)):
        for key in node.required_resource_keys:
            takers.setdefault(key, set()).add(node.name)
    # What steps hand on is no secret, and is kept by the project's own `SmallResults`.
    assert isinstance((defs.resources or {})["io_manager"], SmallResults)
    assert set(takers) == {"postgres", "settings", "archive", "user_keys"}
    assert takers["archive"] == {"archive_conversations", "erase_data_of_user"}
    assert takers["user_keys"] == {
        "extracts",
        "delete_expired_sessions",
        "build_changed_extracts",
        "erase_data_of_user",
    }
    # Dagster's own records are in another database.
    assert takers["settings"] - {"prune_records"} < takers["postgres"]


def test_a_run_reads_the_settings_once(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = Counter[str]()

    def counted() -> Settings:
        reads["settings"] += 1
        return Settings()

    monkeypatch.setattr(resources, "Settings", counted)
    assert graph.run("daily_upkeep").materialized("chatbot", "session_monitoring")
    assert reads == {"settings": 1}


def test_all_that_a_run_is_given_has_the_same_settings(home: Path) -> None:
    with given() as found:
        assert found.postgres.settings is found.settings
        assert found.user_keys.settings is found.settings
        assert found.settings.home == home


def test_settings_are_those_of_the_time_when_a_run_starts(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YUMAI_TIMEZONE", "UTC")
    run = graph.run("monthly_partitions", months("2024-09"))
    assert run.materialized("chatbot", "conversations")["2024-09-01"]["lower_bound"] == "2024-09-01T00:00:00+00:00"


def test_bad_settings_fail_the_run_and_name_the_variable(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YUMAI_MONTHS_AHEAD", "99")
    run = graph.run("monthly_partitions", months("2024-09"))
    assert not run.success
    (failure,) = (event.job_failure_data for event in run.outcome.all_events if event.is_failure)
    assert failure.error is not None
    assert failure.error.cause is not None
    assert "ValidationError" in failure.error.cause.message
    assert "months_ahead\n  Input should be less than or equal to 24" in failure.error.cause.message
    with pytest.raises(dg.DagsterResourceFunctionError) as raised, given():
        pass
    assert isinstance(raised.value.__cause__, ValidationError)


def test_being_given_them_starts_and_writes_nothing(home: Path) -> None:
    with given() as found:
        assert found.postgres.embedded
        assert found.archive == Store.at(str(home / "archive"))
    assert not home.exists()


# Replacing a resource


def test_another_database_has_other_user_keys(home: Path) -> None:
    with given(postgres=PostgresResource(url=ELSEWHERE)) as found:
        assert found.postgres.login_url == ELSEWHERE
        with pytest.raises(UserKeySecretError):
            _ = found.user_keys.secret
        assert found.archive == Store.at(str(home / "archive"))


def test_other_settings_reach_everything(home: Path, tmp_path: Path) -> None:
    settings = Settings(
        database_url=SecretStr(ELSEWHERE), archive_url=str(tmp_path / "moved"), user_key_secret=SECRET, timezone="UTC"
    )
    with given(settings=settings) as found:
        assert found.settings is found.postgres.settings is found.user_keys.settings is settings
        assert found.postgres.login_url == ELSEWHERE
        assert found.archive == Store.at(str(tmp_path / "moved"))
        assert found.user_keys.secret == SECRET
    assert not home.exists()


def test_other_settings_reach_a_database_that_is_replaced_too() -> None:
    settings = Settings(timezone="UTC", user_key_secret=SECRET)
    with given(settings=settings, postgres=PostgresResource(url=ELSEWHERE)) as found:
        assert (found.postgres.settings, found.postgres.url) == (settings, ELSEWHERE)
        assert (found.user_keys.embedded, found.user_keys.secret) == (False, SECRET)


def test_other_settings_reach_runs_and_schedules_alike(database: str, instance: dg.DagsterInstance) -> None:
    settings = Settings(database_url=SecretStr(database), timezone="UTC", first_month="2030-01")
    definitions = build_definitions({"settings": settings})
    run = Graph(definitions, instance).run("monthly_partitions", months("2024-09"))
    assert run.materialized("chatbot", "conversations")["2024-09-01"]["lower_bound"] == "2024-09-01T00:00:00+00:00"
    schedule = definitions.resolve_schedule_def("monthly_archive_schedule")
    first = datetime(2025, 3, 1, 5, tzinfo=UTC)
    assert schedule.required_resource_keys == {"settings", "postgres"}
    known = {"settings": settings, "postgres": PostgresResource(url=database)}
    with dg.build_schedule_context(instance, scheduled_execution_time=first, resources=known) as context:
        skipped = schedule.evaluate_tick(context).skip_message
    assert skipped == "No month is past yet: the history begins with 2030-01."


def test_another_archive_gets_the_months(database: str, instance: dg.DagsterInstance, tmp_path: Path) -> None:
    overrides = {"postgres": PostgresResource(url=database), "archive": Store.at(str(tmp_path / "moved"))}
    graph = Graph(build_definitions(overrides), instance)
    assert graph.run("monthly_partitions", months("2024-08")).success
    archived = graph.run("monthly_archive", **leaving("2024-08")).materialized("chatbot", "archived_conversations")
    assert archived["2024-08-01"]["uri"].startswith(f"file://{tmp_path}/moved/")
    assert not (tmp_path / "archive").exists()


# The secret that makes the pseudonyms


def test_the_embedded_servers_secret_is_made_when_it_is_asked_for(home: Path) -> None:
    with given() as found:
        assert not home.exists()
        secret = found.user_keys.secret
        assert (home / FILE).read_text() == secret.get_secret_value()
        assert found.user_keys.all_secrets == (secret,)


@pytest.mark.parametrize("replaced", ["settings", "postgres"])
def test_no_secret_is_made_for_a_database_of_ones_own(replaced: str, home: Path) -> None:
    ones_own: dict[str, object] = {
        "settings": Settings(database_url=SecretStr(ELSEWHERE)),
        "postgres": PostgresResource(url=ELSEWHERE),
    }
    with given(**{replaced: ones_own[replaced]}) as found:
        for ask in ("secret", "all_secrets"):
            with pytest.raises(UserKeySecretError, match="YUMAI_USER_KEY_SECRET is not set"):
                getattr(found.user_keys, ask)
    assert not home.exists()


@pytest.mark.parametrize("url", [None, ELSEWHERE])
def test_a_secret_that_is_set_is_the_one_of_any_database(url: str | None, home: Path) -> None:
    with given(settings=Settings(user_key_secret=SECRET), postgres=PostgresResource(url=url)) as found:
        assert found.user_keys.secret == SECRET
        assert found.user_keys.all_secrets == (SECRET,)
    assert not home.exists()


@dg.op
def hand_on() -> list[str]:
    return ["2024-08"]


@dg.op
def take(months: list[str]) -> None:
    context = dg.OpExecutionContext.get()
    if not context.run.parent_run_id:
        raise RuntimeError("the worker died")
    context.add_output_metadata({"months": months})


@dg.job(executor_def=dg.in_process_executor, resource_defs={"io_manager": SmallResults()})
def two_steps() -> None:
    take(hand_on())


def test_a_run_that_is_started_again_goes_on_without_the_files_of_the_first(instance: dg.DagsterInstance) -> None:
    """Dagster's own way is a file of the host on which the first worker died."""
    job = dg.reconstructable(two_steps)
    first = dg.execute_job(job, instance)
    shutil.rmtree(instance.storage_directory(), ignore_errors=True)
    again = dg.ReexecutionOptions.from_failure(first.run_id, instance)
    second = dg.execute_job(job, instance, reexecution_options=again)
    assert (first.success, second.success) == (False, True)
    (output,) = second.filter_events(lambda event: event.is_successful_output)
    assert output.step_key == "take"
    assert output.step_output_data.metadata["months"].value == ["2024-08"]
