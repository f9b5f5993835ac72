-- Written by `make schema` from the files of bootstrap, migrations, functions and privileges: what is changed here by
-- hand is lost.
-- Installs the whole schema with psql alone, into an empty database, in one transaction (section 2.2):
--     createdb yumai_production
--     psql -d yumai_production -f sql/install.sql
-- It is what `yumai up` installs, and `yumai up` upgrades it later.
\set ON_ERROR_STOP on
\if :{?timezone}
\else
\set timezone Asia/Seoul
\endif
BEGIN;
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
\ir functions/auto_delete_old_conversations.sql
\ir functions/business_timezone.sql
\ir functions/clean_inactive_sessions.sql
\ir functions/clean_invalid_shop_references.sql
\ir functions/configure_database.sql
\ir functions/delete_old_sessions.sql
\ir functions/end_session.sql
\ir functions/get_shop_hours.sql
\ir functions/note_archive_change.sql
\ir functions/rating_of.sql
\ir functions/row_as_jsonb.sql
\ir functions/source_hash_of_feedback.sql
\ir functions/source_hash_of_recommendation.sql
\ir functions/start_session.sql
\ir privileges/1_functions.sql
CREATE TABLE yumai_pipelines.alembic_version (
    version_num varchar(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO yumai_pipelines.alembic_version (version_num) VALUES ('0010');
SET LOCAL ROLE NONE;
SELECT yumai_pipelines.configure_database(:'timezone');
COMMIT;
