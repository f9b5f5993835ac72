-- Sessions and prepared transactions that hold a lock of the kind %(kind)s, 'relation' or 'advisory', on one of %(names)s,
-- one row per holder, lock and mode; %(labels)s is what to call each. A table's name is its own; an advisory lock's is what
-- the first half of its key is made of. A prepared transaction has no session, but its owner's name and its gid.
-- Of advisory locks, only those of the pipeline's logins and of this one's count, since every login may take any. Where it
-- cannot be told whose a session is, since it just began, or nobody is a login of the pipeline yet, it counts.
-- What other roles run is hidden from a role without pg_read_all_stats; who and where is not.
SELECT l.pid,
       coalesce(nullif(a.application_name, ''), a.backend_type, p.owner::text, '?') AS application_name,
       coalesce(a.state, '?') AS state,
       clock_timestamp() - coalesce(a.xact_start, p.prepared, a.backend_start) AS transaction_age,
       a.query_start,
       left(regexp_replace(coalesce(a.query, ''), '\s+', ' ', 'g'), 120) AS query,
       wanted.label AS relation,
       l.mode,
       p.gid
  FROM unnest(%(names)s::text[], %(labels)s::text[]) AS wanted (name, label)
  JOIN pg_locks AS l
         ON l.locktype = %(kind)s
        AND CASE
                WHEN l.locktype = 'relation' THEN l.relation = to_regclass(wanted.name)
                ELSE l.classid = hashtext(wanted.name)::oid AND l.objsubid = 2
            END
  LEFT JOIN pg_stat_activity AS a ON a.pid = l.pid
  LEFT JOIN pg_locks AS x
         ON l.pid IS NULL
        AND x.pid IS NULL
        AND x.locktype = 'transactionid'
        AND x.virtualtransaction = l.virtualtransaction
  LEFT JOIN pg_prepared_xacts AS p ON p.transaction = x.transactionid
 WHERE l.granted
   AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND l.pid IS DISTINCT FROM pg_backend_pid()
   AND CASE
           WHEN l.locktype = 'relation' THEN a.pid IS NOT NULL OR p.gid IS NOT NULL
           ELSE l.pid IS NOT NULL
                AND coalesce(
                    a.usename = session_user
                    OR pg_has_role(a.usesysid, to_regrole('yumai_pipeline')::oid, 'MEMBER'),
                    TRUE
                )
       END
 ORDER BY coalesce(a.xact_start, p.prepared) NULLS LAST, l.pid, relation, l.mode
