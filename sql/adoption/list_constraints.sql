-- The constraints of %(table)s that are its own and not inherited from its parent: name, definition, columns in order.
SELECT
    k.conname AS name,
    pg_get_constraintdef(k.oid) AS definition,
    (
        SELECT array_agg(a.attname::text ORDER BY u.position)
        FROM unnest(k.conkey) WITH ORDINALITY AS u (number, position)
        INNER JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = u.number
    ) AS columns
FROM pg_constraint AS k
WHERE k.conrelid = %(table)s::regclass AND k.conparentid = 0 AND (k.conislocal OR k.coninhcount = 0)
ORDER BY k.conname
