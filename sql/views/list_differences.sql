-- Rows in which a materialized view differs from what its query selects, by the columns of its unique key, each with the number
-- of all such rows. At most %(sample)s rows. A row that was changed is in here twice, once from each side.
WITH expected AS ({query}),

missing AS (
    SELECT {compared} FROM expected
    EXCEPT
    SELECT {compared} FROM {view}
),

unexpected AS (
    SELECT {compared} FROM {view}
    EXCEPT
    SELECT {compared} FROM expected
)

SELECT
    t.difference,
    {columns},
    count(*) OVER () AS total
FROM (
    SELECT 'missing from the view' AS difference, m.* FROM missing AS m
    UNION ALL
    SELECT 'only in the view', u.* FROM unexpected AS u
) AS t
ORDER BY {columns}, t.difference
LIMIT %(sample)s
