"""Recommendation funnel: `sql/migrations/0005_recommendation_funnel.sql`."""

from yumai_pipelines.migrations import run_sql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make it."""
    run_sql(revision)
