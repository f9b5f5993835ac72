-- The extensions of section 2.1 of the database document, in the schema public, made where they are missing.
-- Where the server has no uuid-ossp, uuid_generate_v4() stands on the built-in gen_random_uuid(); both make version 4.
CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public;
CREATE EXTENSION IF NOT EXISTS btree_gin WITH SCHEMA public;
CREATE EXTENSION IF NOT EXISTS pgcrypto WITH SCHEMA public;

DO $$
BEGIN
    IF to_regprocedure('public.uuid_generate_v4()') IS NOT NULL THEN
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'uuid-ossp') THEN
        CREATE EXTENSION IF NOT EXISTS "uuid-ossp" WITH SCHEMA public;
        RETURN;
    END IF;
    CREATE FUNCTION public.uuid_generate_v4() RETURNS uuid
        LANGUAGE sql VOLATILE STRICT PARALLEL SAFE
        AS 'SELECT pg_catalog.gen_random_uuid()';
    COMMENT ON FUNCTION public.uuid_generate_v4() IS
        'Stands in for uuid-ossp, which this server does not have. A random UUID, version 4.';
END
$$;
