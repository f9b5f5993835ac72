-- The foreign keys of %(table)s and of each of its partitions, as they are in the catalogue. One row per table and key. Keys of
-- several columns are left out. A key is enforced by two triggers on the table that has it and two on the referenced table.
-- The latter exist only once for all partitions, on the key of the partitioned table.
SELECT
    n.nspname AS schema,
    c.relname AS name,
    k.conname AS key,
    a.attname AS "column",
    rn.nspname AS referenced_schema,
    rc.relname AS referenced_name,
    ra.attname AS referenced_column,
    CASE k.confdeltype
        WHEN 'a' THEN 'NO ACTION' WHEN 'r' THEN 'RESTRICT' WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL'
        WHEN 'd' THEN 'SET DEFAULT'
    END AS on_delete,
    k.convalidated AS validated,
    enforcing.count AS triggers,
    CASE WHEN k.conparentid = 0 THEN 4 ELSE 2 END AS triggers_needed,
    enforcing.disabled_on
FROM (
    SELECT %(table)s::regclass AS relid, 0 AS level
    UNION
    SELECT p.relid, p.level FROM pg_partition_tree(%(table)s::regclass) AS p
) AS tree
INNER JOIN pg_class AS c ON c.oid = tree.relid
INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
INNER JOIN pg_constraint AS k ON k.conrelid = c.oid AND k.contype = 'f' AND cardinality(k.conkey) = 1
INNER JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
INNER JOIN pg_class AS rc ON rc.oid = k.confrelid
INNER JOIN pg_namespace AS rn ON rn.oid = rc.relnamespace
INNER JOIN pg_attribute AS ra ON ra.attrelid = k.confrelid AND ra.attnum = k.confkey[1]
CROSS JOIN LATERAL (
    SELECT
        count(*) FILTER (WHERE t.tgenabled IN ('O', 'A')) AS count,
        array_agg(DISTINCT format('%%I.%%I', tn.nspname, tc.relname)) FILTER (WHERE t.tgenabled NOT IN ('O', 'A')) AS disabled_on
    FROM pg_trigger AS t
    INNER JOIN pg_class AS tc ON tc.oid = t.tgrelid
    INNER JOIN pg_namespace AS tn ON tn.oid = tc.relnamespace
    WHERE t.tgconstraint = k.oid
) AS enforcing
ORDER BY tree.level, c.relname, k.conkey
