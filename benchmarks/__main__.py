"""Measures what this project promises, and what one would do without it: `python -m benchmarks`."""

from benchmarks.adoption import TIME, WAIT
from benchmarks.backfill import BACKFILL
from benchmarks.changes import BUILDS, STALE_MONTHS
from benchmarks.extracts import EXTRACTS_BY_DUCKDB, EXTRACTS_BY_PANDAS, EXTRACTS_BY_SQL, EXTRACTS_FLOOR
from benchmarks.integrity import CHECKS, KEYS, MONTH
from benchmarks.months import MONTHS, MONTHS_BY_PARTMAN
from benchmarks.purge import PURGE_NOTES, PURGES
from benchmarks.runner import run
from benchmarks.workers import WORKERS
from benchmarks.writers import WRITERS

run(
    [
        MONTHS,
        MONTHS_BY_PARTMAN,
        BACKFILL,
        EXTRACTS_BY_SQL,
        EXTRACTS_BY_DUCKDB,
        EXTRACTS_BY_PANDAS,
        EXTRACTS_FLOOR,
        WORKERS,
        *STALE_MONTHS,
        *BUILDS,
        *WRITERS,
        *PURGES,
        PURGE_NOTES,
        CHECKS,
        MONTH,
        KEYS,
        WAIT,
        TIME,
    ]
)
