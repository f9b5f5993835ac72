-- Open and prepared transactions of this database but this one, the oldest first, and the SQL that ends each.
SELECT
    format(
        'The transaction of %s (pid %s, %s%s)', coalesce(a.usename, 'a login that is gone'), a.pid, a.state,
        CASE WHEN a.application_name <> '' THEN ', ' || a.application_name ELSE '' END
    ) AS who,
    extract(EPOCH FROM clock_timestamp() - a.xact_start)::float AS seconds,
    format('SELECT pg_terminate_backend(%s)', a.pid) AS ends_by
FROM pg_stat_activity AS a
WHERE a.xact_start IS NOT NULL AND a.backend_type = 'client backend' AND a.pid <> pg_backend_pid()
    AND a.datname = current_database()
UNION ALL
SELECT
    format('The prepared transaction %L of %s', p.gid, p.owner),
    extract(EPOCH FROM clock_timestamp() - p.prepared)::float,
    format('ROLLBACK PREPARED %L', p.gid)
FROM pg_prepared_xacts AS p
WHERE p.database = current_database()
ORDER BY seconds DESC
