"""Orders: `sql/migrations/0002_orders.sql`."""

from yumai_pipelines.migrations import run_sql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make it."""
    run_sql(revision)
