-- Sessions of this database that hold a snapshot now, each with values that differ from those of the session's next snapshot.
-- Every role can see backend_xmin and virtual transactions. A vacuum is left out, because it reads no rows for a client.
SELECT a.pid, l.virtualtransaction, a.backend_xmin::text
  FROM pg_stat_activity AS a
  JOIN pg_locks AS l ON l.pid = a.pid AND l.locktype = 'virtualxid' AND l.granted
 WHERE a.datname = current_database()
   AND a.backend_xmin IS NOT NULL
   AND a.pid <> pg_backend_pid()
   AND NOT EXISTS (SELECT FROM pg_stat_progress_vacuum AS v WHERE v.pid = a.pid)
