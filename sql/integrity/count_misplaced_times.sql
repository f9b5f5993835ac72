-- How many rows of {table} have a time that cannot be: one row per place of a month among the bounds.
SELECT
    {place} AS place,
    count(*) AS rows,
    count({fault}) AS misplaced
FROM {table} AS t
{sessions}
WHERE {scope}
GROUP BY 1
