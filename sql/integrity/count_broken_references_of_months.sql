-- How many rows of {table} in some months refer to something that is gone: one row per place of a month among the bounds, none
-- where there are none. What is to cost as much as the months hold, however much there is to refer to: rows of which {nearby} is
-- not true are sound, and of the others each key is looked up once.
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
