"""How long a run of each job may take before the daemon ends it, and starts it again if it may.

A run that hangs holds its place in the queue. A limit below what a run honestly takes would be worse: the next run
would be ended, too. So each is far above that, also where somebody else's lock is waited for.
"""

from __future__ import annotations

from datetime import timedelta

LONGEST = {
    "install_schema": timedelta(hours=24),
    "monthly_partitions": timedelta(hours=6),
    "daily_upkeep": timedelta(hours=6),
    "monthly_extracts": timedelta(hours=12),
    "monthly_archive": timedelta(hours=24),
    "monthly_retention": timedelta(hours=12),
    "monthly_records": timedelta(hours=6),
    "repair_orphans": timedelta(hours=12),
    "erase_user": timedelta(hours=12),
    "adopt_database": timedelta(hours=48),
}
"""By job. Runs of no job, such as those of single assets, have the limit of dagster.yaml."""

TAG = "dagster/max_runtime"


def limit(job: str) -> dict[str, str]:
    """Return the tag that limits the runs of a job."""
    return {TAG: str(round(LONGEST[job].total_seconds()))}
