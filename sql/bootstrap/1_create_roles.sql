-- The roles of YUMAI, made where they are missing. Run by the login that installs, at every upgrade.
-- yumai_pipeline owns the schemas, yumai_app is the chatbot (rows, no DDL), yumai_analyst reads the extracts alone.
-- None of them logs in: grant them to the logins of the installation.
DO $$
DECLARE
    v_role text;
BEGIN
    FOREACH v_role IN ARRAY ARRAY['yumai_pipeline', 'yumai_app', 'yumai_analyst'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = v_role) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', v_role);
            EXCEPTION
                -- Another database of this server is being installed at this moment.
                WHEN duplicate_object OR unique_violation THEN NULL;
            END;
        END IF;
    END LOOP;

    IF NOT pg_has_role(current_user, 'yumai_pipeline', 'SET') THEN
        EXECUTE format('GRANT yumai_pipeline TO %I WITH INHERIT TRUE, SET TRUE', current_user);
    END IF;

    -- So that an error about a lock can say what the session that holds it is running.
    IF NOT pg_has_role('yumai_pipeline', 'pg_read_all_stats', 'USAGE') THEN
        BEGIN
            GRANT pg_read_all_stats TO yumai_pipeline;
        EXCEPTION
            WHEN insufficient_privilege THEN
                RAISE NOTICE 'yumai_pipeline may not read pg_stat_activity: lock errors will not show queries';
        END;
    END IF;
END
$$;
