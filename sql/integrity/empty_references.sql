-- Empties {column} in rows of {table}, and keeps each row as it was in the quarantine.
WITH taken AS (
    SELECT t.*, t AS yumai_row
    FROM {table} AS t
    WHERE {rows}
    FOR UPDATE
),

kept AS (
    INSERT INTO yumai_pipelines.quarantine (source_table, source_key, source_row, still_there, why, run_id)
    SELECT {name}, jsonb_build_object({key_of_taken}), yumai_pipelines.row_as_jsonb(taken.yumai_row), TRUE, {why}, {run_id}
    FROM taken
)

UPDATE {table} AS t
SET {column} = NULL
FROM taken
WHERE {same_key}
