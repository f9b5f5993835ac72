-- Counts the rows of {table}, and those with a time that cannot be right. One row per month, by the month's place among the
-- bounds.
SELECT
    {place} AS place,
    count(*) AS rows,
    count({fault}) AS misplaced
FROM {table} AS t
{sessions}
WHERE {scope}
GROUP BY 1
