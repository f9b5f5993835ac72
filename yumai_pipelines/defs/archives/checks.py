"""The check that each archived month has its file, and that no month is left half archived.

Section 7.2 of the database document.
"""

import dagster as dg

from yumai_pipelines.archives.store import ArchiveError, size_of
from yumai_pipelines.defs.archives.assets import archived_conversations
from yumai_pipelines.defs.evaluations import result
from yumai_pipelines.defs.resources import PostgresResource
from yumai_pipelines.integrity.findings import SAMPLE, Finding
from yumai_pipelines.partitions import archived


@dg.asset_check(asset=archived_conversations)
def every_month_has_its_file(postgres: PostgresResource) -> dg.AssetCheckResult:
    """Each archived month has its file, of the recorded size, and no detached month still waits to be archived.

    This check compares only the size. The content of a file is read when it is written and when it is restored.
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
    """Say what is wrong with an archived month; return an empty text if nothing is."""
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


ARCHIVE_CHECKS = [every_month_has_its_file]
