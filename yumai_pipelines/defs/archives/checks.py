"""The check that each archived month has its file, and that no month is left half archived.

Section 7.2 of the database document.
"""

import dagster as dg

from yumai_pipelines.archives.agreement import fault_of_file
from yumai_pipelines.archives.proof import read_files
from yumai_pipelines.defs.archives.assets import archived_conversations
from yumai_pipelines.defs.evaluations import result
from yumai_pipelines.defs.resources import PostgresResource
from yumai_pipelines.integrity.findings import SAMPLE, Finding
from yumai_pipelines.partitions import archived
from yumai_pipelines.partitions.default import kept_tables


@dg.asset_check(asset=archived_conversations.key)
def every_month_has_its_file(postgres: PostgresResource) -> dg.AssetCheckResult:
    """Each archived month has its file, of the recorded size, and no detached month still waits to be archived.

    The file is not read here: `files_hold_what_was_archived` does that, in turn.
    """
    read = postgres.read("check archives", lambda reader: archived.read(reader.connection))
    archives = list(read.value.values())
    faults = [{"month": each.month, "fault": fault} for each in archives if (fault := _fault(each))]
    return result(
        Finding(
            subject=f"faults of {len(archives)} archived months",
            count=len(faults),
            sample=faults[:SAMPLE],
            cause="a file was moved, removed or cut short by hand; or a run was broken off, and none has followed.",
            remedy="bring the file back from a copy, or correct its uri in yumai_pipelines.archives; for a detached "
            "month, launch the job monthly_archive with dry_run: false, or run yumai restore-month.",
            metadata={"bytes": sum(each.bytes or 0 for each in archives)},
        ),
        read.source,
    )


def _fault(archive: archived.Archive) -> str:
    """Say what is wrong with an archived month; return an empty text if nothing is."""
    if archive.state in ("detaching", "detached"):
        return f"is not archived yet: its rows are {archive.place}"
    return fault_of_file(archive) if archive.state == "archived" else ""


@dg.asset_check(asset=archived_conversations.key)
def files_hold_what_was_archived(postgres: PostgresResource) -> dg.AssetCheckResult:
    """Files of archived months, read as a whole, hold the rows that were archived. Those read longest ago come first.

    A run reads about a gigabyte of sound files, so that it takes minutes, whatever the size of the archive. A file that
    is missing or damaged is read, and named, each time.
    """
    with postgres.connect("read archives") as connection:
        reading = read_files(connection)
    faults = [{"month": str(month), "fault": fault} for month, fault in reading.faults.items()]
    return result(
        Finding(
            subject=f"files that do not hold what was archived, of {len(reading.months)} that were read",
            count=len(faults),
            sample=faults[:SAMPLE],
            cause="a disk or a store has damaged or lost a file, or somebody has changed it.",
            remedy="bring the file back from a copy. If there is none, keep what is left of it: DuckDB and pyarrow "
            "read the row groups that are whole.",
            metadata={
                "bytes": reading.bytes,
                "months": ", ".join(map(str, reading.months)) or "none",
                "files_for_later": reading.left,
            },
        )
    )


@dg.asset_check(asset=archived_conversations.key)
def no_table_is_left_over(postgres: PostgresResource) -> dg.AssetCheckResult:
    """No table of a month or of the default partition, whose rows are elsewhere by now, is kept by a view or a key."""
    read = postgres.read("check left-over tables", lambda reader: kept_tables(reader.connection))
    kept = read.value
    return result(
        Finding(
            subject="tables that nothing but their dependents keeps",
            count=len(kept),
            sample=[{"table": str(table), "kept by": ", ".join(by)} for table, by in kept.items()][:SAMPLE],
            cause="a view, a foreign key or a function was made on the table of a month or on the default partition.",
            remedy="drop what depends on the table, or have it use chatbot.conversations; the next run on the months "
            "drops the table.",
        ),
        read.source,
    )


ARCHIVE_CHECKS = [every_month_has_its_file, files_hold_what_was_archived, no_table_is_left_over]
