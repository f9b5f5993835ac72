-- The indexes of %(table)s that belong to no constraint: schema, name, definition, whether it is valid, and the index that
-- it is a part of.
SELECT
    n.nspname AS schema,
    c.relname AS name,
    pg_get_indexdef(i.indexrelid) AS definition,
    i.indisvalid AS valid,
    (
        SELECT pn.nspname || '.' || pc.relname
        FROM pg_inherits AS h
        INNER JOIN pg_class AS pc ON h.inhparent = pc.oid
        INNER JOIN pg_namespace AS pn ON pc.relnamespace = pn.oid
        WHERE h.inhrelid = i.indexrelid
    ) AS part_of
FROM pg_index AS i
INNER JOIN pg_class AS c ON i.indexrelid = c.oid
INNER JOIN pg_namespace AS n ON c.relnamespace = n.oid
WHERE
    i.indrelid = %(table)s::regclass
    AND NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
ORDER BY n.nspname, c.relname
