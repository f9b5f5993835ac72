-- Written by `make schema` from the files of bootstrap, migrations, functions and privileges: what is changed here by
-- hand is lost.
-- Installs the whole schema with psql alone, into an empty database, in one transaction (section 2.2):
--     createdb yumai_production
--     psql -d yumai_production -f sql/install.sql
-- With -v timezone=…, first_month=… and months_ahead=… as in YUMAI_TIMEZONE, YUMAI_FIRST_MONTH and YUMAI_MONTHS_AHEAD.
-- It is what `yumai up` installs, and `yumai up` upgrades it later.
\set ON_ERROR_STOP on
\encoding UTF8
\if :{?timezone}
\else
\set timezone Asia/Seoul
\endif
\if :{?first_month}
\else
\set first_month 2024-08
\endif
\if :{?months_ahead}
\else
\set months_ahead 3
\endif
BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
-- As `yumai up` does: names are found in pg_catalog alone, and nothing that the login has set changes what is read.
SELECT pg_catalog.count(pg_catalog.set_config(pinned.name, pinned.value, TRUE))
FROM (VALUES
    ('search_path', 'pg_catalog, pg_temp'),
    ('row_security', 'off'),
    ('DateStyle', 'ISO, YMD'),
    ('IntervalStyle', 'postgres'),
    ('bytea_output', 'hex'),
    ('extra_float_digits', '1'),
    ('timezone_abbreviations', 'Default'),
    ('lc_monetary', 'C'),
    ('lc_numeric', 'C'),
    ('lc_time', 'C'),
    ('xmlbinary', 'base64'),
    ('xmloption', 'content'),
    ('standard_conforming_strings', 'on'),
    ('backslash_quote', 'safe_encoding'),
    ('array_nulls', 'on'),
    ('transform_null_equals', 'off'),
    ('plpgsql.extra_errors', 'none'),
    ('quote_all_identifiers', 'off'),
    ('default_transaction_isolation', 'read committed'),
    ('default_transaction_read_only', 'off'),
    ('default_transaction_deferrable', 'off'),
    ('check_function_bodies', 'on'),
    ('exit_on_error', 'off'),
    ('gin_fuzzy_search_limit', '0'),
    ('default_table_access_method', 'heap'),
    ('default_tablespace', ''),
    ('client_connection_check_interval', '10s')
) AS pinned (name, value);
DO $$
BEGIN
    IF current_setting('server_encoding') <> 'UTF8' THEN
        RAISE 'The database keeps text as %; YUMAI needs UTF8.', current_setting('server_encoding')
            USING HINT = 'Make it with ENCODING ''UTF8'' TEMPLATE template0.';
    END IF;
END
$$;
\ir bootstrap/1_create_roles.sql
\ir bootstrap/2_create_extensions.sql
\ir bootstrap/3_create_schemas.sql
\ir migrations/0001_people_and_shops.sql
\ir migrations/0002_orders.sql
\ir migrations/0003_sessions_and_conversations.sql
\ir migrations/0004_logs.sql
\ir migrations/0005_recommendation_funnel.sql
\ir migrations/0006_integrity.sql
\ir migrations/0007_extracts.sql
\ir migrations/0008_archives.sql
\ir migrations/0009_adoption.sql
\ir migrations/0010_extract_comments.sql
\ir migrations/0011_replica_identity.sql
\ir migrations/0012_source_changes.sql
\ir migrations/0013_accepted_differences.sql
\ir migrations/0014_wider_numbers.sql
\ir migrations/0015_compatibility.sql
\ir migrations/0016_outcomes_by_month.sql
\ir functions/auto_delete_old_conversations.sql
\ir functions/business_timezone.sql
\ir functions/clean_inactive_sessions.sql
\ir functions/clean_invalid_shop_references.sql
\ir functions/configure_database.sql
\ir functions/delete_old_sessions.sql
\ir functions/end_session.sql
\ir functions/get_shop_hours.sql
\ir functions/is_readable.sql
\ir functions/make_month.sql
\ir functions/month_start.sql
\ir functions/note_archive_change.sql
\ir functions/others_run.sql
\ir functions/rating_of.sql
\ir functions/row_as_jsonb.sql
\ir functions/source_hash_of_feedback.sql
\ir functions/source_hash_of_recommendation.sql
\ir functions/start_session.sql
\ir functions/watch_sources.sql
\ir privileges/1_functions.sql
\ir privileges/2_watch_sources.sql
CREATE TABLE yumai_pipelines.alembic_version (
    version_num varchar(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO yumai_pipelines.alembic_version (version_num) VALUES ('0016');
SET LOCAL ROLE NONE;
SELECT yumai_pipelines.configure_database(:'timezone');
-- The months of the history, and those to be kept ahead, as `yumai up` makes them.
SET LOCAL ROLE yumai_pipeline;
SELECT count(yumai_pipelines.make_month(month::date)) AS months
FROM generate_series(
    (:'first_month' || '-01')::timestamp,
    date_trunc('month', now() AT TIME ZONE :'timezone') + make_interval(months => :months_ahead),
    interval '1 month'
) AS month;
COMMIT;
