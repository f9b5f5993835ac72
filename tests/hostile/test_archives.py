"""Months that cannot leave, or not all the way: each is named and stays where it was, and the others leave."""

from __future__ import annotations

import errno
import io
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, LiteralString

import pyarrow.parquet as pq
import pytest
from psycopg import sql

from tests.archives.test_archives import archive, contents, ensure, new_turn, plant, restore
from tests.support import Connection, every, one
from yumai_pipelines.archives import archive as engine
from yumai_pipelines.archives.proof import fault_of, read_files
from yumai_pipelines.archives.store import ArchiveError, Store
from yumai_pipelines.partitions import archived
from yumai_pipelines.partitions.tables import DependentsError, PartitionError
from yumai_pipelines.postgres.connections import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.graph import Graph

MONTHS = ("2024-08", "2024-09", "2024-10")
CHECK = ("chatbot", "archived_conversations", "no_table_is_left_over")


def attached(connection: Connection) -> set[str]:
    """Return the names of the partitions."""
    query = "SELECT relname FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = %s::regclass"
    names = {name for (name,) in every(connection, query, "chatbot.conversations")}
    return {name.removeprefix("conversations_").replace("_", "-") for name in names}


# Before the month is taken out


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("CREATE VIEW public.v AS SELECT id FROM {}", "view public.v"),
        ("CREATE MATERIALIZED VIEW public.m AS SELECT id FROM {}", "materialized view public.m"),
        (
            "CREATE TABLE public.t (id bigint, at timestamptz, FOREIGN KEY (id, at) REFERENCES {})",
            "constraint t_id_at_fkey on table public.t",
        ),
        ("CREATE TABLE public.t (turn {})", "table public.t"),
        (
            "CREATE FUNCTION public.f() RETURNS bigint BEGIN ATOMIC SELECT count(*) FROM {}; END",
            "function public.f()",
        ),
    ],
)
def test_a_month_that_something_depends_on_stays_and_the_others_leave(
    statement: LiteralString, named: str, database: str, connection: Connection, tmp_path: Path
) -> None:
    ensure(database, *MONTHS)
    plant(connection)
    before = contents(connection)
    partition = sql.SQL("chatbot.conversations_2024_09")
    connection.execute(sql.SQL(statement).format(partition))

    with pytest.raises(DependentsError, match=r"chatbot\.conversations_2024_09 is to leave") as refusal:
        archive(database, tmp_path, *MONTHS)

    assert named in str(refusal.value)
    assert attached(connection) == {"2024-09", "default"}
    ensure(database, "2024-12")
    for month in ("2024-08", "2024-10"):
        restore(database, month)
    assert contents(connection) == before


def test_the_conversations_may_be_referred_to_as_a_whole(database: str, connection: Connection, tmp_path: Path) -> None:
    """A foreign key to the parent has a part on each partition, which leaves with it if no row is referred to."""
    ensure(database, *MONTHS)
    plant(connection)
    connection.execute(
        "CREATE TABLE public.t (id bigint, at timestamptz, FOREIGN KEY (id, at) REFERENCES chatbot.conversations);"
        "INSERT INTO public.t SELECT id, conversation_time FROM chatbot.conversations_2024_09 LIMIT 1;"
        "GRANT SELECT ON public.t TO yumai_pipeline"
    )
    with pytest.raises(ArchiveError, match=r"2024-09 cannot be archived: .*violates foreign key"):
        archive(database, tmp_path, *MONTHS)
    assert attached(connection) == {"2024-09", "default"}


def test_a_row_that_is_too_long_is_named(
    database: str, connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "LONGEST_ROW", 3000)
    ensure(database, *MONTHS)
    plant(connection)
    connection.execute("UPDATE chatbot.conversations SET input_text = repeat('가', 1000) WHERE id = 25")
    with pytest.raises(ArchiveError, match=r"2024_09 .*: id 25, conversation_time 2024-.* most of them in input_text"):
        archive(database, tmp_path, *MONTHS)
    assert attached(connection) == {"2024-09", "default"}


def test_a_view_of_the_default_partition_is_named_before_rows_move(
    database: str, connection: Connection, graph: Graph
) -> None:
    ensure(database, "2024-08")
    new_turn(connection, "2024-09-20 12:00+09")
    connection.execute("CREATE VIEW public.v AS SELECT id FROM chatbot.conversations_default")
    with pytest.raises(PartitionError, match=r"conversations_default is to be replaced .* view public\.v"):
        ensure(database, "2024-09")
    assert one(connection, "SELECT count(*) FROM pg_class WHERE relname ~ '_next$|_retired$'") == 0
    ensure(database, "2024-10")
    assert graph.check(*CHECK).evaluation(*CHECK).passed


def test_a_publication_of_all_tables_stops_no_month(database: str, connection: Connection, tmp_path: Path) -> None:
    """Such a publication refuses to update or delete rows of a table without a replica identity."""
    plant(connection)
    before = contents(connection)
    connection.execute("CREATE PUBLICATION everything FOR ALL TABLES")
    assert [report.action for report in archive(database, tmp_path, *MONTHS)] == ["archived"] * 3
    for month in MONTHS:
        restore(database, month)
    assert contents(connection) == before
    bare = """
        SELECT c.oid::regclass::text FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname IN ('chatbot', 'ml_features', 'analytics', 'extracts', 'yumai_pipelines')
          AND c.relkind IN ('r', 'p') AND c.relreplident = 'd'
          AND NOT EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisprimary)
    """
    assert every(connection, bare) == []


# When the month is out


class Full(Store):
    """A store whose disk is full when a Parquet file of September has been begun."""

    @contextmanager
    def writing(self, name: str) -> Iterator[IO[bytes]]:
        with super().writing(name) as file:
            yield file
            if "2024-09" in name and name.endswith(".parquet"):
                raise OSError(errno.ENOSPC, "No space left on device")


def test_a_month_whose_export_fails_is_put_back_and_the_others_leave(
    database: str, connection: Connection, tmp_path: Path
) -> None:
    ensure(database, *MONTHS)
    plant(connection)
    connection.execute("CREATE INDEX late ON chatbot.conversations (emotion)")
    before = contents(connection)

    with pytest.raises(ArchiveError, match=r"2024-09 was not archived.*No space left") as refusal:
        archive(database, Full.at(str(tmp_path)), *MONTHS)

    assert str(refusal.value).endswith("The month is a partition as before.")
    assert attached(connection) == {"2024-09", "default"}
    assert [month.key for month in archived.read(connection)] == ["2024-08", "2024-10"]
    assert one(connection, "SELECT count(*) FROM chatbot.conversations_2024_09") == 19
    leftovers = "SELECT tgname FROM pg_trigger WHERE tgrelid = 'chatbot.conversations_2024_09'::regclass"
    assert not [name for (name,) in every(connection, leftovers) if "note" in name]
    constraints = "SELECT conname FROM pg_constraint WHERE conrelid = 'chatbot.conversations_2024_09'::regclass"
    assert ("yumai_bounds",) not in every(connection, constraints)
    assert [report.action for report in archive(database, tmp_path, *MONTHS)] == [
        "already archived",
        "archived",
        "already archived",
    ]
    for month in MONTHS:
        restore(database, month)
    assert contents(connection) == before


@pytest.mark.parametrize("without_default", [False, True])
def test_a_month_that_has_late_rows_or_no_default_partition_is_put_back_too(
    database: str, connection: Connection, tmp_path: Path, *, without_default: bool
) -> None:
    ensure(database, *MONTHS)
    plant(connection, rows=50)
    before = contents(connection)
    if without_default:
        connection.execute("DROP TABLE chatbot.conversations_default")

    class FullLater(Full):
        @contextmanager
        def writing(self, name: str) -> Iterator[IO[bytes]]:
            if "2024-09" in name and name.endswith(".parquet") and not without_default:
                with connect(database, application_name="test: late") as writer:
                    new_turn(writer, "2024-09-20 12:00+09")
            with super().writing(name) as file:
                yield file

    with pytest.raises(ArchiveError, match="The month is a partition as before"):
        archive(database, FullLater.at(str(tmp_path)), "2024-09")

    rows = contents(connection)
    assert (rows if without_default else rows[:-1]) == before
    assert "2024-09" in attached(connection)
    assert archived.read(connection) == {}


def test_all_months_in_trouble_are_named(database: str, connection: Connection, tmp_path: Path) -> None:
    ensure(database, *MONTHS)
    plant(connection)
    for month in ("2024_08", "2024_10"):
        names = (sql.Identifier("public", f"v{month}"), sql.Identifier("chatbot", f"conversations_{month}"))
        connection.execute(sql.SQL("CREATE VIEW {} AS SELECT id FROM {}").format(*names))
    with pytest.raises(ArchiveError, match="2 months could not be archived") as refusal:
        archive(database, tmp_path, *MONTHS)
    assert "view public.v2024_08" in str(refusal.value)
    assert "view public.v2024_10" in str(refusal.value)
    assert attached(connection) == {"2024-08", "2024-10", "default"}


def test_a_view_of_a_table_that_waits_to_be_dropped_stops_no_other_month(
    database: str, connection: Connection, tmp_path: Path, graph: Graph
) -> None:
    """The view is made between the moment at which the file is recorded and that at which the table is dropped."""
    ensure(database, *MONTHS)
    plant(connection)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "clean_up", lambda _: None)
        archive(database, tmp_path, "2024-08")
    connection.execute("CREATE VIEW public.v AS SELECT id FROM yumai_pipelines.conversations_2024_08_detached")

    ensure(database, "2024-12")
    assert len(archive(database, tmp_path, "2024-09", "2024-10")) == 2

    evaluation = graph.check(*CHECK).evaluation(*CHECK)
    assert not evaluation.passed
    assert evaluation.description is not None
    assert "kept by view public.v" in evaluation.description
    connection.execute("DELETE FROM chatbot.session_master")
    assert one(connection, "SELECT count(*) FROM public.v") == 0
    connection.execute("DROP VIEW public.v")
    ensure(database, "2024-12")
    assert graph.check(*CHECK).evaluation(*CHECK).passed


# When the file is damaged


def flip(path: Path, position: int, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1 << bit
    path.write_bytes(content)


def with_a_smaller_maximum(content: bytes, column: str) -> bytes:
    """A Parquet file whose statistics say of a column of bigint that its greatest value is its least."""
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    group = pq.ParquetFile(io.BytesIO(content)).metadata.row_group(0)
    (statistics,) = [
        group.column(each).statistics
        for each in range(group.num_columns)
        if group.column(each).path_in_schema == column
    ]
    least, greatest = (value.to_bytes(8, "little") for value in (statistics.min, statistics.max))
    assert content[footer:].count(greatest) > 0
    return content[:footer] + content[footer:].replace(greatest, least)


def test_statistics_that_would_have_readers_skip_rows_are_found(
    database: str, connection: Connection, tmp_path: Path
) -> None:
    plant(connection)
    archive(database, tmp_path, "2024-08")
    (path,) = tmp_path.rglob("*.parquet")
    (ledger,) = archived.read(connection).values()
    greatest = max(pq.read_table(path, columns=["id"])["id"].to_pylist())
    path.write_bytes(with_a_smaller_maximum(path.read_bytes(), "id"))
    assert pq.read_table(path, filters=[("id", "=", greatest)]).num_rows == 0
    assert greatest in pq.read_table(path, columns=["id"])["id"].to_pylist()
    assert "its SHA-256 is" in fault_of(ledger)


class Bending(Store):
    """A store that keeps the rows, and bends what the file says of them."""

    @contextmanager
    def writing(self, name: str) -> Iterator[IO[bytes]]:
        with super().writing(name) as file:
            yield file
        if name.endswith(".parquet"):
            path = Path(self.root) / name
            path.write_bytes(with_a_smaller_maximum(path.read_bytes(), "id"))


def test_a_file_that_is_not_what_was_written_is_no_archive(
    database: str, connection: Connection, tmp_path: Path
) -> None:
    plant(connection)
    with pytest.raises(ArchiveError, match="is not what was written: its SHA-256"):
        archive(database, Bending.at(str(tmp_path)), "2024-08")
    assert attached(connection) == {"2024-08", "default"}


def test_every_flipped_bit_is_found(database: str, connection: Connection, tmp_path: Path) -> None:
    plant(connection)
    archive(database, tmp_path, "2024-08")
    (path,) = tmp_path.rglob("*.parquet")
    whole = path.read_bytes()
    (ledger,) = archived.read(connection).values()
    assert fault_of(ledger) == ""
    for number, position in enumerate([*range(0, len(whole), len(whole) // 200), len(whole) - 1]):
        flip(path, position, number % 8)
        assert fault_of(ledger), f"bit {number % 8} of octet {position}"
        path.write_bytes(whole)
    for length in (0, 3, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        assert "bytes instead of" in fault_of(ledger)


def test_a_damaged_file_is_named_each_day_and_the_others_are_read_in_turn(
    database: str, connection: Connection, tmp_path: Path
) -> None:
    plant(connection)
    archive(database, tmp_path, *MONTHS)
    connection.execute("UPDATE yumai_pipelines.archives SET read_at = month")
    with connect(database, application_name="test: reading") as owner:
        readings = [read_files(owner, at_most=1) for _ in range(4)]
        assert [[month.key for month in each.months] for each in readings] == [[each] for each in (*MONTHS, MONTHS[0])]
        assert [each.left for each in readings] == [2] * 4
        (path,) = (tmp_path / "conversations" / "2024-09").glob("*.parquet")
        flip(path, 100, 1)
        readings = [read_files(owner, at_most=1) for _ in range(4)]
    read = [[month.key for month in each.months] for each in readings]
    assert read == [["2024-09", "2024-10"], ["2024-09", "2024-08"], ["2024-09", "2024-10"], ["2024-09", "2024-08"]]
    assert all([month.key for month in each.faults] == ["2024-09"] for each in readings)


def test_a_damaged_file_is_found_by_the_daily_upkeep(
    graph: Graph, connection: Connection, database: str, tmp_path: Path
) -> None:
    plant(connection)
    archive(database, tmp_path, *MONTHS)
    august, september, october = (next(tmp_path.glob(f"conversations/{month}/*.parquet")) for month in MONTHS)
    flip(august, 100, 1)
    september.unlink()
    october.with_suffix(".json").write_text("{}")

    run = graph.run("daily_upkeep")

    evaluation = run.evaluation("chatbot", "archived_conversations", "files_hold_what_was_archived")
    assert not evaluation.passed
    assert evaluation.metadata["count"].value == 3
    assert evaluation.description is not None
    for words in (f"file://{august}", f"{september}, or the manifest beside it, is not there", "is no manifest"):
        assert words in evaluation.description


def test_nobody_is_told_that_nothing_is_lost_when_the_only_copy_is_damaged(
    database: str, connection: Connection, tmp_path: Path
) -> None:
    plant(connection)
    archive(database, tmp_path, "2024-08")
    (path,) = tmp_path.rglob("*.parquet")
    flip(path, 100, 1)
    with pytest.raises(
        ArchiveError, match="If this is the only copy, the rows in it that cannot be read are lost"
    ) as e:
        restore(database, "2024-08")
    assert "No row was lost" not in str(e.value)
