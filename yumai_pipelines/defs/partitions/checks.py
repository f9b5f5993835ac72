"""The checks of the conversations' partitions: their bounds, the months ahead, the default partition, and the indexes.

Each check looks at all partitions, whatever the months of the run, because the catalogue is small. Section 3.2 of the
database document.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
from psycopg import sql
from psycopg.rows import dict_row

from yumai_pipelines.defs.evaluations import result
from yumai_pipelines.defs.metadata import asset_key
from yumai_pipelines.defs.resources import PostgresResource
from yumai_pipelines.integrity.findings import SAMPLE, Block, Finding, Severity
from yumai_pipelines.model.calendar import in_ranges
from yumai_pipelines.model.months import Month
from yumai_pipelines.model.registry import CONVERSATIONS
from yumai_pipelines.partitions.ensure import archived_months
from yumai_pipelines.partitions.tables import Partition, describe_partitions
from yumai_pipelines.postgres.replicas import Reader
from yumai_pipelines.postgres.sql_files import read_sql
from yumai_pipelines.settings import Settings

_KEY = asset_key(CONVERSATIONS)


@dg.asset_check(asset=_KEY)
def months_tile(postgres: PostgresResource, settings: dg.ResourceParam[Settings]) -> dg.AssetCheckResult:
    """Each partition holds one month of the business's time zone, and the months follow each other without a gap.

    An archived month does not count as a gap.
    """
    zone = settings.zone
    read = postgres.read(
        "check bounds",
        lambda reader: (describe_partitions(reader.connection, zone), archived_months(reader.connection, zone)),
    )
    return result(tiling(*read.value, zone), read.source)


@dg.asset_check(asset=_KEY)
def months_ahead(postgres: PostgresResource, settings: dg.ResourceParam[Settings]) -> dg.AssetCheckResult:
    """The current month has a partition, and so has the wanted number of months after it (YUMAI_MONTHS_AHEAD)."""
    zone = settings.zone
    read = postgres.read("check runway", lambda reader: describe_partitions(reader.connection, zone))
    return result(runway(read.value, Month.of(datetime.now(zone), zone), settings.months_ahead), read.source)


@dg.asset_check(asset=_KEY)
def default_partition_empty(postgres: PostgresResource, settings: dg.ResourceParam[Settings]) -> dg.AssetCheckResult:
    """There is a default partition, so that no insert is refused, and it is empty."""

    def look(reader: Reader) -> Finding:
        partitions = describe_partitions(reader.connection, settings.zone)
        default = next((each for each in partitions if each.is_default), None)
        if default is None:
            return _no_default()
        query = sql.SQL(read_sql("partitions", "count_rows_by_month.sql")).format(partition=default.relation.identifier)
        with reader.connection.cursor(row_factory=dict_row) as cursor:
            months = cursor.execute(query, {"timezone": settings.timezone}).fetchall()
        kept = settings.first.through(Month.of(datetime.now(settings.zone), settings.zone) + settings.months_ahead)
        archived = archived_months(reader.connection, settings.zone)
        return strays(default, months, [month for month in kept if month not in archived])

    read = postgres.read("check default partition", look)
    return result(read.value, read.source)


@dg.asset_check(asset=_KEY)
def indexes_on_every_partition(postgres: PostgresResource) -> dg.AssetCheckResult:
    """Each index of the conversations is valid, and exists on each partition."""

    def look(reader: Reader) -> list[dict[str, Any]]:
        with reader.connection.cursor(row_factory=dict_row) as cursor:
            statement = read_sql("partitions", "list_missing_indexes.sql")
            return cursor.execute(statement, {"table": CONVERSATIONS.quoted}).fetchall()

    read = postgres.read("check indexes", look)
    missing = read.value
    return result(
        Finding(
            subject=f"indexes missing on {CONVERSATIONS} or its partitions",
            count=len(missing),
            sample=[{key: row[key] for key in ("partition", "index")} for row in missing[:SAMPLE]],
            cause="an index was made with CREATE INDEX ON ONLY, or its building failed on the way.",
            remedy="make and attach each of them; CREATE INDEX CONCURRENTLY on a partition stops nobody.",
            blocks=[
                Block(f"make {row['index']} on {row['partition']}, and attach it", row["statements"]) for row in missing
            ],
        ),
        read.source,
    )


def tiling(partitions: Sequence[Partition], archived: Collection[Month], zone: ZoneInfo) -> Finding:
    """Find partitions that do not hold one month, and gaps or overlaps of neighbours. An archived month is no gap."""
    bounded = [each for each in partitions if not each.is_default]
    faults = [
        {
            "partition": str(each.relation),
            "fault": f"holds {each.lower} to {each.upper}, which is no month in {zone.key}",
        }
        for each in bounded
        if each.month is None
    ]
    for earlier, later in pairwise(bounded):
        if earlier.upper is not None and later.lower is not None and earlier.upper != later.lower:
            missing = Month.of(earlier.upper, zone).through(Month.of(later.lower, zone) - 1)
            if earlier.upper < later.lower and all(month in archived for month in missing):
                continue
            kind = "a gap" if earlier.upper < later.lower else "an overlap"
            between = f"{kind} from {earlier.upper} to {later.lower}"
            faults.append({"partition": f"{earlier.relation} and {later.relation}", "fault": between})
    return Finding(
        subject=f"faults in the bounds of {len(bounded)} partitions",
        count=len(faults),
        sample=faults[:SAMPLE],
        cause="a partition was made by hand by a client in another time zone (FROM ('2025-04-01')), or months were "
        "left out. Rows of a gap go to the default partition.",
        remedy="for a gap, materialize its months of chatbot/conversations. A partition with other bounds than a "
        "month's is to be detached by hand, and its rows moved; its months can be materialized then.",
        metadata={"months": f"{bounded[0].relation} to {bounded[-1].relation}" if bounded else "none"},
    )


def runway(partitions: Sequence[Partition], current: Month, wanted: int) -> Finding:
    """Find the months from the current one on that have no partition.

    This is an error if the current or the next month has none, and otherwise a warning.
    """
    present = {each.month for each in partitions}
    due = list(current.through(current + wanted))
    missing = [month for month in due if month not in present]
    ahead = next((number for number, month in enumerate(due) if month in missing), len(due)) - 1
    urgent = ahead < 1
    return Finding(
        subject=f"months from {due[0]} to {due[-1]} without a partition",
        count=len(missing),
        sample=[{"month": month.key} for month in missing[:SAMPLE]],
        cause="the schedule of monthly_partitions is off, or its runs have failed.",
        remedy=f"materialize the partitions {missing[0].partition_key} to {missing[-1].partition_key} of "
        "chatbot/conversations. Until then their rows go to the default partition; none is lost."
        if missing
        else "",
        blocks=_making(missing),
        severity=Severity.ERROR if urgent else Severity.WARN,
        metadata={"months_ahead": max(ahead, 0), "months_wanted": wanted},
    )


def strays(default: Partition, months: Sequence[dict[str, object]], kept: Sequence[Month]) -> Finding:
    """Report the rows in the default partition, by the month that they belong to.

    Args:
        default: the default partition.
        months: the number of rows of each month.
        kept: the months that are to have a partition.
    """
    found = {each["month"] for each in months}
    return Finding(
        subject=f"rows in the default partition {default.relation}",
        count=sum(int(str(each["rows"])) for each in months),
        sample=list(months[:SAMPLE]),
        cause="their months had no partition when they were written: months ahead were not made, or a client's clock "
        "or time zone is wrong.",
        remedy="materialize those months of chatbot/conversations: it moves the rows while everybody goes on. An "
        "archived month takes them in when it is restored (yumai restore-month), and can be archived again. Rows "
        "decades off stay until somebody corrects their time.",
        severity=Severity.WARN,
        blocks=_making([month for month in kept if month.key in found]),
        metadata={"bytes": default.bytes},
    )


def _making(months: Sequence[Month]) -> list[Block]:
    """SQL that makes months without Dagster, each in a transaction of its own."""
    if not months:
        return []
    call = sql.SQL("SELECT yumai_pipelines.make_month({})")
    calls = [call.format(month.partition_key).as_string() for month in months]
    return [Block.of(f"make {in_ranges(months)} by psql alone", *calls, apart=True)]


def _no_default() -> Finding:
    return Finding(
        subject=f"default partitions missing on {CONVERSATIONS}",
        count=1,
        cause="it was detached by hand, perhaps for DETACH PARTITION … CONCURRENTLY.",
        remedy="materialize any month of chatbot/conversations: it makes one. Until then a row of a month without a "
        "partition is refused.",
    )


PARTITION_CHECKS = [months_tile, months_ahead, default_partition_empty, indexes_on_every_partition]
