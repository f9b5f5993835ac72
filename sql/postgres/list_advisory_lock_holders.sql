-- The session, or the prepared transaction, that holds the advisory lock of the key %(key)s in this database, in the shape
-- of list_lock_holders.sql; and its login, when that is none of the pipeline's: any login may take any advisory lock.
SELECT a.pid,
       coalesce(nullif(a.application_name, ''), a.backend_type, p.owner::text, '?') AS application_name,
       coalesce(a.state, '?') AS state,
       clock_timestamp() - coalesce(a.xact_start, a.backend_start, p.prepared) AS transaction_age,
       a.query_start,
       left(regexp_replace(coalesce(a.query, ''), '\s+', ' ', 'g'), 120) AS query,
       'advisory lock ' || %(key)s AS relation,
       l.mode,
       p.gid,
       CASE WHEN NOT pg_has_role(a.usesysid, to_regrole('yumai_pipeline')::oid, 'MEMBER') THEN a.usename END AS stranger
  FROM pg_locks AS l
  LEFT JOIN pg_stat_activity AS a ON a.pid = l.pid
  LEFT JOIN pg_locks AS x
         ON l.pid IS NULL
        AND x.pid IS NULL
        AND x.locktype = 'transactionid'
        AND x.virtualtransaction = l.virtualtransaction
  LEFT JOIN pg_prepared_xacts AS p ON p.transaction = x.transactionid
 WHERE l.locktype = 'advisory'
   AND l.granted
   AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND (l.classid::bigint << 32 | l.objid::bigint) = hashtextextended(%(key)s, 0)
   AND l.objsubid = 1
   AND l.pid IS DISTINCT FROM pg_backend_pid()
   AND (a.pid IS NOT NULL OR p.gid IS NOT NULL)
