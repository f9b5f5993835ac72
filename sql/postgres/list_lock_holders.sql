-- Sessions and prepared transactions that hold a lock on one of the tables %(names)s, one row per holder, table and mode;
-- %(labels)s is what to call each table. A prepared transaction has no session, but its owner's name and its gid.
-- What other roles run is hidden from a role without pg_read_all_stats; who and where is not.
SELECT a.pid,
       coalesce(nullif(a.application_name, ''), a.backend_type, p.owner::text, '?') AS application_name,
       coalesce(a.state, '?') AS state,
       clock_timestamp() - coalesce(a.xact_start, p.prepared) AS transaction_age,
       a.query_start,
       left(regexp_replace(coalesce(a.query, ''), '\s+', ' ', 'g'), 120) AS query,
       wanted.label AS relation,
       l.mode,
       p.gid
  FROM unnest(%(names)s::text[], %(labels)s::text[]) AS wanted (name, label)
  JOIN pg_locks AS l ON l.relation = to_regclass(wanted.name)
  LEFT JOIN pg_stat_activity AS a ON a.pid = l.pid
  LEFT JOIN pg_locks AS x
         ON l.pid IS NULL
        AND x.pid IS NULL
        AND x.locktype = 'transactionid'
        AND x.virtualtransaction = l.virtualtransaction
  LEFT JOIN pg_prepared_xacts AS p ON p.transaction = x.transactionid
 WHERE l.locktype = 'relation'
   AND l.granted
   AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND l.pid IS DISTINCT FROM pg_backend_pid()
   AND (a.pid IS NOT NULL OR p.gid IS NOT NULL)
 ORDER BY coalesce(a.xact_start, p.prepared) NULLS LAST, a.pid, relation, l.mode
