-- Counts the ids in {column} of {table}, those that name a row of {referenced} that is gone, and the values in the place of
-- an id that are not numbers. One row per month, by the month's place among the bounds.
SELECT
    {place} AS place,
    count(*) AS ids,
    count(*) FILTER (WHERE jsonb_typeof(named.id) = 'number' AND r.id IS NULL) AS gone,
    count(*) FILTER (WHERE jsonb_typeof(named.id) <> 'number') AS unreadable
FROM {table} AS t
CROSS JOIN LATERAL jsonb_path_query(to_jsonb(t.{column}), {path}) AS named (id)
LEFT JOIN {referenced} AS r
    ON r.id::numeric = CASE jsonb_typeof(named.id) WHEN 'number' THEN named.id::numeric END
WHERE {scope}
GROUP BY 1
