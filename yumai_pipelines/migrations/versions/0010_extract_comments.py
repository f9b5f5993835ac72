"""Comments of the funnel: `sql/migrations/0010_extract_comments.sql`."""

from yumai_pipelines.migrations import run_sql

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Make it."""
    run_sql(revision)
