-- Ids in {column} of {table} that name a row of {referenced} that is gone. One row per id.
SELECT {key}, {name} AS "column", named.id AS gone
FROM {table} AS t
CROSS JOIN LATERAL jsonb_path_query(to_jsonb(t.{column}), {path}) AS named (id)
LEFT JOIN {referenced} AS r
    ON r.id::numeric = CASE jsonb_typeof(named.id) WHEN 'number' THEN named.id::numeric END
WHERE
    jsonb_typeof(named.id) = 'number'
    AND r.id IS NULL
    AND {scope}
ORDER BY {key}
