"""`python -m benchmarks`: measures what this project promises, against what one would do without it."""

from benchmarks.backfill import BACKFILL
from benchmarks.integrity import CHECKS, KEYS, MONTH
from benchmarks.months import MONTHS
from benchmarks.runner import run

run([MONTHS, BACKFILL, CHECKS, MONTH, KEYS])
