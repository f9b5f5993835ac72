"""Logs: `sql/migrations/0004_logs.sql`."""

from yumai_pipelines.migrations import run_sql

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make it."""
    run_sql(revision)
