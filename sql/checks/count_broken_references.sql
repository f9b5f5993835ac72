-- How many rows of {table} have a {column} that is not in {referenced}: one row per place of a month among the bounds, none where
-- there are none.
SELECT
    {place} AS place,
    count(*) AS broken
FROM {table} AS t
WHERE
    t.{column} IS NOT NULL
    AND NOT EXISTS (SELECT FROM {referenced} AS r WHERE r.{referenced_column} = t.{column})
    AND {scope}
GROUP BY 1
