-- The session that holds the advisory lock of the key %(key)s in this database, in the shape of list_lock_holders.sql; and its
-- login, when that is none of the pipeline's: any login may take any advisory lock.
SELECT a.pid,
       coalesce(nullif(a.application_name, ''), a.backend_type, '?') AS application_name,
       coalesce(a.state, '?') AS state,
       clock_timestamp() - coalesce(a.xact_start, a.backend_start) AS transaction_age,
       a.query_start,
       left(regexp_replace(coalesce(a.query, ''), '\s+', ' ', 'g'), 120) AS query,
       'advisory lock ' || %(key)s AS relation,
       l.mode,
       CASE WHEN NOT pg_has_role(a.usesysid, to_regrole('yumai_pipeline')::oid, 'MEMBER') THEN a.usename END AS stranger
  FROM pg_locks AS l
  JOIN pg_stat_activity AS a USING (pid)
 WHERE l.locktype = 'advisory'
   AND l.granted
   AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND (l.classid::bigint << 32 | l.objid::bigint) = hashtextextended(%(key)s, 0)
   AND l.objsubid = 1
   AND l.pid <> pg_backend_pid()
