-- The statements that give the table %(table)s the indexes of the partitioned table %(extract)s, so that ATTACH makes none.
SELECT
    CASE
        WHEN k.oid IS NOT NULL THEN format('ALTER TABLE %%s ADD %%s', %(table)s::text, pg_get_constraintdef(k.oid))
        ELSE format(
            'CREATE %%s INDEX ON %%s %%s', CASE WHEN i.indisunique THEN 'UNIQUE' END, %(table)s::text,
            substring(pg_get_indexdef(i.indexrelid) FROM ' (USING .*)$')
        )
    END AS statement
FROM pg_index AS i
LEFT JOIN pg_constraint AS k ON k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')
WHERE i.indrelid = %(extract)s::regclass
ORDER BY i.indexrelid
