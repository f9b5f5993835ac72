-- Sessions of this database that hold a snapshot now, each with what tells this snapshot from the session's next one.
-- backend_xmin and virtual transactions are visible to every role; autovacuum reads no row on anybody's behalf.
SELECT a.pid, l.virtualtransaction, a.backend_xmin::text
  FROM pg_stat_activity AS a
  JOIN pg_locks AS l ON l.pid = a.pid AND l.locktype = 'virtualxid' AND l.granted
 WHERE a.datname = current_database()
   AND a.backend_xmin IS NOT NULL
   AND a.pid <> pg_backend_pid()
   AND NOT EXISTS (SELECT FROM pg_stat_progress_vacuum AS v WHERE v.pid = a.pid)
