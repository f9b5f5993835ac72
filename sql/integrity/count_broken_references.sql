-- How many rows of {table} refer to something that is gone: one row per place of a month among the bounds, none where there are
-- none.
SELECT
    {place} AS place,
    count(*) AS broken
FROM {table} AS t
WHERE
    {rows}
GROUP BY 1
