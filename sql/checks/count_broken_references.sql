-- How many rows of {table} refer to something that is gone, in one pass: one row per place of a month among the bounds (0 for
-- a table without months), with the rows looked at and, for each foreign key, those whose reference is broken.
SELECT
    {place} AS place,
    count(*) AS rows,
    {broken}
FROM {table} AS t
{references}
WHERE {scope}
GROUP BY 1
