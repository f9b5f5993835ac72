-- The unique indexes of the table %(table)s that let NULL stand in one row alone, and have none of the columns %(given)s.
SELECT x.indexrelid::regclass::text
FROM pg_index AS x
WHERE
    x.indrelid = %(table)s::regclass
    AND x.indisunique
    AND x.indnullsnotdistinct
    AND NOT EXISTS (
        SELECT FROM pg_attribute AS a
        WHERE a.attrelid = x.indrelid AND a.attnum = ANY(x.indkey) AND a.attname = ANY(%(given)s)
    )
