"""Makes `sql/install.sql`, which installs the schema with psql alone: it names the files that `yumai up` runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

from yumai_pipelines.postgres.connections import OWNER_ROLE
from yumai_pipelines.postgres.session import SETTINGS
from yumai_pipelines.postgres.sql_files import sql_path
from yumai_pipelines.schema.migrations import migration_files
from yumai_pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_PINNED = [name for name in SETTINGS if "timeout" not in name and "tcp_" not in name]

# The revision table in this text is the one that Alembic makes.
_TEXT = sql.SQL("""\
-- Written by `make schema` from the files of bootstrap, migrations, functions and privileges: what is changed here by
-- hand is lost.
-- Installs the whole schema with psql alone, into an empty database, in one transaction (section 2.2):
--     createdb yumai_production
--     psql -d yumai_production -f sql/install.sql
-- With -v timezone=…, first_month=… and months_ahead=… as in YUMAI_TIMEZONE, YUMAI_FIRST_MONTH and YUMAI_MONTHS_AHEAD.
-- It is what `yumai up` installs, and `yumai up` upgrades it later.
\\set ON_ERROR_STOP on
\\encoding UTF8
\\if :{{?timezone}}
\\else
\\set timezone Asia/Seoul
\\endif
\\if :{{?first_month}}
\\else
\\set first_month {first_month}
\\endif
\\if :{{?months_ahead}}
\\else
\\set months_ahead {months_ahead}
\\endif
BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
-- As `yumai up` does: names are found in pg_catalog alone, and nothing that the login has set changes what is read.
SELECT pg_catalog.count(pg_catalog.set_config(pinned.name, pinned.value, TRUE))
FROM (VALUES
{settings}
) AS pinned (name, value);
DO $$
BEGIN
    IF current_setting('server_encoding') <> 'UTF8' THEN
        RAISE 'The database keeps text as %; YUMAI needs UTF8.', current_setting('server_encoding')
            USING HINT = 'Make it with ENCODING ''UTF8'' TEMPLATE template0.';
    END IF;
END
$$;
{files}
CREATE TABLE yumai_pipelines.alembic_version (
    version_num varchar(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO yumai_pipelines.alembic_version (version_num) VALUES ({revision});
SET LOCAL ROLE NONE;
SELECT yumai_pipelines.configure_database(:'timezone');
-- The months of the history, and those to be kept ahead, as `yumai up` makes them.
SET LOCAL ROLE {owner};
SELECT count(yumai_pipelines.make_month(month::date)) AS months
FROM generate_series(
    (:'first_month' || '-01')::timestamp,
    date_trunc('month', now() AT TIME ZONE :'timezone') + make_interval(months => :months_ahead),
    interval '1 month'
) AS month;
COMMIT;
""")


def install_file() -> str:
    """Return the text of the file."""
    migrations = migration_files()
    files = [*_files("bootstrap"), *migrations.values(), *_files("functions"), *_files("privileges")]
    pair = sql.SQL("    ({}, {})")
    return _TEXT.format(
        settings=sql.SQL(",\n").join(pair.format(sql.Literal(name), sql.Literal(SETTINGS[name])) for name in _PINNED),
        files=sql.SQL(_includes(files)),
        owner=sql.SQL(OWNER_ROLE),
        first_month=sql.SQL(_default("first_month")),
        months_ahead=sql.SQL(_default("months_ahead")),
        revision=sql.Literal(next(reversed(migrations))),
    ).as_string()


def _default(setting: str) -> str:
    return str(Settings.model_fields[setting].default)


def _files(directory: str) -> list[Path]:
    return sorted(sql_path(directory).glob("*.sql"))


def _includes(files: Iterable[Path]) -> str:
    return "\n".join(f"\\ir {path.parent.name}/{path.name}" for path in files)
