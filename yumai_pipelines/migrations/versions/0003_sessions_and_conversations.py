"""Sessions and conversations: `sql/migrations/0003_sessions_and_conversations.sql`."""

from yumai_pipelines.migrations import run_sql

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make it."""
    run_sql(revision)
