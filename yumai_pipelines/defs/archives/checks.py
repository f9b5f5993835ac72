"""The archived months: that each has its file, and that none waits half-way. Section 7.2 of the database document."""

import dagster as dg

from yumai_pipelines.archives.store import ArchiveError, size_of
from yumai_pipelines.defs.archives.assets import archived_conversations
from yumai_pipelines.defs.evaluations import result
from yumai_pipelines.defs.resources import PostgresResource
from yumai_pipelines.integrity.findings import SAMPLE, Finding
from yumai_pipelines.partitions import archived
from yumai_pipelines.partitions.default import kept_tables


@dg.asset_check(asset=archived_conversations)
def every_month_has_its_file(postgres: PostgresResource) -> dg.AssetCheckResult:
    """Each archived month has its file, of the size that was recorded, and no detached month still waits for one.

    The file is read when it is written and when it is restored, not here.
    """
    with postgres.connect("check archives") as connection:
        archives = list(archived.read(connection).values())
    faults = [{"month": each.month, "fault": fault} for each in archives if (fault := _fault(each))]
    return result(
        Finding(
            subject=f"faults of {len(archives)} archived months",
            count=len(faults),
            sample=faults[:SAMPLE],
            cause="a file was moved, removed or cut short by hand; or a run was broken off, and none has followed.",
            remedy="bring the file back from a copy, or correct its uri in yumai_pipelines.archives; for a detached "
            "month, materialize it in chatbot/archived_conversations, or run yumai restore-month.",
            metadata={"bytes": sum(each.bytes or 0 for each in archives)},
        )
    )


def _fault(archive: archived.Archive) -> str:
    """What is wrong with a month; empty when nothing is."""
    if archive.state in ("detaching", "detached"):
        return f"is not archived yet: its rows are {archive.place}"
    if archive.state != "archived" or archive.uri is None:
        return ""
    try:
        size = size_of(archive.uri)
    except ArchiveError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return f"{archive.uri} is not there"
        raise
    return "" if size == archive.bytes else f"{archive.uri} has {size:,} bytes instead of {archive.bytes:,}"


@dg.asset_check(asset=archived_conversations)
def no_table_is_left_over(postgres: PostgresResource) -> dg.AssetCheckResult:
    """No table of a month or of the default partition, whose rows are elsewhere by now, is kept by a view or a key."""
    with postgres.connect("check left-over tables") as connection:
        kept = kept_tables(connection)
    return result(
        Finding(
            subject="tables that nothing but their dependents keeps",
            count=len(kept),
            sample=[{"table": str(table), "kept by": ", ".join(by)} for table, by in kept.items()][:SAMPLE],
            cause="a view, a foreign key or a function was made on the table of a month or on the default partition.",
            remedy="drop what depends on the table, or have it use chatbot.conversations; the next run on the months "
            "drops the table.",
        )
    )


ARCHIVE_CHECKS = [every_month_has_its_file, no_table_is_left_over]
