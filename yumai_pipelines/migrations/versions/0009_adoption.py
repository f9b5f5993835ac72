"""Adoption: `sql/migrations/0009_adoption.sql`."""

from yumai_pipelines.migrations import run_sql

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Make it."""
    run_sql(revision)
