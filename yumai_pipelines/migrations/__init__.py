"""Alembic's environment: a revision runs the file of its number in `sql/migrations`, forward only."""

from __future__ import annotations

from alembic import op

from yumai_pipelines.sql_files import sql_path


def run_sql(revision: str) -> None:
    """Run `sql/migrations/<revision>_*.sql` in the migration's transaction.

    The file goes to the server as it stands: SQLAlchemy would read colons in it as parameters.
    """
    (path,) = sql_path("migrations").glob(f"{revision}_*.sql")
    cursor = op.get_bind().connection.cursor()
    cursor.execute(path.read_bytes())
    cursor.close()
