-- The checks of theirs on %(tables)s and their partitions that are not proven, apart from the adoption's own: schema, table, name
-- and condition.
SELECT n.nspname, c.relname, k.conname, pg_get_expr(k.conbin, k.conrelid) AS condition
FROM pg_constraint AS k
INNER JOIN pg_class AS c ON k.conrelid = c.oid
INNER JOIN pg_namespace AS n ON c.relnamespace = n.oid
WHERE
    k.contype = 'c' AND NOT k.convalidated AND k.conname NOT LIKE 'yumai\_%%' AND NOT k.coninhcount > 0
    AND EXISTS (
        SELECT FROM unnest(%(tables)s::text[]) AS w (name)
        WHERE
            c.oid = to_regclass(w.name)
            OR c.oid IN (SELECT i.inhrelid FROM pg_inherits AS i WHERE i.inhparent = to_regclass(w.name))
    )
ORDER BY n.nspname, c.relname, k.conname
