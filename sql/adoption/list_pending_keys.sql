-- The foreign keys under one of the names %(names)s that are not validated: table, constraint, column, the table that it refers
-- to, and the key of that table. Keys of the conversations are listed for each partition that has them.
SELECT
    n.nspname, c.relname, k.conname, a.attname, rn.nspname AS referenced_schema, rc.relname AS referenced, ra.attname AS key
FROM pg_constraint AS k
INNER JOIN pg_class AS c ON k.conrelid = c.oid
INNER JOIN pg_namespace AS n ON c.relnamespace = n.oid
INNER JOIN pg_attribute AS a ON k.conrelid = a.attrelid AND k.conkey = ARRAY[a.attnum]
INNER JOIN pg_class AS rc ON k.confrelid = rc.oid
INNER JOIN pg_namespace AS rn ON rc.relnamespace = rn.oid
INNER JOIN pg_attribute AS ra ON k.confrelid = ra.attrelid AND k.confkey = ARRAY[ra.attnum]
WHERE
    k.contype = 'f'
    AND NOT k.convalidated
    AND k.conname = ANY(%(names)s)
    AND n.nspname IN ('chatbot', 'ml_features', 'analytics')
    AND c.relowner = 'yumai_pipeline'::regrole
ORDER BY n.nspname, c.relname, k.conname
