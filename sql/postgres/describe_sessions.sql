-- The sessions of %(pids)s that hold an old snapshot, with the columns of list_lock_holders.sql.
SELECT a.pid,
       coalesce(nullif(a.application_name, ''), a.backend_type, '?') AS application_name,
       coalesce(a.state, '?') AS state,
       clock_timestamp() - a.xact_start AS transaction_age,
       a.query_start,
       left(regexp_replace(coalesce(a.query, ''), '\s+', ' ', 'g'), 120) AS query,
       'rows as they were before the copy' AS relation,
       'snapshot' AS mode
  FROM pg_stat_activity AS a
 WHERE a.pid = ANY(%(pids)s)
 ORDER BY a.xact_start NULLS LAST, a.pid
