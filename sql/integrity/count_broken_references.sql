-- Counts the rows of {table} that refer to something that is gone. One row per month, by the month's place among the bounds.
-- A month without such rows has no row.
SELECT
    {place} AS place,
    count(*) AS broken
FROM {table} AS t
WHERE
    {rows}
GROUP BY 1
