-- What the database tells every new connection. A dump restored elsewhere loses it, so every upgrade says it again.
CREATE OR REPLACE FUNCTION yumai_pipelines.configure_database(p_timezone text DEFAULT 'Asia/Seoul')
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    -- Clients write session_master as well as chatbot.session_master (sections 4 to 8).
    EXECUTE format(
        'ALTER DATABASE %I SET search_path = "$user", chatbot, ml_features, analytics, public', current_database()
    );
    EXECUTE format('ALTER DATABASE %I SET TimeZone = %L', current_database(), p_timezone);
END
$$;
COMMENT ON FUNCTION yumai_pipelines.configure_database(text) IS
'Sets search_path and the business''s time zone for every new connection to this database. Needs its owner.';
