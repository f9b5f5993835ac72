-- What yumai_pipelines/postgres/locks.py asks with list_lock_holders.sql, for psql alone: keys of logins that are none of the
-- pipeline's count for nothing.
CREATE OR REPLACE FUNCTION yumai_pipelines.others_run(p_lock text)
RETURNS boolean LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM pg_locks AS l
        LEFT JOIN pg_stat_activity AS a ON l.pid = a.pid
        WHERE
            l.locktype = 'advisory'
            AND l.classid = hashtext(p_lock)::oid
            AND l.objsubid = 2
            AND l.granted
            AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
            AND l.pid <> pg_backend_pid()
            AND coalesce(a.usename = session_user OR pg_has_role(a.usesysid, 'yumai_pipeline', 'MEMBER'), true)
    )
$$;
COMMENT ON FUNCTION yumai_pipelines.others_run(text) IS
'Whether another session of the pipeline''s logins has the advisory lock of this name.';
