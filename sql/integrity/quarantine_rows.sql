-- Moves whole rows of {table} into the quarantine.
WITH taken AS (
    DELETE FROM {table} AS t
    WHERE {rows}
    RETURNING t.*
)

INSERT INTO yumai_pipelines.quarantine (source_table, source_key, source_row, still_there, why, run_id)
SELECT {name}, jsonb_build_object({key_of_taken}), to_jsonb(taken), FALSE, {why}, {run_id}
FROM taken
