-- The checks of %(table)s by which adoption proves that a column has no NULL: column name, and whether the check is validated.
SELECT a.attname AS name, k.convalidated AS proven
FROM pg_constraint AS k
INNER JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
WHERE k.conrelid = %(table)s::regclass AND k.contype = 'c' AND k.conname = 'yumai_' || a.attname || '_there'
