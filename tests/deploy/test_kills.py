"""A worker that dies is made good: each job, its container killed in the middle, and what is there afterwards.

It needs a Docker engine and takes minutes, so it is left out unless `--kills` says how many moments are drawn for each
job: `make kills`. A table at the end says what was killed when, and what became of it.
"""

from __future__ import annotations

import json
import os
import random
import re
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import fsspec
import psycopg
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from psycopg import sql

from tests.deploy.workers import Workers, held, shortened
from tests.graph import Graph, leaving, months
from tests.hostile import operations
from tests.hostile.life import plant_world
from tests.hostile.operations import FIRST, LAST, SEOUL
from tests.hostile.test_faults import MADE_SESSIONS, renamed
from tests.object_store import BUCKET
from tests.processes import finished
from tests.records.test_prune import ALL_MONTHS, JOB, MANY
from tests.support import every
from yumai_pipelines.definitions import defs
from yumai_pipelines.defs.extracts.assets import extracts
from yumai_pipelines.defs.limits import LONGEST
from yumai_pipelines.defs.resources import PostgresResource
from yumai_pipelines.defs.schedules import QUEUE_TAG
from yumai_pipelines.local.server import program
from yumai_pipelines.model.registry import EXTRACTS
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sized

    from tests.support import Connection

NOWHERE = Path("/nowhere")
INSECURE = {"allow_http": "true"}
STARTED, FAILURE, SUCCESS = (dg.DagsterRunStatus[name] for name in ("STARTED", "FAILURE", "SUCCESS"))
SPAN = months(f"{FIRST}", f"{LAST}")


@dataclass(frozen=True)
class Step:
    """A run of a job, by its name, with its tags and the configuration of its first op."""

    job: str
    tags: dict[str, str] | None = None
    config: dict[str, Any] | None = None

    @property
    def run_config(self) -> dict[str, Any] | None:
        first = defs.resolve_job_def(self.job).nodes_in_topological_order[0]
        return {"ops": {first.name: {"config": self.config}}} if self.config else None


@dataclass(frozen=True)
class Scenario:
    """What a job has before it, and where it is killed first.

    Attributes:
        step: the run that is killed.
        before: what is done to the database before, in the order given.
        held: tables that another session holds meanwhile, and in which mode, while a worker is killed: one at a time.
        older: whether the database begins without the schema.
    """

    step: Step
    before: tuple[Step | Callable[[Workers], None], ...]
    held: tuple[tuple[str, str], ...]
    older: bool = False


def plant(workers: Workers) -> None:
    with workers.connect() as connection:
        plant_world(connection)


def lose_sessions(workers: Workers) -> None:
    operations.lose_sessions(workers.url, NOWHERE)


def make_older(workers: Workers) -> None:
    operations.make_older(workers.url, NOWHERE)


PARTITIONS = Step("monthly_partitions", SPAN)
BUILT = Step("monthly_extracts", SPAN)
ARCHIVED = Step("monthly_archive", config=leaving(f"{FIRST}", f"{LAST}"))
CONVERSATIONS = ("chatbot.conversations", "ACCESS EXCLUSIVE")

TAKING_OUT = leaving(f"{FIRST}", f"{LAST}")
THE_BUILD = ("extracts.recommendation_funnel", "SHARE")
"""What the steps wait for that build what others have changed."""

SCENARIOS = {
    each.step.job: each
    for each in (
        Scenario(Step("install_schema"), (), (("pg_catalog.pg_trigger", "SHARE"),), older=True),
        Scenario(PARTITIONS, (plant,), (CONVERSATIONS,)),
        Scenario(
            Step("daily_upkeep"),
            (plant, PARTITIONS, BUILT, ARCHIVED),
            (("chatbot.session_master", "SHARE"), ("chatbot.orders", "ACCESS EXCLUSIVE")),
        ),
        Scenario(BUILT, (plant, PARTITIONS), (("analytics.user_feedback", "ACCESS EXCLUSIVE"), THE_BUILD)),
        Scenario(ARCHIVED, (plant, PARTITIONS, BUILT), (CONVERSATIONS,)),
        Scenario(
            Step("monthly_retention", config=TAKING_OUT),
            (plant, PARTITIONS, BUILT, ARCHIVED),
            (("chatbot.session_master", "SHARE"),),
        ),
        Scenario(
            Step("repair_orphans", config={"dry_run": False}),
            (plant, PARTITIONS, BUILT, lose_sessions),
            (("chatbot.session_master", "SHARE"),),
        ),
        Scenario(
            Step("erase_user", config={"external_user_id": "dirt 1", "reason": "asked for", "dry_run": False}),
            (plant, PARTITIONS, BUILT, ARCHIVED),
            (("chatbot.users", "ACCESS EXCLUSIVE"), THE_BUILD),
        ),
        Scenario(
            Step("adopt_database", config={"dry_run": False}),
            (make_older,),
            (("chatbot.conversations", "SHARE"), CONVERSATIONS),
            older=True,
        ),
    )
}


def test_every_job_is_killed() -> None:
    jobs = {each.name for each in defs.resolve_all_job_defs() if not each.name.startswith("__")}
    assert {*SCENARIOS, "monthly_records"} == jobs == LONGEST.keys()


# What is there afterwards


COLUMNS = """
SELECT n.nspname, c.relname, array_agg(a.attname::text ORDER BY a.attnum) FROM pg_class AS c
INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
INNER JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'm') AND n.nspname IN ('chatbot', 'ml_features', 'analytics', 'extracts', 'yumai_pipelines')
GROUP BY 1, 2 ORDER BY 1, 2
"""
SETTINGS = """
SELECT unnest(setconfig) FROM pg_db_role_setting
WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY 1
"""

PER_ATTEMPT = {"yumai_pipelines.adoption_report"}
"""Tables in which each attempt tells what it found."""


def contents(workers: Workers, began: datetime) -> dict[str, list[str]]:
    """All that is in the database, the archive and the published extracts, but when it was done, and by which run."""
    found: dict[str, list[str]] = {}
    with workers.connect() as connection:
        connection.execute("SET timezone = 'UTC'")
        now = began.isoformat(sep=" ")

        def of_now(value: str | None) -> bool:
            return value is not None and value[4:5] == "-" and now <= value < "9"

        made = dict(every(connection, MADE_SESSIONS))
        for schema, name, columns in every(connection, COLUMNS):
            if f"{schema}.{name}" not in PER_ATTEMPT:
                kept = [each for each in columns if each != "run_id" and (schema, each) != ("yumai_pipelines", "id")]
                texts = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(each)) for each in kept)
                rows = connection.execute(sql.SQL("SELECT {} FROM {}").format(texts, sql.Identifier(schema, name)))
                lasting = (
                    {each: value for each, value in zip(kept, row, strict=True) if not of_now(value)} for row in rows
                )
                found[f"{schema}.{name}"] = sorted(
                    renamed(without_attempt(json.dumps(row, ensure_ascii=False)), made) for row in lasting
                )
        found["settings"] = [str(row) for row in every(connection, SETTINGS)]
    found["erasures"] = counts_of_erasures(found.pop("yumai_pipelines.erasures", []))
    dump = finished([str(program("pg_dump")), "--schema-only", workers.url])
    assert dump.returncode == 0, dump.stderr
    found["definitions"] = [line for line in dump.stdout.splitlines() if "restrict " not in line]
    return found | files()


def without_attempt(text: str) -> str:
    """Leave out what is said in words or in JSON: since when the logs of a month have changed, and which run it was."""
    text = re.sub(r"\d{2}:\d{2}:\d{2}[+-]\d{4}", "then", text)
    return re.sub(r"\brun\b(\W+)[0-9a-f]{8}-[0-9a-f-]{27}", r"run\1", text)


def counts_of_erasures(records: list[str]) -> list[str]:
    """What was erased, all in all: an attempt that was killed has recorded what it had erased."""
    total: Counter[str] = Counter()
    for record in records:
        total += Counter(json.loads(json.loads(record)["counts"]))
    return [f"{what}: {count}" for what, count in sorted(total.items())]


def files() -> dict[str, list[str]]:
    """The rows of each archived file and each published extract, and the names of the other files."""
    store = fsspec.filesystem("s3")
    store.invalidate_cache()
    paths = [path for folder in ("archive", "reports") for path in store.find(f"{BUCKET}/{folder}")]
    found = {"files": sorted(paths)}
    for path in paths:
        if path.endswith(".parquet"):
            with store.open(path) as file:
                found[path] = sorted(map(str, pq.read_table(file).to_pylist()))
    for extract in EXTRACTS:
        place = f"s3://{BUCKET}/extracts/{extract.relation.name}"
        if DeltaTable.is_deltatable(place, storage_options=INSECURE):
            table = DeltaTable(place, storage_options=INSECURE).to_pyarrow_table()
            found[place] = sorted(map(str, table.to_pylist()))
    return found


def differences(found: dict[str, list[str]], wanted: dict[str, list[str]]) -> list[str]:
    told = []
    for what in sorted(found.keys() | wanted.keys()):
        here, there = Counter(found.get(what, ())), Counter(wanted.get(what, ()))
        told += [f"{what}, only after a kill: {row}" for row in list((here - there).elements())[:3]]
        told += [f"{what}, only undisturbed: {row}" for row in list((there - here).elements())[:3]]
    return told


# The moments


@dataclass(frozen=True)
class Prepared:
    """A scenario whose database is kept, what an undisturbed run left of it, how long it took, and what it touched."""

    scenario: Scenario
    began: datetime
    wanted: dict[str, list[str]]
    seconds: float
    touched: list[tuple[str, str]]


TOUCHED = """
SELECT s.schemaname || '.' || s.relname, s.n_tup_ins + s.n_tup_upd + s.n_tup_del > 0
FROM pg_stat_all_tables AS s
INNER JOIN pg_class AS c ON c.oid = s.relid AND NOT c.relisshared
WHERE s.schemaname IN ('pg_catalog', 'chatbot', 'ml_features', 'analytics', 'extracts', 'yumai_pipelines')
    AND (s.n_tup_ins + s.n_tup_upd + s.n_tup_del > 0 OR s.seq_scan + coalesce(s.idx_scan, 0) > 0)
ORDER BY 1
"""


def locks(connection: Connection, there: set[str]) -> list[tuple[str, str]]:
    """Return locks that would have made the only run on this database wait, on tables that were there before it."""
    chosen = []
    for relation, changed in every(connection, TOUCHED):
        if relation in there and changed:
            chosen.append((relation, "SHARE"))
        if relation in there and not relation.startswith("pg_catalog."):
            chosen.append((relation, "ACCESS EXCLUSIVE"))
    return chosen


@pytest.fixture(scope="module")
def workers(
    server_url: str, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[Workers]:
    image = pytestconfig.getoption("worker_image")
    with Workers.at_work(server_url, tmp_path_factory.mktemp("workers"), image) as workers:
        yield workers


@pytest.fixture
def daemon(workers: Workers) -> None:
    workers.have_daemon()


@pytest.fixture(scope="module")
def prepared(request: pytest.FixtureRequest, workers: Workers, template: str) -> Prepared:
    """A scenario, by the name of its job."""
    return prepare(workers, SCENARIOS[request.param], template)


def prepare(workers: Workers, scenario: Scenario, template: str) -> Prepared:
    began = datetime.now(UTC)
    workers.begin_with("template0" if scenario.older else template)
    for each in scenario.before:
        undisturbed(workers, each) if isinstance(each, Step) else each(workers)
    workers.keep()
    workers.go_back()
    with workers.connect() as connection:
        there = {f"{schema}.{name}" for schema, name in every(connection, ALL_TABLES)}
    start = time.monotonic()
    undisturbed(workers, scenario.step)
    seconds = time.monotonic() - start
    with workers.connect() as connection:
        touched = locks(connection, there)
    return Prepared(scenario, began, contents(workers, began), seconds, touched)


ALL_TABLES = "SELECT schemaname, tablename FROM pg_tables"


def undisturbed(workers: Workers, step: Step) -> None:
    """Run a job in this process, where nobody kills it."""
    with dg.DagsterInstance.ephemeral() as instance:
        run = Graph.on(workers.url, instance).run(step.job, step.tags, **(step.config or {}))
    assert run.success, run.errors()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Kill each job at as many moments as are asked for."""
    if "moment" in metafunc.fixturenames:
        cases = [(job, number) for job in SCENARIOS for number in range(metafunc.config.getoption("kills") or 1)]
        metafunc.parametrize(("prepared", "moment"), cases, indirect=["prepared"])


RUNNING = """
SELECT query FROM pg_stat_activity
WHERE application_name LIKE 'yumai: %' AND datname = current_database()
ORDER BY state, query_start DESC
"""


def kill_at(workers: Workers, prepared: Prepared, number: int) -> tuple[str, str, datetime]:
    """Launch a run and kill its worker at a moment. Return the run, what it was doing, and when it was killed.

    The first moments are the scenario's own; then, in turn, the run waits for a drawn table, or has gone on for a drawn
    time.
    """
    step, own = prepared.scenario.step, prepared.scenario.held
    dice = random.Random(f"{step.job} {number}")  # noqa: S311
    if number >= len(own) and (number - len(own)) % 2:
        return kill_after(workers, step, dice.uniform(0, prepared.seconds))
    relation, mode = own[number] if number < len(own) else dice.choice(prepared.touched)
    with held(workers.url, relation, mode) as waiting:
        run = workers.launch(step.job, step.run_config, step.tags)
        statement = workers.wait_for(waiting)[0]
        killed = workers.kill(run)
    return run, f"waited for {relation} ({mode}): {statement}", killed


def kill_after(workers: Workers, step: Step, seconds: float) -> tuple[str, str, datetime]:
    """Kill a run so many seconds after its first step has begun; sooner, if it was over then."""
    run = workers.launch(step.job, step.run_config, step.tags)
    workers.wait_for(lambda: workers.instance.all_logs(run, of_type=dg.DagsterEventType.STEP_START))
    time.sleep(seconds)
    with workers.connect() as connection:
        statements = every(connection, RUNNING)
    if workers.runs_of(run)[0].is_finished:
        workers.go_back()
        return kill_after(workers, step, seconds / 2)
    killed = workers.kill(run)
    return run, f"after {seconds:.1f} s: {shortened(statements[0][0]) if statements else 'no connection'}", killed


@pytest.mark.kills
@pytest.mark.usefixtures("daemon")
def test_a_job_whose_worker_is_killed_is_made_good(
    workers: Workers, prepared: Prepared, moment: int, record_property: Callable[[str, object], None]
) -> None:
    workers.go_back()
    run, doing, killed = kill_at(workers, prepared, moment)
    runs = workers.end_of(run)
    found = contents(workers, prepared.began)
    note(record_property, workers, prepared.scenario.step.job, doing, run, killed, found)
    assert "\n".join(differences(found, prepared.wanted)) == ""
    statuses = [each.status for each in runs]
    # Dagster does not start a run again in which no step is left.
    assert statuses == ([FAILURE] if workers.has_ended_each_step(run) else [FAILURE, SUCCESS]), workers.errors_of(
        runs[-1].run_id
    )


def note(
    record_property: Callable[[str, object], None],
    workers: Workers,
    job: str,
    doing: str,
    run: str,
    killed: datetime,
    found: Mapping[str, Sized],
) -> None:
    """Have the table at the end tell of a kill: what was killed, when, how soon it was noticed, what was compared."""
    noticed = (workers.failed_at(run) - killed).total_seconds()
    runs = ", ".join(each.status.value.lower() for each in workers.runs_of(run))
    record_property("kill", (job, doing, f"{noticed:.1f} s", runs, sum(map(len, found.values()))))


@pytest.mark.kills
@pytest.mark.usefixtures("daemon")
@pytest.mark.parametrize("prepared", ["monthly_archive"], indirect=True)
def test_a_job_whose_second_worker_is_killed_too_is_made_good_by_the_third(
    workers: Workers, prepared: Prepared, record_property: Callable[[str, object], None]
) -> None:
    workers.go_back()
    with held(workers.url, *CONVERSATIONS) as waiting:
        run = workers.launch("monthly_archive", prepared.scenario.step.run_config)
        workers.wait_for(waiting)
        killed = workers.kill(run)
        second = workers.wait_for(lambda: workers.runs_of(run)[1:])[0].run_id
        doing = workers.wait_for(waiting)[0]
        workers.kill(second)
    runs = workers.end_of(run)
    found = contents(workers, prepared.began)
    note(record_property, workers, "monthly_archive, twice", doing, run, killed, found)
    assert [each.status for each in runs] == [FAILURE, FAILURE, SUCCESS]
    assert "\n".join(differences(found, prepared.wanted)) == ""


@pytest.mark.kills
@pytest.mark.usefixtures("daemon")
@pytest.mark.parametrize("prepared", ["monthly_extracts"], indirect=True)
def test_of_two_workers_one_is_killed_and_the_other_finishes(
    workers: Workers, prepared: Prepared, record_property: Callable[[str, object], None]
) -> None:
    """Each builds a month. They are of different queues, since those of one come one after the other."""
    workers.go_back()
    with held(workers.url, *prepared.scenario.held[0]) as waiting:
        doomed, other = (
            workers.launch("monthly_extracts", tags={**months(f"{month}"), QUEUE_TAG: f"{month}"})
            for month in (FIRST, LAST)
        )
        for run in (doomed, other):
            workers.container(run)
        workers.wait_for(lambda: len(waiting()) == 2)
        doing, killed = waiting()[0], workers.kill(doomed)
    ended, (survivor,) = workers.end_of(doomed), workers.end_of(other)
    found = contents(workers, prepared.began)
    note(record_property, workers, "monthly_extracts, one of two", doing, doomed, killed, found)
    assert survivor.status is SUCCESS
    assert [each.status for each in ended] == [FAILURE, SUCCESS]
    assert "\n".join(differences(found, prepared.wanted)) == ""


@pytest.mark.kills
@pytest.mark.usefixtures("daemon")
def test_a_worker_that_removes_old_records_is_made_good(
    workers: Workers, record_property: Callable[[str, object], None], template: str
) -> None:
    """Of Dagster's own database: what the daemon and the runs write there meanwhile stays."""
    workers.begin_with(template)
    assert JOB.execute_in_process(instance=workers.instance, tags=ALL_MONTHS).success
    url = os.environ["YUMAI_DAGSTER_URL"]
    with psycopg.connect(url, autocommit=True) as history:
        history.execute((MANY % {"runs": 50}).encode())
        history.execute(AGE_THEM)
        # The latest of each kind stays, however old.
        assert JOB.execute_in_process(instance=workers.instance, tags=ALL_MONTHS).success
        before = records(history)
        with held(url, "public.asset_event_tags", "SHARE") as waiting:
            run = workers.launch("monthly_records")
            (doing,) = workers.wait_for(waiting)
            killed = workers.kill(run)
            assert records(history).items() >= before.items()
        runs = workers.end_of(run)
        left = records(history)
    note(record_property, workers, "monthly_records", doing, run, killed, {"records": left})
    assert [each.status for each in runs] == [FAILURE, SUCCESS]
    assert before.keys() - left.keys() == {each for each in before if each[1].startswith("old ")}


AGE_THEM = """
UPDATE event_logs SET timestamp = timestamp - interval '200 days' WHERE run_id LIKE 'old %';
UPDATE runs SET update_timestamp = update_timestamp - interval '200 days' WHERE run_id LIKE 'old %';
UPDATE asset_check_executions SET create_timestamp = create_timestamp - interval '200 days' WHERE run_id LIKE 'old %';
"""


def records(history: Connection) -> dict[tuple[str, str, int], bool]:
    """What Dagster keeps of runs: the table, the run and the row's number."""
    found = every(
        history,
        """
        SELECT 'event', run_id, id FROM event_logs UNION ALL SELECT 'check', run_id, id FROM asset_check_executions
        UNION ALL SELECT 'run', run_id, id FROM runs UNION ALL SELECT 'tag', run_id, id FROM run_tags
        """,
    )
    return dict.fromkeys(map(tuple, found), True)


@pytest.mark.kills
@pytest.mark.usefixtures("daemon")
@pytest.mark.parametrize("prepared", ["monthly_extracts"], indirect=True)
def test_a_killed_run_of_a_backfill_that_goes_on_is_started_again(
    workers: Workers, prepared: Prepared, record_property: Callable[[str, object], None]
) -> None:
    """Months that do not adjoin are two runs, of which one waits until the other has ended."""
    workers.go_back()
    apart = [FIRST, LAST + 2]
    with held(workers.url, *prepared.scenario.held[0]) as waiting:
        backfill = workers.backfill("monthly_extracts", apart)
        first, second = workers.wait_for(lambda: workers.runs_of_backfill(backfill, 2))
        doing = workers.wait_for(waiting)[0]
        (doomed,) = [run for run in (first, second) if workers.runs_of(run)[0].status is STARTED]
        killed = workers.kill(doomed)
    ended = [workers.end_of(run) for run in (first, second)]
    workers.wait_for(lambda: workers.is_over(backfill))
    found = contents(workers, prepared.began)
    note(record_property, workers, "monthly_extracts, in a backfill", doing, doomed, killed, found)
    assert [[each.status for each in runs] for runs in sorted(ended, key=len)] == [[SUCCESS], [FAILURE, SUCCESS]]
    workers.go_back()
    for month in apart:
        undisturbed(workers, Step("monthly_extracts", months(f"{month}")))
    assert "\n".join(differences(found, contents(workers, prepared.began))) == ""


NIGHT = datetime(2025, 1, 2, 2, tzinfo=SEOUL)


def ask_for_months(workers: Workers) -> list[dict[str, str]]:
    """Return the tags of the runs that the schedule of the extracts asks for in a night."""
    schedule = defs.resolve_schedule_def("monthly_extracts_schedule")
    given = {"settings": Settings(), "postgres": PostgresResource(url=workers.url)}
    with dg.build_schedule_context(workers.instance, scheduled_execution_time=NIGHT, resources=given) as context:
        requests = schedule.evaluate_tick(context).run_requests
    return [dict(each.tags) for each in requests or ()]


@pytest.mark.kills
@pytest.mark.parametrize("prepared", ["monthly_extracts"], indirect=True)
def test_months_of_a_backfill_that_ended_with_its_worker_are_asked_for_by_the_next_night(
    workers: Workers, prepared: Prepared, record_property: Callable[[str, object], None]
) -> None:
    """Where the backfill ends before the daemon looks for failed runs, Dagster does not start the run again."""
    workers.go_back()
    workers.instance.wipe_assets(list(extracts.keys))
    workers.have_daemon(seconds=3600)
    with held(workers.url, *prepared.scenario.held[0]) as waiting:
        backfill = workers.backfill("monthly_extracts", [FIRST, LAST])
        (run,) = workers.wait_for(lambda: workers.runs_of_backfill(backfill, 1))
        doing = workers.wait_for(waiting)[0]
        killed = workers.kill(run)
    workers.wait_for(lambda: workers.is_over(backfill))
    workers.have_daemon()
    workers.wait_for(lambda: [each for each in workers.instance.all_logs(run) if "Not retrying run" in each.message])

    asked = ask_for_months(workers)
    assert asked
    for each in asked:
        made_good = workers.launch("monthly_extracts", tags=each)
        assert [run.status for run in workers.end_of(made_good)] == [SUCCESS]
    found = contents(workers, prepared.began)
    note(record_property, workers, "monthly_extracts, all of a backfill", doing, run, killed, found)
    workers.go_back()
    for each in asked:
        undisturbed(workers, Step("monthly_extracts", each))
    wanted = contents(workers, prepared.began)
    assert "\n".join(differences(found, wanted)) == ""
    outcomes = "extracts.recommendation_outcomes"
    assert set(prepared.wanted[outcomes]) <= set(found[outcomes])
