-- The tables of YUMAI, with their live and dead rows by the server's statistics, and whether autovacuum leaves them alone.
SELECT
    format('%I.%I', n.nspname, c.relname) AS name,
    coalesce(s.n_live_tup, 0) AS live,
    coalesce(s.n_dead_tup, 0) AS dead,
    'autovacuum_enabled=false' = ANY(coalesce(c.reloptions, '{}'))
    OR 'autovacuum_enabled=off' = ANY(coalesce(c.reloptions, '{}')) AS vacuum_off,
    pg_total_relation_size(c.oid) AS size
FROM pg_class AS c
INNER JOIN pg_namespace AS n ON c.relnamespace = n.oid
LEFT JOIN pg_stat_user_tables AS s ON s.relid = c.oid
WHERE
    n.nspname IN ('chatbot', 'ml_features', 'analytics', 'extracts', 'yumai_pipelines')
    AND c.relkind IN ('r', 'm')
ORDER BY dead DESC, name ASC
