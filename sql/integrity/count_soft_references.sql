-- How many ids in {column} of {table} name a row of {referenced} that is gone: one row per place of a month among the
-- bounds, with the ids, those that are gone, and what stands there and is no number.
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
