"""The published extracts: equal to the database, whole after each kill, and without a person who was erased."""

from __future__ import annotations

import sys
from contextlib import suppress
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake
from psycopg import sql
from typer.testing import CliRunner

from tests.extracts.dirt import plant
from tests.extracts.support import MONTHS, POLICY, ZONE, build
from tests.graph import Graph, months
from tests.hostile.worlds import NAMES as NAMES_OF_FILES
from tests.object_store import BUCKET, object_store
from tests.processes import finished
from tests.support import Connection, one
from yumai_pipelines.cli import app
from yumai_pipelines.extracts import publication
from yumai_pipelines.extracts.proof import prove
from yumai_pipelines.extracts.publication import PublicationError, late_months, publish, published_schema
from yumai_pipelines.extracts.publication import _found as find_table
from yumai_pipelines.extracts.publication import _make as make_table
from yumai_pipelines.model.registry import EXTRACTS, extract_of
from yumai_pipelines.postgres.connections import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import dagster as dg

    from tests.conftest import Databases
    from yumai_pipelines.model.entries import Extract

NAMES = [each.relation.name for each in EXTRACTS]


@pytest.fixture
def owner(database: str, connection: Connection) -> Iterator[Connection]:
    """The pipeline's connection to a database with proven extracts of dirty logs."""
    plant(connection, MONTHS, ZONE, rows=60, seed=5)
    with connect(database, application_name="test: publish") as pipeline:
        build(pipeline)
        prove(pipeline, EXTRACTS, MONTHS, ZONE)
        yield pipeline


def in_database(connection: Connection, extract: Extract) -> list[tuple[Any, ...]]:
    key = sql.SQL(", ").join(map(sql.Identifier, extract.key))
    query = sql.SQL("SELECT * FROM {} ORDER BY {}").format(extract.relation.identifier, key)
    return connection.execute(query).fetchall()


def same(found: object, wanted: object) -> bool:
    # A numeric without a scale is published as a double.
    return found == wanted or (wanted is not None and float(found) == float(wanted)) or found != found  # type: ignore[arg-type]


def assert_equal(rows: list[tuple[Any, ...]], wanted: list[tuple[Any, ...]]) -> None:
    assert len(rows) == len(wanted) > 0
    for row, other in zip(rows, wanted, strict=True):
        assert all(same(found, value) for found, value in zip(row, other, strict=True)), (row, other)


def published(url: str, name: str) -> DeltaTable:
    return DeltaTable(f"{url}/{name}")


@pytest.mark.parametrize("batch", [7, 20_000])
def test_every_row_is_published_as_it_is(
    owner: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(publication, "BATCH", batch)
    url = str(tmp_path / "extracts")
    assert len(late_months(owner, url)) == len(EXTRACTS) * len(MONTHS)
    assert len(publish(owner, url, POLICY)) == len(EXTRACTS) * len(MONTHS)
    for extract in EXTRACTS:
        wanted = in_database(owner, extract)
        table = published(url, extract.relation.name)
        assert pa.schema(table.schema().to_arrow()) == published_schema(extract)
        frame = pl.read_delta(str(tmp_path / "extracts" / extract.relation.name))
        assert_equal(frame.select(published_schema(extract).names).sort(extract.key).rows(), wanted)
        dataset = table.to_pyarrow_dataset()
        with duckdb.connect() as memory:
            memory.execute("SET TimeZone = 'UTC'")
            memory.register("extract", dataset)
            found = memory.table("extract").select(*published_schema(extract).names).order(", ".join(extract.key))
            assert_equal(found.fetchall(), wanted)


def test_what_is_published_is_left_alone_until_it_is_built_again(owner: Connection, tmp_path: Path) -> None:
    url = str(tmp_path)
    publish(owner, url, POLICY)
    versions = [published(url, name).version() for name in NAMES]
    assert publish(owner, url, POLICY) == []
    assert [published(url, name).version() for name in NAMES] == versions
    build(owner, MONTHS[1:2])
    # A build whose checks have not run yet is not published.
    assert publish(owner, url, POLICY) == []
    assert len(late_months(owner, url)) == len(EXTRACTS)
    prove(owner, EXTRACTS, MONTHS[1:2], ZONE)
    assert {(each.build.month, each.published) for each in publish(owner, url, POLICY)} == {(MONTHS[1].first_day, True)}
    assert late_months(owner, url) == []
    # Files of older versions are gone: one file of each month is left.
    for name in NAMES:
        assert len(list((tmp_path / name).rglob("month=*/*.parquet"))) == len(MONTHS)


def test_a_purged_month_stays_as_it_was_published(owner: Connection, tmp_path: Path) -> None:
    publish(owner, str(tmp_path), POLICY)
    owner.execute("UPDATE extracts.ledger SET purged_at = now(), purged_recommendations = 1")
    owner.execute("DELETE FROM analytics.recommendations_log")
    assert late_months(owner, str(tmp_path)) == publish(owner, str(tmp_path), POLICY) == []


KILLED = """
import os, sys
from datetime import timedelta
from yumai_pipelines.cli import app
from yumai_pipelines.extracts import publication
from yumai_pipelines.model.lock_policy import LockPolicy
from yumai_pipelines.postgres.connections import connect

url, place, event, number = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
left = number
def die(name, arguments):
    global left
    if name == publication.STEP_EVENT and arguments[0].startswith(event + " "):
        left -= 1
        if left == 0:
            os._exit(9)
sys.addaudithook(die)
if event == "batch":
    publication.BATCH = 5
    fetched = publication.read_chunks
    def some(*arguments, **options):
        global left
        for batch in fetched(*arguments, **options):
            left -= 1
            if left == 0:
                os._exit(9)
            yield batch
    publication.read_chunks = some
if event == "vacuum":
    publication._remove_old_files = lambda table: os._exit(9)
with connect(url, application_name="test: publish") as owner:
    publication.publish(owner, place, LockPolicy(timedelta(seconds=0.1), timedelta(seconds=20)))
"""


@pytest.mark.parametrize(
    ("event", "number"), [("publish", 1), ("publish", 6), ("published", 4), ("batch", 3), ("vacuum", 1)]
)
def test_a_killed_publication_is_finished_by_the_next(
    owner: Connection, database: str, tmp_path: Path, event: str, number: int
) -> None:
    if event == "vacuum":
        publish(owner, str(tmp_path), POLICY)
        build(owner)
        prove(owner, EXTRACTS, MONTHS, ZONE)
    killed = finished([sys.executable, "-c", KILLED, database, str(tmp_path), event, str(number)])
    assert killed.returncode == 9, killed.stderr
    done = len(EXTRACTS) * len(MONTHS) - len(late_months(owner, str(tmp_path)))
    assert done == {"publish": number - 1, "published": number, "batch": 0, "vacuum": len(MONTHS)}[event]
    publish(owner, str(tmp_path), POLICY)
    assert late_months(owner, str(tmp_path)) == []
    for extract in EXTRACTS:
        frame = pl.read_delta(str(tmp_path / extract.relation.name))
        assert_equal(
            frame.select(published_schema(extract).names).sort(extract.key).rows(), in_database(owner, extract)
        )
        assert len(list((tmp_path / extract.relation.name).rglob("month=*/*"))) == len(MONTHS)


def texts_in(directory: Path) -> str:
    """Everything that the files hold, with what Parquet has compressed."""
    found = []
    for path in directory.rglob("*"):
        if path.is_file():
            found.append(path.read_bytes().decode(errors="replace"))
            if path.suffix == ".parquet":
                found.append(str(pq.read_table(path, partitioning=None).to_pylist()))
    return "\n".join(found)


@pytest.fixture
def published_graph(graph: Graph, connection: Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Graph:
    """The graph on a database whose extracts were built and published by a run."""
    monkeypatch.setenv("YUMAI_EXTRACTS_URL", str(tmp_path / "extracts"))
    plant(connection, MONTHS, ZONE, rows=60, seed=5)
    run = graph.run("monthly_extracts", months("2024-11", "2025-02"))
    assert run.success, run.errors()
    return graph


def somebody(connection: Connection) -> tuple[str, int]:
    """The pseudonym of somebody in the extracts, and who they are."""
    row = connection.execute(
        "SELECT o.user_key, l.user_id FROM extracts.recommendation_outcomes AS o "
        "INNER JOIN analytics.recommendations_log AS l ON l.id = o.recommendation_id "
        "WHERE o.user_key IS NOT NULL AND l.user_id IS NOT NULL LIMIT 1"
    ).fetchone()
    assert row is not None
    return row[0], row[1]


def test_an_erased_person_is_gone_from_the_files(
    published_graph: Graph, connection: Connection, tmp_path: Path
) -> None:
    place = tmp_path / "extracts"
    check = ("extracts", "published", "extracts_published")
    assert published_graph.check(*check).evaluation(*check).passed
    key, user = somebody(connection)
    assert key in texts_in(place)
    run = published_graph.run("erase_user", dry_run=False, user_id=user, reason="asked for it")
    assert run.success, run.errors()
    assert one(connection, "SELECT count(*) FROM extracts.recommendation_outcomes WHERE user_key = %s", key) == 0
    assert key not in texts_in(place)
    assert published_graph.check(*check).evaluation(*check).passed

    # Rows that go without a build, as those of a purged month do, make the check fail.
    connection.execute("DELETE FROM extracts.recommendation_outcomes WHERE month = '2024-12-01'")
    evaluation = published_graph.check(*check).evaluation(*check)
    assert not evaluation.passed
    assert "recommendation_outcomes, month 2024-12, published an older build" in str(evaluation.description)


def test_the_command_takes_a_person_out_of_the_files(
    published_graph: Graph,
    database: str,
    connection: Connection,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert published_graph
    key, user = somebody(connection)
    monkeypatch.setenv("YUMAI_DATABASE_URL", database)
    # Also where checks have failed since: what was published before must not keep the person.
    connection.execute("UPDATE extracts.ledger SET checks_passed = false")
    outcome = CliRunner().invoke(app, ["erase", "--user-id", str(user), "--reason", "asked for it", "--yes"])
    assert outcome.exit_code == 0, outcome.output
    assert key not in texts_in(tmp_path / "extracts")


def test_a_publication_that_failed_after_an_erasure_is_made_good_by_the_next(
    published_graph: Graph,
    database: str,
    connection: Connection,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert published_graph
    monkeypatch.setenv("YUMAI_DATABASE_URL", database)
    key, user = somebody(connection)
    others = tmp_path / "extracts" / "recommendation_outcomes" / "notes.txt"
    others.write_text("of somebody else")
    erasure = ["erase", "--user-id", str(user), "--reason", "asked for it", "--yes"]
    with pytest.raises(PublicationError, match=r"erased from the database .* not yet from the published .* notes\.txt"):
        CliRunner().invoke(app, erasure, catch_exceptions=False)
    assert key in texts_in(tmp_path / "extracts")
    others.unlink()
    with connect(database, application_name="test: publish") as owner:
        # Built anew since, and not proven: what is published is of before the erasure, and must not stay.
        build(owner)
        assert publish(owner, str(tmp_path / "extracts"), POLICY)
        assert key not in texts_in(tmp_path / "extracts")
        # From then on a month that has not passed its checks is left as it is.
        build(owner)
        assert publish(owner, str(tmp_path / "extracts"), POLICY) == []


def test_files_of_others_stay_and_are_named(owner: Connection, tmp_path: Path) -> None:
    places = ["notes.xlsx", "sub/table.parquet", "month=2024-12-01/mine.csv"]
    for published_before in (False, True):
        url = tmp_path / str(published_before)
        if published_before:
            publish(owner, str(url), POLICY)
        files = [url / "shop_performance" / each for each in places]
        for each in files:
            each.parent.mkdir(parents=True, exist_ok=True)
            each.write_text("of somebody else")
        with pytest.raises(PublicationError, match=f"files that are not of .* {places[2]}, {places[0]}, {places[1]}"):
            publish(owner, str(url), POLICY)
        assert [each.read_text() for each in files] == ["of somebody else"] * 3
        for each in files:
            each.unlink()
        publish(owner, str(url), POLICY)
        assert late_months(owner, str(url)) == []


def test_a_table_of_others_is_refused(owner: Connection, tmp_path: Path) -> None:
    theirs = str(tmp_path / "shop_performance")
    rows = pa.Table.from_pylist([{}], schema=published_schema(extract_of("shop_performance")))
    write_deltalake(theirs, rows)
    write_deltalake(theirs, rows, mode="overwrite")
    for work in (late_months, partial(publish, policy=POLICY)):
        with pytest.raises(PublicationError, match="a Delta table that somebody else made"):
            work(owner, str(tmp_path))
    assert DeltaTable(theirs, version=0).to_pyarrow_table().num_rows == 1


def test_two_databases_do_not_share_a_place(
    owner: Connection, databases: Databases, template: str, tmp_path: Path
) -> None:
    publish(owner, str(tmp_path), POLICY)
    with databases.clone(template) as url, connect(url, application_name="test: another") as other:
        build(other)
        prove(other, EXTRACTS, MONTHS, ZONE)
        for work in (late_months, partial(publish, policy=POLICY)):
            with pytest.raises(PublicationError, match=f"of the database {databases.name(owner.info.dsn)} on the"):
                work(other, str(tmp_path))
    assert late_months(owner, str(tmp_path)) == []


def append(table: DeltaTable) -> None:
    write_deltalake(table, table.to_pyarrow_table().slice(0, 3), mode="append")


def lose_files(table: DeltaTable) -> None:
    for each in table.file_uris():
        Path(each).unlink()


def add_a_month(table: DeltaTable) -> None:
    rows = table.to_pyarrow_table().slice(0, 1)
    month = pa.array([date(1999, 1, 1)])
    write_deltalake(table, rows.set_column(rows.schema.get_field_index("month"), "month", month), mode="append")


@pytest.mark.parametrize(
    "change", [append, lose_files, add_a_month, lambda table: table.delete(), lambda table: table.restore(1)]
)
def test_what_others_have_changed_is_published_anew(
    owner: Connection, tmp_path: Path, change: Callable[[DeltaTable], object]
) -> None:
    publish(owner, str(tmp_path), POLICY)
    change(published(str(tmp_path), "shop_performance"))
    late = late_months(owner, str(tmp_path))
    assert [str(each.extract.relation) for each in late] == ["extracts.shop_performance"] * len(MONTHS)
    assert len(publish(owner, str(tmp_path), POLICY)) == len(MONTHS)
    assert late_months(owner, str(tmp_path)) == publish(owner, str(tmp_path), POLICY) == []
    extract = extract_of("shop_performance")
    frame = pl.read_delta(str(tmp_path / "shop_performance"))
    assert_equal(frame.select(published_schema(extract).names).sort(extract.key).rows(), in_database(owner, extract))


@pytest.mark.parametrize("name", NAMES_OF_FILES)
def test_a_directory_of_any_name_is_used_or_refused(connection: Connection, tmp_path: Path, name: str) -> None:
    """What is made is made there, and nowhere else: deltalake reads some names as something else."""
    url = str(tmp_path / name)
    with suppress(PublicationError):
        make_table(connection, url, extract_of("shop_performance"))
        assert find_table(connection, url, extract_of("shop_performance")) is not None
        assert (tmp_path / name / "shop_performance" / "_delta_log").is_dir()
        return
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_published_without_the_setting(database: str, instance: dg.DagsterInstance) -> None:
    script = (
        "import sys; from yumai_pipelines.definitions import defs; defs.get_repository_def(); "
        "print([name for name in sys.modules if name.startswith('deltalake')])"
    )
    assert finished([sys.executable, "-c", script]).stdout.strip() == "[]"
    check = ("extracts", "published", "extracts_published")
    evaluation = Graph.on(database, instance).check(*check).evaluation(*check)
    assert evaluation.passed
    assert evaluation.metadata["place"].value == "nowhere: YUMAI_EXTRACTS_URL is not set"


def test_a_place_that_cannot_be_used_is_named(owner: Connection, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    with pytest.raises(PublicationError, match="YUMAI_EXTRACTS_URL says where it is"):
        publish(owner, str(tmp_path / "file"), POLICY)


def test_extracts_are_published_to_an_object_store(owner: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    with object_store() as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        url = f"s3://{BUCKET}/extracts"
        publish(owner, url, POLICY)
        assert late_months(owner, url) == []
        extract = extract_of("shop_performance")
        table = DeltaTable(f"{url}/shop_performance", storage_options={"allow_http": "true"})
        key = [(name, "ascending") for name in extract.key]
        rows = table.to_pyarrow_table(columns=published_schema(extract).names).sort_by(key)
        assert_equal([tuple(row.values()) for row in rows.to_pylist()], in_database(owner, extract))
