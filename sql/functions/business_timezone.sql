CREATE OR REPLACE FUNCTION yumai_pipelines.business_timezone()
RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    -- What the database tells new connections, whatever this one has made of it.
    SELECT coalesce(
        (
            SELECT split_part(entry.setting, '=', 2)
            FROM pg_db_role_setting AS s
            INNER JOIN pg_database AS d ON s.setdatabase = d.oid
            CROSS JOIN unnest(s.setconfig) AS entry (setting)
            WHERE d.datname = current_database() AND s.setrole = 0 AND lower(entry.setting) LIKE 'timezone=%'
        ),
        'Asia/Seoul'
    )
$$;
COMMENT ON FUNCTION yumai_pipelines.business_timezone() IS
'The time zone at whose midnights the business''s days and months begin, as configure_database() has set it.';
