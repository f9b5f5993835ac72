-- Sessions that hold a lock on one of the tables %(names)s, which people know as %(labels)s. One row per session, table and
-- mode. A role without pg_read_all_stats sees the sessions of other roles, but not what they run.
SELECT a.pid,
       coalesce(nullif(a.application_name, ''), a.backend_type, '?') AS application_name,
       coalesce(a.state, '?') AS state,
       clock_timestamp() - a.xact_start AS transaction_age,
       a.query_start,
       left(regexp_replace(coalesce(a.query, ''), '\s+', ' ', 'g'), 120) AS query,
       wanted.label AS relation,
       l.mode
  FROM unnest(%(names)s::text[], %(labels)s::text[]) AS wanted (name, label)
  JOIN pg_locks AS l ON l.relation = to_regclass(wanted.name)
  JOIN pg_stat_activity AS a USING (pid)
 WHERE l.locktype = 'relation'
   AND l.granted
   AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND l.pid <> pg_backend_pid()
 ORDER BY a.xact_start NULLS LAST, a.pid, relation, l.mode
