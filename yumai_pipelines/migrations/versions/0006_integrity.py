"""Integrity: `sql/migrations/0006_integrity.sql`."""

from yumai_pipelines.migrations import run_sql

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make them."""
    run_sql(revision)
