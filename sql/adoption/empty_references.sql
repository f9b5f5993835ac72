-- Empties {column} in at most %(rows)s rows of {table} where it refers to a missing row, and keeps the originals of the rows.
WITH broken AS (
    SELECT t.ctid, yumai_pipelines.row_as_jsonb(t) AS whole
    FROM {table} AS t
    WHERE t.{column} IS NOT NULL AND NOT EXISTS (SELECT FROM {referenced} AS r WHERE r.{key} = t.{column})
    LIMIT %(rows)s
    FOR UPDATE OF t
),

noted AS (
    INSERT INTO yumai_pipelines.adoption_emptied (source_table, source_key, source_row, why)
    SELECT {name}, {primary_key}, b.whole, {why}
    FROM broken AS b
)

UPDATE {table} AS t
SET {column} = NULL
FROM broken AS b
WHERE t.ctid = b.ctid
