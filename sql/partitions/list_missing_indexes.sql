-- Indexes of the partitioned table %(table)s that are missing or invalid on a partition, and the SQL that makes them there,
-- after what a building that failed has left. One row per index and partition.
SELECT
    format('%%I.%%I', tn.nspname, t.relname) AS partition,
    format('%%I.%%I', pn.nspname, p.relname) AS index,
    concat(
        format('DROP INDEX CONCURRENTLY IF EXISTS %%I.%%I;', tn.nspname, made.name),
        E'\n',
        format(
            'CREATE INDEX CONCURRENTLY %%I ON %%I.%%I %%s;', made.name, tn.nspname, t.relname,
            substring(pg_get_indexdef(parent.indexrelid) FROM ' (USING .*)$')
        ),
        E'\n',
        format('ALTER INDEX %%I.%%I ATTACH PARTITION %%I.%%I;', pn.nspname, p.relname, tn.nspname, made.name)
    ) AS statements
FROM pg_index AS parent
INNER JOIN pg_class AS p ON p.oid = parent.indexrelid
INNER JOIN pg_namespace AS pn ON pn.oid = p.relnamespace
CROSS JOIN pg_partition_tree(%(table)s::regclass) AS tree
INNER JOIN pg_class AS t ON t.oid = tree.relid
INNER JOIN pg_namespace AS tn ON tn.oid = t.relnamespace
CROSS JOIN LATERAL (SELECT left(format('%%s_%%s', t.relname, p.relname), 63) AS name) AS made
WHERE
    parent.indrelid = %(table)s::regclass
    AND tree.isleaf
    AND NOT EXISTS (
        SELECT
        FROM pg_inherits AS link
        INNER JOIN pg_index AS part ON part.indexrelid = link.inhrelid
        WHERE link.inhparent = parent.indexrelid AND part.indrelid = tree.relid AND part.indisvalid
    )
ORDER BY 1, 2
