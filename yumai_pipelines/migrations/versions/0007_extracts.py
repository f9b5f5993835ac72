"""The extracts, their ledger, and what retention keeps: `sql/migrations/0007_extracts.sql`."""

from yumai_pipelines.migrations import run_sql

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make them."""
    run_sql(revision)
