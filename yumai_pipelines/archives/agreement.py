"""Compares what the ledger of the archived months says with what is there: partitions, detached tables, files.

They may differ after a database was restored from a backup, or after something was done by hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from yumai_pipelines.archives.store import ArchiveError, size_of
from yumai_pipelines.partitions import archived
from yumai_pipelines.partitions.tables import describe_partitions
from yumai_pipelines.postgres.values import relation_exists

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from zoneinfo import ZoneInfo

    from yumai_pipelines.model.months import Month
    from yumai_pipelines.postgres.connections import Connection


class Disagreement(NamedTuple):
    """A month of which two say different things, and what to do about it."""

    month: str
    fault: str
    remedy: str


def disagreements(connection: Connection, zone: ZoneInfo) -> list[Disagreement]:
    """The months of which the ledger says something else than what is there, in order.

    Raises:
        ArchiveError: the store of a file does not answer.
    """
    attached = {each.month for each in describe_partitions(connection, zone) if each.month}
    ledger = archived.read(connection)
    return [
        each for month, archive in sorted(ledger.items()) for each in _compare(connection, month, archive, attached)
    ]


def missing_months(history: Collection[str], there: Collection[Month], what: str, job: str) -> list[Disagreement]:
    """The months that Dagster takes for made, and that are not there.

    A schedule that asks for months that were never made would leave them out for ever.

    Args:
        history: partition keys of an asset that Dagster has seen materialized.
        there: months that are there.
        what: what such a month lacks.
        job: the job that makes it good.
    """
    keys = {month.partition_key for month in there}
    return [
        Disagreement(key[:7], f"Dagster takes it for made, and it has no {what}", f"Launch {job} for this month.")
        for key in sorted(history)
        if key not in keys
    ]


def _compare(
    connection: Connection, month: Month, archive: archived.Archive, attached: Collection[Month | None]
) -> Iterator[Disagreement]:
    if archive.state in ("detaching", "restored"):
        if month not in attached:
            yield Disagreement(
                archive.month,
                f"the ledger says {archive.state}, and no partition has its rows",
                f"Bring the month back: yumai restore-month {archive.month}.",
            )
    elif month in attached:
        yield Disagreement(
            archive.month,
            f"the ledger says {archive.state}, and there is a partition of it",
            "Look which has the rows. If the partition has them, set state to restored, and restored_at to now(), in "
            f"yumai_pipelines.archives for the month {month.first_day}.",
        )
    if archive.state == "detached" and not relation_exists(connection, archived.table_of(month)):
        yield Disagreement(
            archive.month,
            "the ledger says detached, and its table is gone",
            f"If a file of it is in the archive, write its uri into yumai_pipelines.archives, and run yumai "
            f"restore-month {archive.month}; otherwise take the table from a backup.",
        )
    if archive.state == "archived" and archive.uri is not None and (fault := fault_of_file(archive)):
        yield Disagreement(
            archive.month,
            fault,
            "Bring the file back from a copy. If an erasure has replaced it since the database's backup, a newer file "
            "lies beside it: write its uri, row_count, checksum and bytes (its manifest has them) into "
            "yumai_pipelines.archives, and repeat the erasure.",
        )


def fault_of_file(archive: archived.Archive) -> str:
    """Say what is wrong with the file of an archived month, without reading it; an empty text if nothing is.

    Raises:
        ArchiveError: the store does not answer.
    """
    if archive.uri is None:
        return ""
    try:
        size = size_of(archive.uri)
    except ArchiveError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return f"{archive.uri} is not there"
        raise
    return "" if size == archive.bytes else f"{archive.uri} has {size:,} bytes instead of {archive.bytes:,}"
