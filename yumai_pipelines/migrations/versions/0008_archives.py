"""Archives: `sql/migrations/0008_archives.sql`."""

from yumai_pipelines.migrations import run_sql

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make them."""
    run_sql(revision)
