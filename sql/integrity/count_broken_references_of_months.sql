-- Counts the rows of {table} in some months that refer to something that is gone. One row per month, by the month's place among
-- the bounds. A month without such rows has no row. The cost depends on the rows of these months, and not on the size of the
-- referenced table: rows for which {nearby} is false are sound, and for the others each key is looked up once.
SELECT
    named.place,
    sum(named.rows)::bigint AS broken
FROM (
    SELECT
        {place} AS place,
        t.{column} AS key,
        count(*) AS rows
    FROM {table} AS t
    WHERE
        t.{column} IS NOT NULL
        AND {scope}
        AND {nearby}
    GROUP BY 1, 2
) AS named
WHERE NOT EXISTS (SELECT FROM {referenced} AS r WHERE r.{referenced_column} = named.key)
GROUP BY 1
