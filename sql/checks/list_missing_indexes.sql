-- Indexes of the partitioned table %(table)s that a partition has no valid part of, and the SQL that makes it. One row per
-- index and partition.
SELECT
    tree.relid::regclass::text AS partition,
    parent.indexrelid::regclass::text AS index,
    concat(
        format(
            'CREATE INDEX CONCURRENTLY %%I %%s;', made.name,
            regexp_replace(pg_get_indexdef(parent.indexrelid), '^.* ON (ONLY )?\S+ ', 'ON ' || tree.relid::regclass || ' ')
        ),
        E'\n',
        format('ALTER INDEX %%s ATTACH PARTITION %%I.%%I;', parent.indexrelid::regclass, n.nspname, made.name)
    ) AS statement
FROM pg_index AS parent
CROSS JOIN pg_partition_tree(%(table)s::regclass) AS tree
INNER JOIN pg_class AS c ON c.oid = tree.relid
INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
INNER JOIN pg_class AS i ON i.oid = parent.indexrelid
CROSS JOIN LATERAL (SELECT left(format('%%s_%%s', c.relname, i.relname), 63) AS name) AS made
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
