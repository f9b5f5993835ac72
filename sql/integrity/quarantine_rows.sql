-- Moves whole rows of {table} into the quarantine.
WITH taken AS (
    DELETE FROM {table} AS t
    WHERE {rows}
    RETURNING t.*, t AS yumai_row
)

INSERT INTO yumai_pipelines.quarantine (source_table, source_key, source_row, still_there, why, run_id)
SELECT {name}, jsonb_build_object({key_of_taken}), yumai_pipelines.row_as_jsonb(taken.yumai_row), FALSE, {why}, {run_id}
FROM taken
