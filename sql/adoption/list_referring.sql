-- The foreign keys of tables of theirs to %(tables)s: the table, the key, its columns, what it refers to, and what becomes of its
-- rows when what they refer to is deleted (a or r: the deletion is refused). The tables %(known)s and partitions are not theirs.
SELECT
    format('%%I.%%I', n.nspname, c.relname) AS relation,
    quote_ident(k.conname) AS name,
    (
        SELECT string_agg(a.attname, ', ' ORDER BY u.position)
        FROM unnest(k.conkey) WITH ORDINALITY AS u (number, position)
        INNER JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = u.number
    ) AS columns,
    format('%%s.%%s', f.nspname, r.relname) AS referenced,
    k.confdeltype AS on_delete,
    pg_get_constraintdef(k.oid) AS definition,
    (
        SELECT bool_or(a.attnotnull) FROM pg_attribute AS a WHERE a.attrelid = k.conrelid AND a.attnum = ANY(k.conkey)
    ) AS never_empty
FROM pg_constraint AS k
INNER JOIN pg_class AS c ON k.conrelid = c.oid
INNER JOIN pg_namespace AS n ON c.relnamespace = n.oid
INNER JOIN pg_class AS r ON k.confrelid = r.oid
INNER JOIN pg_namespace AS f ON r.relnamespace = f.oid
WHERE
    k.contype = 'f' AND k.conparentid = 0 AND NOT c.relispartition
    AND f.nspname || '.' || r.relname = ANY(%(tables)s::text[])
    AND NOT n.nspname || '.' || c.relname = ANY(%(known)s::text[])
    AND n.nspname <> 'yumai_pipelines'
ORDER BY 1, 2
