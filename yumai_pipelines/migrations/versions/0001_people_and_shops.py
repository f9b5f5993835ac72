"""People and shops: `sql/migrations/0001_people_and_shops.sql`."""

from yumai_pipelines.migrations import run_sql

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make it."""
    run_sql(revision)
