"""Makes `sql/install.sql`, which installs the schema with psql alone: it names the files that `yumai up` runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

from yumai_pipelines.postgres.sql_files import sql_path
from yumai_pipelines.schema.migrations import migration_files

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# The revision table in this text is the one that Alembic makes.
_TEXT = sql.SQL("""\
-- Written by `make schema` from the files of bootstrap, migrations, functions and privileges: what is changed here by
-- hand is lost.
-- Installs the whole schema with psql alone, into an empty database, in one transaction (section 2.2):
--     createdb yumai_production
--     psql -d yumai_production -f sql/install.sql
-- It is what `yumai up` installs, and `yumai up` upgrades it later.
\\set ON_ERROR_STOP on
\\if :{{?timezone}}
\\else
\\set timezone Asia/Seoul
\\endif
BEGIN;
{files}
CREATE TABLE yumai_pipelines.alembic_version (
    version_num varchar(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO yumai_pipelines.alembic_version (version_num) VALUES ({revision});
SET LOCAL ROLE NONE;
SELECT yumai_pipelines.configure_database(:'timezone');
COMMIT;
""")


def install_file() -> str:
    """Return the text of the file."""
    migrations = migration_files()
    files = [*_files("bootstrap"), *migrations.values(), *_files("functions"), *_files("privileges")]
    return _TEXT.format(files=sql.SQL(_includes(files)), revision=sql.Literal(next(reversed(migrations)))).as_string()


def _files(directory: str) -> list[Path]:
    return sorted(sql_path(directory).glob("*.sql"))


def _includes(files: Iterable[Path]) -> str:
    return "\n".join(f"\\ir {path.parent.name}/{path.name}" for path in files)
